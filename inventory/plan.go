package inventory

import (
	"cmp"
	"container/list"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Bounds of what is kept for questions to come.
const (
	maxPlans = 1024
	maxAtoms = 256 // each keeps 16 KiB or more for each shard
)

// plan is a filter as the index answers it.
type plan struct {
	text    fettle.Filter
	program *filter.Program // nil: every node
	root    *clause         // nil: every node

	runs    atomic.Int64
	refused atomic.Int64 // runs that were over their budget
	took    atomic.Int64 // nanoseconds
	passes  atomic.Int64 // evaluations for a node as a whole
}

// clause is a part of a plan.
type clause struct {
	op   filter.Op
	kids []*clause // the cheap ones first
	atom *atom
	scan bool // it has an atom that the index cannot answer
	tree *filter.Tree
}

// plans keeps the plans and atoms that were asked last. It is safe for concurrent use.
type plans struct {
	v     *Inventory
	mu    sync.Mutex // guards all below
	plans *recent[fettle.Filter, *plan]
	atoms *recent[string, *atom]
}

func newPlans(v *Inventory) *plans {
	return &plans{v: v, plans: newRecent[fettle.Filter, *plan](maxPlans), atoms: newRecent[string, *atom](maxAtoms)}
}

// of gives the plan of a program.
func (p *plans) of(prog *filter.Program) *plan {
	if prog == nil {
		return &plan{}
	}
	p.mu.Lock()
	var out []*atom // to be forgotten, once the lock is let go
	defer func() {
		p.mu.Unlock()
		for _, a := range out {
			p.v.evict(a)
		}
	}()
	key := fettle.Filter(prog.Environment().String()+" ") + prog.Text()
	found, ok := p.plans.get(key)
	if ok && p.refresh(found.root) {
		return found
	}
	made := &plan{text: prog.Text(), program: prog}
	made.root, out = p.clause(prog.Tree())
	p.plans.put(key, made)
	return made
}

// refresh notes that the atoms below c were asked again. It tells whether all of them are kept; if not, the plan has to be made anew.
func (p *plans) refresh(c *clause) bool {
	for _, k := range c.kids {
		if !p.refresh(k) {
			return false
		}
	}
	if c.atom == nil || c.scan {
		return true
	}
	a, ok := p.atoms.get(c.atom.Text())
	return ok && a == c.atom
}

// clause makes the plan of a tree, and gives the atoms that had to make room for its own.
func (p *plans) clause(t *filter.Tree) (*clause, []*atom) {
	c := &clause{op: t.Op, tree: t}
	if t.Op == filter.Leaf {
		var evicted []*atom
		c.atom, evicted = p.atom(t.Atom)
		c.scan = !c.atom.indexed()
		return c, evicted
	}
	var evicted []*atom
	for _, k := range t.Kids {
		kid, more := p.clause(k)
		c.kids, evicted = append(c.kids, kid), append(evicted, more...)
		c.scan = c.scan || kid.scan
	}
	slices.SortStableFunc(c.kids, func(a, b *clause) int { return cmp.Compare(a.rank(), b.rank()) })
	return c, evicted
}

// slow tells whether nodes are evaluated one by one for c, or for some of it.
func (c *clause) slow() bool {
	return c.scan || c.atom != nil && c.atom.deep.Load() || slices.ContainsFunc(c.kids, (*clause).slow)
}

// rank orders clauses by what they cost.
func (c *clause) rank() int {
	switch {
	case c.op == filter.Leaf && c.scan:
		return 3
	case c.scan:
		return 2
	case c.op == filter.Leaf:
		return 0
	}
	return 1
}

func (p *plans) atom(fa *filter.Atom) (*atom, []*atom) {
	if a, ok := p.atoms.get(fa.Text()); ok {
		return a, nil
	}
	a := newAtom(p.v.trie, fa)
	if !a.indexed() {
		return a, nil
	}
	return a, p.atoms.put(fa.Text(), a)
}

// evict gives up what is kept of an atom.
func (v *Inventory) evict(a *atom) {
	a.mu.Lock()
	a.evicted = true
	a.mu.Unlock()
	for _, sh := range v.allShards() {
		sh.forget(a)
	}
}

// Spender is a filter and what it has cost since it was first asked.
type Spender struct {
	Filter  fettle.Filter `json:"filter"`
	Runs    int64         `json:"runs"`
	Refused int64         `json:"refused"` // runs that were over their budget
	TookMS  float64       `json:"took_ms"` // all runs together
	Passes  int64         `json:"passes"`  // nodes that were evaluated one by one
}

// Spenders gives the filters that have cost the most time, of those asked lately; at most n.
func (v *Inventory) Spenders(n int) []Spender {
	v.plans.mu.Lock()
	defer v.plans.mu.Unlock()
	var out []Spender
	for e := v.plans.plans.order.Front(); e != nil; e = e.Next() {
		if kept, ok := e.Value.(kept[fettle.Filter, *plan]); ok {
			p := kept.value
			out = append(out, Spender{p.text, p.runs.Load(), p.refused.Load(), float64(p.took.Load()) / float64(time.Millisecond), p.passes.Load()})
		}
	}
	slices.SortFunc(out, func(a, b Spender) int { return cmp.Compare(b.TookMS, a.TookMS) })
	return out[:min(n, len(out))]
}

// recent keeps the values that were used last.
type recent[K comparable, V any] struct {
	max   int
	order *list.List // of kept, the latest in front
	all   map[K]*list.Element
}

type kept[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{max: most, order: list.New(), all: map[K]*list.Element{}}
}

func (r *recent[K, V]) get(key K) (v V, ok bool) {
	e, ok := r.all[key]
	if !ok {
		return v, false
	}
	r.order.MoveToFront(e)
	k, ok := e.Value.(kept[K, V])
	return k.value, ok
}

// put keeps a value, and gives those that had to make room.
func (r *recent[K, V]) put(key K, v V) (evicted []V) {
	if e, ok := r.all[key]; ok {
		r.order.Remove(e)
	}
	r.all[key] = r.order.PushFront(kept[K, V]{key, v})
	for r.order.Len() > r.max {
		e := r.order.Back()
		r.order.Remove(e)
		if k, ok := e.Value.(kept[K, V]); ok {
			delete(r.all, k.key)
			evicted = append(evicted, k.value)
		}
	}
	return evicted
}
