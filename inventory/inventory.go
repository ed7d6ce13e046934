package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Inventory is all nodes in memory. It is safe for concurrent use; the zero value is not usable, New makes one.
//
// Nodes live in shards; what all shards share are the paths and the values that many nodes have alike. Locks are taken in this order, and most
// alone: mu, a shard's mu, a shard's setsMu, an atomSet's mu; trie.mu and an interner's are taken last and held for one look.
type Inventory struct {
	limits *limits

	mu     sync.RWMutex // guards all below
	places map[fettle.NodeID]place
	shards []*shard
	order  *ordering // nodes by identity, as of the last look
	added  map[fettle.NodeID]place
	gone   map[fettle.NodeID]struct{}

	trie      *trie
	agents    *interner[fettle.AgentInfo]
	lists     *interner[[]string] // of classes, commands and pools
	labels    *interner[map[string]string]
	flattened sync.Pool // of *flattened

	plans *plans
}

// place is where a node lives.
type place struct {
	shard uint16
	slot  uint16
}

// New gives an inventory without nodes.
func New() *Inventory { return newInventory(&usual) }

func newInventory(l *limits) *Inventory {
	v := &Inventory{
		limits: l,
		places: map[fettle.NodeID]place{}, added: map[fettle.NodeID]place{}, gone: map[fettle.NodeID]struct{}{}, order: &ordering{},
		trie: newTrie(), agents: newInterner[fettle.AgentInfo](), lists: newInterner[[]string](), labels: newInterner[map[string]string](),
	}
	v.flattened.New = func() any { return &flattened{} }
	v.plans = newPlans(v)
	return v
}

// Put inserts n, or replaces the node of that identity as a whole, its check states apart. It copies what it keeps. Facts that are no document
// (filter.ParseDocument) are fettle.ErrInvalid, and nothing changes.
func (v *Inventory) Put(n fettle.Node) error {
	if n.Identity == "" {
		return fmt.Errorf("put a node: the identity is empty: %w", fettle.ErrInvalid)
	}
	f, _ := v.flattened.Get().(*flattened)
	defer v.flattened.Put(f)
	plain, err := f.read(n.Facts)
	if err != nil {
		return fmt.Errorf("put node %s: %w", n.Identity, err)
	}
	s := v.trie.flatten(f)
	m := v.newMeta(n, plain)
	var (
		old  *meta
		lost *shape
	)
	for !v.withNode(n.Identity, func(sh *shard, slot int) { old, lost = sh.replace(slot, m, s, f.leaves) }) {
		if v.insert(m, s, f.leaves) {
			break
		}
	}
	v.release(old)
	v.trie.release(lost)
	return nil
}

// insert gives a new node a place, with all that is known of it. It tells whether it did; if not, somebody else was faster.
func (v *Inventory) insert(m *meta, s *shape, leaves []leaf) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.places[m.id]; ok {
		return false
	}
	for i := len(v.shards) - 1; ; i-- {
		if i < 0 {
			v.shards = append(v.shards, newShard(v.limits))
			i = len(v.shards) - 1
		}
		slot, ok := v.shards[i].insert(m, s, leaves)
		if !ok {
			continue
		}
		p := place{uint16(i), uint16(slot)}
		v.places[m.id], v.added[m.id] = p, p
		return true
	}
}

// newMeta gives what is kept of n beside its facts; not plain: with their text.
func (v *Inventory) newMeta(n fettle.Node, plain bool) *meta {
	m := &meta{
		id: fettle.NodeID(strings.Clone(string(n.Identity))), hasFacts: n.Facts != nil, liveness: n.Liveness, factsAt: n.FactsAt, seen: n.Seen, enrolled: n.Enrolled,
		session: strings.Clone(n.Session), seq: n.Seq, rev: n.Rev,
		agent: v.agents.get(agentKey(n.Agent), func() fettle.AgentInfo {
			n.Agent.Plugins, n.Agent.Running = maps.Clone(n.Agent.Plugins), slices.Clone(n.Agent.Running)
			return n.Agent
		}),
		classes: v.list(n.Classes), commands: v.list(n.Commands), pools: v.list(n.Pools),
		labels: v.labels.get(mapKey(n.Labels), func() map[string]string { return maps.Clone(n.Labels) }),
	}
	m.setHash(n.Hash)
	if n.Facts != nil && (!plain || len(n.Facts) == 0) {
		m.text = append(make([]byte, 0, len(n.Facts)), n.Facts...)
	}
	return m
}

func (v *Inventory) list(l []string) *shared[[]string] {
	var b strings.Builder
	for _, s := range l {
		fmt.Fprintf(&b, "%d:%s", len(s), s)
	}
	if l == nil {
		b.WriteByte('-')
	}
	return v.lists.get(b.String(), func() []string {
		out := slices.Clone(l)
		for i, s := range out {
			out[i] = strings.Clone(s)
		}
		return out
	})
}

