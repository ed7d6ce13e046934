package inventory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Change sets one fact to a value that is no object.
type Change struct {
	Path  fettle.Path
	Value json.RawMessage // canonical JSON
}

// Patch sets facts that the node has already, and which are and stay values that are no objects: the cheap way for what changes often. It tells
// whether it did; if not, nothing changed, and the whole node has to be Put. Hash, seq and at are those of the new document.
func (v *Inventory) Patch(id fettle.NodeID, changes []Change, hash string, seq int64, at fettle.Millis) (bool, error) {
	leaves := make([]leaf, 0, len(changes))
	for _, c := range changes {
		var one flattened
		if bytes.HasPrefix(c.Value, []byte("{")) {
			return false, nil
		}
		doc, err := filter.ParseDocument(slices.Concat([]byte(`{"":`), c.Value, []byte(`}`)))
		if err != nil {
			return false, fmt.Errorf("patch node %s: %s: %w", id, c.Path, err)
		}
		n := v.trie.find(c.Path)
		if n == nil || n.depth == 0 || !doc.Plain() {
			return false, nil
		}
		doc.Visit(&valueOnly{&one})
		leaves = append(leaves, leaf{n, one.leaves[0].value})
	}
	done := false
	v.withNode(id, func(sh *shard, slot int) { done = sh.patch(slot, leaves, hash, seq, at) })
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
func (sh *shard) patch(slot int, leaves []leaf, hash string, seq int64, at fettle.Millis) bool {
	m := sh.metas[slot]
	if m.text != nil {
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
	m.setHash(hash)
	m.seq, m.factsAt = seq, at
	return true
}
