package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Change sets one fact to a value that is no object.
type Change struct {
	Path  fettle.Path
	Value json.RawMessage // canonical JSON
}

// Patch puts a node that differs from the one that is there in facts that it has already, which are and stay values that are no objects: the cheap
// way for what changes often. Of n, only what a message of facts changes may differ: Hash, FactsAt, Liveness, Seen, Seq and Rev; its Facts are not
// looked at. Patch tells whether it did; if not, nothing changed, and the whole node has to be Put.
func (v *Inventory) Patch(n fettle.Node, changes []Change) (bool, error) {
	leaves := make([]leaf, 0, len(changes))
	for _, c := range changes {
		var one flattened
		if bytes.HasPrefix(c.Value, []byte("{")) {
			return false, nil
		}
		doc, err := filter.ParseDocument(slices.Concat([]byte(`{"":`), c.Value, []byte(`}`)))
		if err != nil {
			return false, fmt.Errorf("patch node %s: %s: %w", n.Identity, c.Path, err)
		}
		at := v.trie.find(c.Path)
		if at == nil || at.depth == 0 || !doc.Plain() {
			return false, nil
		}
		doc.Visit(&valueOnly{&one})
		leaves = append(leaves, leaf{at, one.leaves[0].value})
	}
	done := false
	v.withNode(n.Identity, func(sh *shard, slot int) { done = sh.patch(slot, leaves, n) })
	return done, nil
}

// valueOnly takes the one value of a document, and makes no path for it.
type valueOnly struct{ f *flattened }

func (o *valueOnly) Enter(string) {}
func (o *valueOnly) Leave()       {}
func (o *valueOnly) Leaf(_ string, v any, how string) {
	o.f.leaves = append(o.f.leaves, leaf{value: valueOf(v, how)})
}

// patch sets leaves that are there already. The lock is held.
func (sh *shard) patch(slot int, leaves []leaf, n fettle.Node) bool {
	m := sh.metas[slot]
	if m.text != nil || !m.hasFacts || !m.same(n) {
		return false
	}
	for _, l := range leaves {
		if k := sh.columns[l.node].get(slot).kind; k == absent || k == object {
			return false
		}
	}
	for _, l := range leaves {
		sh.setLeaf(slot, l.node, l.value)
	}
	m.setHash(n.Hash)
	m.seq, m.rev, m.factsAt = n.Seq, n.Rev, n.FactsAt
	sh.touch(slot, n.Liveness, n.Seen)
	return true
}

// same tells whether what facts do not change is as n has it.
func (m *meta) same(n fettle.Node) bool {
	a := &m.agent.value
	return m.session == n.Session && m.enrolled == n.Enrolled && slices.Equal(m.classes.value, n.Classes) && slices.Equal(m.commands.value, n.Commands) &&
		slices.Equal(m.pools.value, n.Pools) && maps.Equal(m.labels.value, n.Labels) &&
		a.Version == n.Agent.Version && a.OS == n.Agent.OS && a.Arch == n.Agent.Arch && a.Collective == n.Agent.Collective && maps.Equal(a.Plugins, n.Agent.Plugins) &&
		slices.Equal(a.Running, n.Agent.Running)
}
