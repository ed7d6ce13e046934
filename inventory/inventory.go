package inventory

import (
	"fmt"
	"slices"
	"sync"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Inventory is all nodes in memory. It is safe for concurrent use; the zero value is not usable, New makes one.
type Inventory struct {
	mu    sync.RWMutex // guards all below
	nodes map[fettle.NodeID]*entry
	order []fettle.NodeID // sorted; nil: to be made anew
	paths map[string]*pathCount
}

// entry is one node; it is replaced, never changed, so that a reader needs the lock only to find it.
type entry struct {
	node   fettle.Node
	checks map[string]filter.CheckView
}

// New gives an inventory without nodes.
func New() *Inventory {
	return &Inventory{nodes: map[fettle.NodeID]*entry{}, paths: map[string]*pathCount{}}
}

// Put inserts n, or replaces the node of that identity as a whole, its check states apart. It copies what it keeps. Facts that are no document
// (filter.ParseDocument) are fettle.ErrInvalid, and nothing changes.
func (v *Inventory) Put(n fettle.Node) error {
	if n.Identity == "" {
		return fmt.Errorf("put a node: the identity is empty: %w", fettle.ErrInvalid)
	}
	doc, err := filter.ParseDocument(n.Facts)
	if err != nil {
		return fmt.Errorf("put node %s: %w", n.Identity, err)
	}
	n = clone(n)
	v.mu.Lock()
	defer v.mu.Unlock()
	e := &entry{node: n}
	if old, ok := v.nodes[n.Identity]; ok {
		v.count(old, -1)
		e.checks = old.checks
	} else {
		v.order = nil
	}
	v.countDocument(doc, 1)
	v.nodes[n.Identity] = e
	return nil
}

// clone copies what n refers to.
func clone(n fettle.Node) fettle.Node {
	n.Facts = slices.Clone(n.Facts)
	n.Classes = slices.Clone(n.Classes)
	n.Commands = slices.Clone(n.Commands)
	n.Pools = slices.Clone(n.Pools)
	n.Labels = cloneMap(n.Labels)
	n.Agent.Plugins = cloneMap(n.Agent.Plugins)
	return n
}

func cloneMap(m map[string]string) map[string]string {
	if m == nil {
		return nil
	}
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// Touch sets a node's liveness and when it was last seen. It tells whether there is such a node.
func (v *Inventory) Touch(id fettle.NodeID, l fettle.Liveness, seen fettle.Millis) bool {
	return v.change(id, func(e *entry) { e.node.Liveness, e.node.Seen = l, seen })
}

// SetCheck sets the state of a check on a node, as filters see it under `checks`. It tells whether there is such a node.
func (v *Inventory) SetCheck(s fettle.CheckState) bool {
	return v.change(s.Node, func(e *entry) {
		e.checks = withCheck(e.checks, s.Check, &filter.CheckView{Status: s.Status, Since: s.Since, Output: s.Output})
	})
}

// DropCheck takes the state of a check from a node. It tells whether there is such a node.
func (v *Inventory) DropCheck(id fettle.NodeID, check string) bool {
	return v.change(id, func(e *entry) { e.checks = withCheck(e.checks, check, nil) })
}

// withCheck gives a copy of m with one check changed, or without it where view is nil.
func withCheck(m map[string]filter.CheckView, check string, view *filter.CheckView) map[string]filter.CheckView {
	out := make(map[string]filter.CheckView, len(m)+1)
	for k, c := range m {
		out[k] = c
	}
	if view == nil {
		delete(out, check)
	} else {
		out[check] = *view
	}
	return out
}

// change replaces a node's entry by a copy that f has changed.
func (v *Inventory) change(id fettle.NodeID, f func(*entry)) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	old, ok := v.nodes[id]
	if !ok {
		return false
	}
	e := *old
	f(&e)
	v.nodes[id] = &e
	return true
}

// Remove forgets a node. It tells whether there was one.
func (v *Inventory) Remove(id fettle.NodeID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	e, ok := v.nodes[id]
	if !ok {
		return false
	}
	v.count(e, -1)
	delete(v.nodes, id)
	v.order = nil
	return true
}

// Get gives a node, its facts included, for reading only.
func (v *Inventory) Get(id fettle.NodeID) (fettle.Node, bool) {
	e, ok := v.entry(id)
	if !ok {
		return fettle.Node{}, false
	}
	return e.node, true
}

// Checks gives the states of a node's checks as filters see them, by the check's name, for reading only.
func (v *Inventory) Checks(id fettle.NodeID) map[string]filter.CheckView {
	e, ok := v.entry(id)
	if !ok {
		return nil
	}
	return e.checks
}

func (v *Inventory) entry(id fettle.NodeID) (*entry, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	e, ok := v.nodes[id]
	return e, ok
}

// Len gives the number of nodes.
func (v *Inventory) Len() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.nodes)
}

// Counts are the numbers of nodes by liveness.
type Counts struct {
	Total  int `json:"total"`
	Alive  int `json:"alive"`
	Late   int `json:"late"`
	Silent int `json:"silent"`
}

// Counts counts the nodes by liveness.
func (v *Inventory) Counts() Counts {
	v.mu.RLock()
	defer v.mu.RUnlock()
	c := Counts{Total: len(v.nodes)}
	for _, e := range v.nodes {
		switch e.node.Liveness {
		case fettle.Alive:
			c.Alive++
		case fettle.Late:
			c.Late++
		case fettle.Silent:
			c.Silent++
		}
	}
	return c
}

// Offering gives the nodes that offer a check command of that name, sorted.
func (v *Inventory) Offering(command string) []fettle.NodeID {
	var out []fettle.NodeID
	for _, e := range v.snapshot() {
		if slices.Contains(e.node.Commands, command) {
			out = append(out, e.node.Identity)
		}
	}
	return out
}

// Commands counts, for each check command, the nodes that offer it.
func (v *Inventory) Commands() map[string]int {
	out := map[string]int{}
	for _, e := range v.snapshot() {
		for _, c := range e.node.Commands {
			out[c]++
		}
	}
	return out
}

// snapshot gives all nodes, sorted by identity.
func (v *Inventory) snapshot() []*entry {
	v.mu.RLock()
	if v.order == nil {
		v.mu.RUnlock()
		v.sort()
		v.mu.RLock()
	}
	defer v.mu.RUnlock()
	out := make([]*entry, 0, len(v.nodes))
	for _, id := range v.order {
		if e, ok := v.nodes[id]; ok {
			out = append(out, e)
		}
	}
	return out
}

func (v *Inventory) sort() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.order != nil {
		return
	}
	v.order = make([]fettle.NodeID, 0, len(v.nodes))
	for id := range v.nodes {
		v.order = append(v.order, id)
	}
	slices.Sort(v.order)
}