func agentKey(a fettle.AgentInfo) string {
	return strings.Join([]string{a.Version, a.OS, a.Arch, a.Collective, mapKey(a.Plugins), strings.Join(a.Running, "\x01")}, "\x00")
}

func mapKey(m map[string]string) string {
	if len(m) == 0 {
		return fmt.Sprint(m == nil)
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, "%d:%s%d:%s", len(k), k, len(m[k]), m[k])
	}
	return b.String()
}

// release takes back what m shares with others.
func (v *Inventory) release(m *meta) {
	if m == nil {
		return
	}
	v.agents.put(m.agent)
	v.lists.put(m.classes)
	v.lists.put(m.commands)
	v.lists.put(m.pools)
	v.labels.put(m.labels)
}

// withNode calls f with the shard of a node locked, and tells whether there is such a node.
func (v *Inventory) withNode(id fettle.NodeID, f func(sh *shard, slot int)) bool {
	sh, slot, ok := v.placeOf(id)
	if !ok {
		return false
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if slot >= len(sh.metas) || sh.metas[slot] == nil || sh.metas[slot].id != id {
		return false
	}
	f(sh, slot)
	return true
}

// seeNode is withNode for who only reads.
func (v *Inventory) seeNode(id fettle.NodeID, f func(sh *shard, slot int)) bool {
	sh, slot, ok := v.placeOf(id)
	if !ok {
		return false
	}
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if slot >= len(sh.metas) || sh.metas[slot] == nil || sh.metas[slot].id != id {
		return false
	}
	f(sh, slot)
	return true
}

func (v *Inventory) placeOf(id fettle.NodeID) (*shard, int, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	p, ok := v.places[id]
	if !ok {
		return nil, 0, false
	}
	return v.shards[p.shard], int(p.slot), true
}

// Touch sets a node's liveness and when it was last seen. It tells whether there is such a node.
func (v *Inventory) Touch(id fettle.NodeID, l fettle.Liveness, seen fettle.Millis) bool {
	return v.withNode(id, func(sh *shard, slot int) { sh.touch(slot, l, seen) })
}

// SetCheck sets the state of a check on a node, as filters see it under `checks`. It tells whether there is such a node.
func (v *Inventory) SetCheck(s fettle.CheckState) bool {
	return v.withNode(s.Node, func(sh *shard, slot int) {
		m := sh.metas[slot]
		checks := make(map[string]filter.CheckView, len(m.checks)+1)
		maps.Copy(checks, m.checks)
		checks[s.Check] = filter.CheckView{Status: s.Status, Since: s.Since, Output: s.Output}
		m.checks = checks
	})
}

// DropCheck takes the state of a check from a node. It tells whether there is such a node.
func (v *Inventory) DropCheck(id fettle.NodeID, check string) bool {
	return v.withNode(id, func(sh *shard, slot int) {
		m := sh.metas[slot]
		checks := maps.Clone(m.checks)
		delete(checks, check)
		m.checks = checks
	})
}

// Remove forgets a node. It tells whether there was one.
func (v *Inventory) Remove(id fettle.NodeID) bool {
	v.mu.Lock()
	p, ok := v.places[id]
	if !ok {
		v.mu.Unlock()
		return false
	}
	delete(v.places, id)
	delete(v.added, id)
	v.gone[id] = struct{}{}
	sh := v.shards[p.shard]
	sh.mu.Lock()
	m := sh.metas[p.slot]
	shape := m.shape
	sh.drop(int(p.slot))
	sh.mu.Unlock()
	v.mu.Unlock()
	v.release(m)
	v.trie.release(shape)
	return true
}

// Get gives a node with its facts, for reading only.
func (v *Inventory) Get(id fettle.NodeID) (n fettle.Node, ok bool) {
	ok = v.seeNode(id, func(sh *shard, slot int) { n = sh.node(slot, true) })
	return n, ok
}

// Brief gives a node without its facts document, which takes most of the time of Get; for reading only.
func (v *Inventory) Brief(id fettle.NodeID) (n fettle.Node, ok bool) {
	ok = v.seeNode(id, func(sh *shard, slot int) { n = sh.node(slot, false) })
	return n, ok
}

// Checks gives the states of a node's checks as filters see them, by the check's name, for reading only.
func (v *Inventory) Checks(id fettle.NodeID) (checks map[string]filter.CheckView) {
	v.seeNode(id, func(sh *shard, slot int) { checks = sh.metas[slot].checks })
	return checks
}

// Len gives the number of nodes.
func (v *Inventory) Len() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.places)
}
