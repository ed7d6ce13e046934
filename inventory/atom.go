package inventory

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// atom is an atom of a filter as the index answers it: from sets of places that are kept from one question to the next, wherever the atom reads
// one thing only.
type atom struct {
	*filter.Atom
	source source
	name   string      // what is read: facts, or a name of the environment
	nodes  []*pathNode // facts: the paths from the top to the one that is read
	class  string      // ofMember
	op     filter.Op   // ofEach
	deep   atomic.Bool // there was a node that had to be decided as a whole

	mu      sync.Mutex // guards all below
	byValue map[value]filter.Truth
	byKey   map[any]filter.Truth // shared values, depths, classes
	reasons map[value][]filter.Missing
	evicted bool // out of the cache: its sets are not kept any more
}

// source says where an atom's truth comes from.
type source int

const (
	ofNode   source = iota // several things, or one that changes by itself: the node as a whole, each time
	ofFact                 // one path below facts
	ofName                 // identity, liveness, agent, classes, pools, labels
	ofMember               // "class" in classes
	ofEach                 // classes.exists(c, …), classes.all(c, …)
	ofNone                 // nothing: it is the same for every node
)

// maxMemo bounds what an atom remembers of values; a question about more evaluates some of them again.
const maxMemo = 1 << 13

func newAtom(t *trie, fa *filter.Atom) *atom {
	a := &atom{Atom: fa, byValue: map[value]filter.Truth{}, byKey: map[any]filter.Truth{}, reasons: map[value][]filter.Missing{}}
	name, path, single := fa.Single()
	a.name = name
	switch {
	case !single:
	case name == "":
		a.source = ofNone
	case name == "facts":
		a.source, a.nodes = ofFact, t.acquire(path)
	case name == "classes":
		a.source = ofName
		if class, ok := fa.ClassMember(); ok {
			a.source, a.class = ofMember, class
		} else if op, ok := fa.PerClass(); ok {
			a.source, a.op = ofEach, op
		}
	case slices.Contains([]string{"identity", "liveness", "agent", "pools", "labels"}, name):
		a.source = ofName
	}
	if len(a.nodes) > 0 { // plans that are being answered may hold the atom longer than the cache does
		runtime.AddCleanup(a, t.abandon, a.nodes)
	}
	return a
}

// column gives the column that an atom over a fact reads; nil: no node of the shard has the fact.
func (a *atom) column(sh *shard) *column { return sh.columns[a.nodes[len(a.nodes)-1]] }

// indexed tells whether the atom is answered from sets.
func (a *atom) indexed() bool { return a.source != ofNode }

// how says so to a person.
func (a *atom) how() string {
	if a.indexed() {
		return "index"
	}
	return "scan"
}

// over says what the index is over that answers the atom; empty for a scan, and for an atom that reads nothing.
func (a *atom) over() string {
	if !a.indexed() {
		return ""
	}
	name, path, _ := a.Single()
	if len(path) == 0 {
		return name
	}
	return name + "." + fettle.Path(path).String()
}

// remember gives what is known under a key, or finds it out. What ctx may have cut short is not kept.
func (a *atom) remember(ctx context.Context, key any, node func() filter.Names) filter.Truth {
	a.mu.Lock()
	t, ok := a.byKey[key]
	a.mu.Unlock()
	if ok {
		return t
	}
	t = a.Match(ctx, node())
	if ctx.Err() != nil {
		return t
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.byKey) < maxMemo {
		a.byKey[key] = t
	}
	return t
}

// verdict is an atom's truth for the node at a place.
type verdict struct {
	truth   filter.Truth
	missing bool // the fact is not there, and that is why it is undefined
	deep    bool // the truth depends on what stands below the path, and is found for each question anew
}

// decide gives the atom's truth for the node at a place. The shard's lock is held.
func (a *atom) decide(ctx context.Context, sh *shard, slot int) verdict {
	m := sh.metas[slot]
	if m == nil {
		return verdict{}
	}
	switch a.source {
	case ofFact:
		c := a.column(sh)
		return a.decideFact(ctx, sh, slot, c.get(slot), !c.unique())
	case ofMember:
		if slices.Contains(m.classes.value, a.class) {
			return verdict{truth: filter.True}
		}
		return verdict{truth: filter.False}
	case ofEach:
		return verdict{truth: a.decideEach(ctx, m.classes.value)}
	case ofNone:
		return verdict{truth: a.remember(ctx, nil, func() filter.Names { return a.Without(0) })}
	}
	key, known := a.keyOf(m)
	if !known {
		return verdict{truth: a.Match(ctx, metaNames{m})}
	}
	return verdict{truth: a.remember(ctx, key, func() filter.Names { return metaNames{m} })}
}

// keyOf gives what an atom over a name depends on, where nodes have it alike.
func (a *atom) keyOf(m *meta) (key any, ok bool) {
	switch a.name {
	case "liveness":
		return m.liveness, true
	case "agent":
		return m.agent, true
	case "classes":
		return m.classes, true
	case "pools":
		return m.pools, true
	case "labels":
		return m.labels, true
	}
	return nil, false
}

// decideEach decides an atom over each class by itself.
func (a *atom) decideEach(ctx context.Context, classes []string) filter.Truth {
	stop := filter.True
	if a.op == filter.And {
		stop = filter.False
	}
	all := stop.Not()
	for _, c := range classes {
		switch a.remember(ctx, c, func() filter.Names { return a.With([]string{c}) }) {
		case stop:
			return stop
		case filter.Undefined:
			all = filter.Undefined
		}
	}
	return all
}

// decideFact decides an atom over a fact, of which v is the value at a place; with keep, once for all nodes that have the same there.
func (a *atom) decideFact(ctx context.Context, sh *shard, slot int, v value, keep bool) verdict {
	switch {
	case v.kind == object && a.IsHas():
		return verdict{truth: filter.True}
	case v.kind == object:
		return verdict{deep: true}
	case v.kind != absent && keep:
		return verdict{truth: a.ofValue(ctx, v)}
	case v.kind != absent:
		return verdict{truth: a.Match(ctx, a.With(v.any()))}
	case !a.Soft():
		t := a.remember(ctx, 0, func() filter.Names { return a.Without(0) })
		return verdict{truth: t, missing: t == filter.Undefined}
	}
	depth, v := a.reach(sh, slot)
	if v.kind == object {
		return verdict{truth: a.remember(ctx, depth, func() filter.Names { return a.Without(depth) })}
	}
	return verdict{truth: a.remember(ctx, blockedAt{depth, v}, func() filter.Names { return a.Blocked(depth, v.any()) })}
}

// blockedAt is a place on the path where a value stands that is no object.
type blockedAt struct {
	depth int
	value value
}

// reach gives how far the atom's path leads on a node that does not have it, and what stands there; depth 0 is the document.
func (a *atom) reach(sh *shard, slot int) (depth int, v value) {
	for depth = len(a.nodes) - 1; depth > 0; depth-- {
		if v = sh.columns[a.nodes[depth-1]].get(slot); v.kind != absent {
			return depth, v
		}
	}
	return 0, value{kind: object}
}

// ofValue decides an atom over a fact for one value, by cel-go, and remembers it.
func (a *atom) ofValue(ctx context.Context, v value) filter.Truth {
	a.mu.Lock()
	t, ok := a.byValue[v]
	a.mu.Unlock()
	if ok {
		return t
	}
	t = a.Match(ctx, a.With(v.any()))
	if ctx.Err() != nil {
		return t
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.byValue) < maxMemo {
		a.byValue[v.keep()] = t
	}
	return t
}
