package inventory

import (
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// shard is up to shardSize nodes, each at a place. One lock guards it, so that a query waits for the change of one node at most, and never for
// a change in another shard.
type shard struct {
	limits *limits

	mu      sync.RWMutex // guards all below
	metas   []*meta      // by place; nil: free
	live    bitset       // the places in use
	free    []freed      // the longest free first
	nodes   int
	columns map[*pathNode]*column
	counts  Counts

	setsMu sync.Mutex // guards all below among those who hold mu for reading; who holds mu alone needs it not
	sets   map[*atom]*atomSet
	watch  map[*pathNode][]*atomSet // to be told when what stands at a path changes
	names  map[string][]*atomSet    // to be told when what a name gives changes
}

// meta is what is known of a node beside its facts.
type meta struct {
	id       fettle.NodeID
	hash     [32]byte // of the facts; see hashText
	hashText string   // the hash, where it is not 64 hexadecimal digits
	hashed   bool     // hash holds it
	hasFacts bool     // false: no document yet
	liveness fettle.Liveness
	factsAt  fettle.Millis
	seen     fettle.Millis
	enrolled fettle.Millis
	session  string
	seq, rev int64
	shape    *shape
	text     []byte // of the document, where it cannot be written again from its values
	agent    *shared[fettle.AgentInfo]
	classes  *shared[[]string]
	commands *shared[[]string]
	pools    *shared[[]string]
	labels   *shared[map[string]string]
	checks   map[string]filter.CheckView // replaced, never changed
}

// freed is a place that a node has left. It rests for a while: who has found out that the node was a hit, and has not read it yet, must not read
// another one there.
type freed struct {
	slot uint16
	at   time.Time
}

func newShard(l *limits) *shard {
	return &shard{
		limits:  l,
		columns: map[*pathNode]*column{}, sets: map[*atom]*atomSet{}, watch: map[*pathNode][]*atomSet{}, names: map[string][]*atomSet{},
	}
}

// words is how much of a bitset is in use. The lock is held.
func (sh *shard) words() int { return (len(sh.metas) + 63) / 64 }

// take gives m a place; not ok when the shard is full. The lock is held.
func (sh *shard) take(m *meta) (slot int, ok bool) {
	switch {
	case len(sh.free) > 0 && time.Since(sh.free[0].at) >= sh.limits.rest:
		slot = int(sh.free[0].slot)
		sh.free = sh.free[1:]
		sh.metas[slot] = m
	case len(sh.metas) < sh.limits.shard:
		slot = len(sh.metas)
		sh.metas = append(grow(sh.metas, slot), m)
	default:
		return 0, false
	}
	sh.live.set(slot)
	sh.nodes++
	sh.count(m.liveness, 1)
	for _, s := range sh.sets {
		s.mark(slot)
	}
	return slot, true
}

// insert gives a new node a place; not ok when the shard is full.
func (sh *shard) insert(m *meta, s *shape, leaves []leaf) (slot int, ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if slot, ok = sh.take(m); ok {
		sh.setFacts(slot, s, leaves)
	}
	return slot, ok
}

// replace puts m and its facts in the place of what stands there, and gives that and its shape. The lock is held.
func (sh *shard) replace(slot int, m *meta, s *shape, leaves []leaf) (old *meta, lost *shape) {
	old = sh.metas[slot]
	m.checks, m.shape = old.checks, old.shape
	sh.metas[slot] = m
	lost = sh.setFacts(slot, s, leaves)
	sh.count(old.liveness, -1)
	sh.count(m.liveness, 1)
	for _, c := range [...]struct {
		name string
		same bool
	}{
		{"agent", old.agent == m.agent},
		{"classes", old.classes == m.classes},
		{"pools", old.pools == m.pools},
		{"labels", old.labels == m.labels},
		{"liveness", old.liveness == m.liveness},
	} {
		if !c.same {
			sh.changed(slot, c.name)
		}
	}
	return old, lost
}

// touch sets liveness and when the node was last seen. The lock is held.
func (sh *shard) touch(slot int, l fettle.Liveness, seen fettle.Millis) {
	m := sh.metas[slot]
	m.seen = seen
	if m.liveness != l {
		sh.count(m.liveness, -1)
		sh.count(l, 1)
		m.liveness = l
		sh.changed(slot, "liveness")
	}
}

// drop frees a place, its facts too. The lock is held.
func (sh *shard) drop(slot int) {
	m := sh.metas[slot]
	sh.setFacts(slot, nil, nil)
	sh.metas[slot] = nil
	sh.live.clear(slot)
	sh.free = append(sh.free, freed{uint16(slot), time.Now()})
	sh.nodes--
	sh.count(m.liveness, -1)
	for _, s := range sh.sets {
		s.mark(slot)
	}
}

func (sh *shard) count(l fettle.Liveness, by int) {
	sh.counts.Total += by
	switch l {
	case fettle.Alive:
		sh.counts.Alive += by
	case fettle.Late:
		sh.counts.Late += by
	case fettle.Silent:
		sh.counts.Silent += by
	}
}

// setFacts replaces a node's facts, and gives the shape that they had. The lock is held.
func (sh *shard) setFacts(slot int, s *shape, leaves []leaf) *shape {
	m := sh.metas[slot]
	old := m.shape
	if old != s && old != nil {
		sh.clearLost(slot, old, leaves)
	}
	for i := range leaves {
		sh.setLeaf(slot, leaves[i].node, leaves[i].value)
	}
	m.shape = s
	return old
}

// clearLost takes away what stands at the paths of old that leaves do not have. Both are in the order of their documents, in which a path that
// both have comes after the same others, so that most are found by going along.
func (sh *shard) clearLost(slot int, old *shape, leaves []leaf) {
	if len(leaves) > manyLeaves {
		sh.clearLostOfMany(slot, old, leaves)
		return
	}
	i := 0
	for _, n := range old.nodes {
		if j := slices.IndexFunc(leaves[i:], func(l leaf) bool { return l.node == n }); j >= 0 {
			i += j + 1
		} else {
			sh.setLeaf(slot, n, value{})
		}
	}
}

// manyLeaves is from where on a set is cheaper than looking for a path.
const manyLeaves = 1024

func (sh *shard) clearLostOfMany(slot int, old *shape, leaves []leaf) {
	has := make(map[*pathNode]struct{}, len(leaves))
	for i := range leaves {
		has[leaves[i].node] = struct{}{}
	}
	for _, n := range old.nodes {
		if _, ok := has[n]; !ok {
			sh.setLeaf(slot, n, value{})
		}
	}
}

// setLeaf sets what stands at a path, and tells those who watch it. A column that nobody has any more is given up.
func (sh *shard) setLeaf(slot int, n *pathNode, v value) {
	c := sh.columns[n]
	if c == nil {
		if v.kind == absent {
			return
		}
		c = &column{limits: sh.limits}
		sh.columns[n] = c
	}
	if !c.set(slot, v) {
		return
	}
	for _, s := range sh.watch[n] {
		s.mark(slot)
	}
	if c.nodes == 0 {
		delete(sh.columns, n)
	}
}

// changed tells those who watch a name that it gives something else at a place.
func (sh *shard) changed(slot int, name string) {
	for _, s := range sh.names[name] {
		s.mark(slot)
	}
}

func (m *meta) setHash(h string) {
	m.hashed, m.hashText = false, ""
	if len(h) == 64 {
		if n, err := hex.Decode(m.hash[:], []byte(h)); err == nil && n == len(m.hash) && hex.EncodeToString(m.hash[:]) == h {
			m.hashed = true
			return
		}
	}
	m.hashText = h
}

func (m *meta) hashString() string {
	if m.hashed {
		return hex.EncodeToString(m.hash[:])
	}
	return m.hashText
}

// node gives the node at a place, with its facts if they are asked for. The lock is held.
func (sh *shard) node(slot int, facts bool) fettle.Node {
	m := sh.metas[slot]
	n := fettle.Node{
		Identity: m.id, Hash: m.hashString(), FactsAt: m.factsAt, Classes: m.classes.value, Agent: m.agent.value, Commands: m.commands.value,
		Pools: m.pools.value, Labels: m.labels.value, Liveness: m.liveness, Seen: m.seen, Enrolled: m.enrolled, Session: m.session, Seq: m.seq, Rev: m.rev,
	}
	if facts && m.hasFacts {
		n.Facts = sh.document(slot)
	}
	return n
}

// document writes the facts of a node as they were given. The lock is held.
func (sh *shard) document(slot int) []byte {
	m := sh.metas[slot]
	if m.text != nil {
		return slices.Clone(m.text)
	}
	out := append(make([]byte, 0, 40*len(m.shape.nodes)), '{')
	depth := 0 // of the object that is open
	for i, n := range m.shape.nodes {
		for ; depth > n.depth-1; depth-- {
			out = append(out, '}')
		}
		if i > 0 && out[len(out)-1] != '{' {
			out = append(out, ',')
		}
		out = append(filter.AppendJSON(out, n.key), ':')
		if v := sh.columns[n].get(slot); v.kind == object {
			out = append(out, '{')
			depth++
		} else {
			out = v.appendJSON(out)
		}
	}
	for ; depth >= 0; depth-- {
		out = append(out, '}')
	}
	return out
}
