package broker

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/fettle-dev/fettle"
)

// nodeShards is the number of locks among which the nodes' sessions are divided.
const nodeShards = 16

// nodes holds the one session of each node that is connected.
type nodes struct {
	seed   maphash.Seed
	shards [nodeShards]nodeShard
}

type nodeShard struct {
	mu    sync.RWMutex // guards conns
	conns map[fettle.NodeID]*conn
}

func newNodes() *nodes {
	n := &nodes{seed: maphash.MakeSeed()}
	for i := range n.shards {
		n.shards[i].conns = map[fettle.NodeID]*conn{}
	}
	return n
}

func (n *nodes) shard(id fettle.NodeID) *nodeShard {
	return &n.shards[maphash.String(n.seed, string(id))%nodeShards]
}

// put makes c the session of its node, and gives the one that it takes the place of.
func (n *nodes) put(c *conn) (old *conn) {
	s := n.shard(c.principal.Node)
	s.mu.Lock()
	defer s.mu.Unlock()
	old = s.conns[c.principal.Node]
	s.conns[c.principal.Node] = c
	return old
}

// remove takes c out, if it is still the session of its node.
func (n *nodes) remove(c *conn) {
	if c.principal.Node == "" {
		return
	}
	s := n.shard(c.principal.Node)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns[c.principal.Node] == c {
		delete(s.conns, c.principal.Node)
	}
}

func (n *nodes) get(id fettle.NodeID) *conn {
	s := n.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.conns[id]
}

func (n *nodes) count() (total int) {
	for i := range n.shards {
		s := &n.shards[i]
		s.mu.RLock()
		total += len(s.conns)
		s.mu.RUnlock()
	}
	return total
}

// LastHeard tells when a byte of node was last received, before anything was done with it; now, while its connection is not being read
// because it has too much uncommitted. false: it is not connected.
func (b *Broker) LastHeard(node fettle.NodeID) (time.Time, bool) {
	c := b.nodes.get(node)
	if c == nil {
		return time.Time{}, false
	}
	return c.heardAt(), true
}

// Heard calls f with each node that is connected, in no order, and with what LastHeard would tell of it. f may take its time: no lock is
// held meanwhile.
func (b *Broker) Heard(f func(node fettle.NodeID, at time.Time)) {
	var conns []*conn
	for i := range b.nodes.shards {
		s := &b.nodes.shards[i]
		conns = conns[:0]
		s.mu.RLock()
		for _, c := range s.conns {
			conns = append(conns, c)
		}
		s.mu.RUnlock()
		for _, c := range conns {
			f(c.principal.Node, c.heardAt())
		}
	}
}
