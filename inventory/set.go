package inventory

import (
	"context"
	"fmt"
	"sync"

	"github.com/fettle-dev/fettle/filter"
)

// atomSet is what an atom is for the nodes of one shard: sets of places that are kept, and corrected for what has changed when they are asked.
//
// Who changes a node holds the shard's lock alone, and marks its place. Who asks holds it with others, and corrects under mu before it reads the
// sets; they do not change again before the shard's lock is let go.
type atomSet struct {
	atom  *atom
	dirty *bitset // marked places; guarded by the shard's lock against marking, by mu against correcting; nil: none ever was
	marks int     // how many, at most

	mu      sync.Mutex // guards all below
	built   bool
	yes     bitset  // the atom is true
	no      bitset  // the atom is false
	missing *bitset // its fact is missing, and that is why it is undefined; nil: nowhere
	deep    *bitset // it has to be decided by the node as a whole; nil: nowhere
}

// mark notes that the node at a place has changed. The shard's lock is held alone.
func (s *atomSet) mark(slot int) {
	if s.dirty == nil {
		s.dirty = &bitset{}
	}
	s.dirty.set(slot)
	s.marks++
}

// set gives the sets of an atom for a shard, true to what the shard holds now. The shard's lock is held for reading. ctx's error comes back when
// it ends before that.
func (sh *shard) set(ctx context.Context, a *atom) (*atomSet, error) {
	s := sh.setOf(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.built {
		return s, s.build(ctx, sh)
	}
	if s.marks == 0 {
		return s, nil
	}
	n := 0
	s.dirty.each(shardWords, func(slot int) bool { // also places that are in use no more
		s.correct(ctx, sh, slot)
		n++
		return n&63 != 0 || ctx.Err() == nil
	})
	if ctx.Err() != nil {
		s.built = false
		return s, fmt.Errorf("ask the inventory: %w", ctx.Err())
	}
	*s.dirty, s.marks = bitset{}, 0
	return s, nil
}

// setOf gives the kept sets of an atom, or begins to keep some.
func (sh *shard) setOf(a *atom) *atomSet {
	sh.setsMu.Lock()
	defer sh.setsMu.Unlock()
	s, ok := sh.sets[a]
	if ok {
		return s
	}
	s = &atomSet{atom: a}
	a.mu.Lock()
	evicted := a.evicted
	a.mu.Unlock()
	if evicted {
		return s
	}
	sh.sets[a] = s
	switch {
	case a.source == ofFact && a.Soft():
		for _, n := range a.nodes {
			sh.watch[n] = append(sh.watch[n], s)
		}
	case a.source == ofFact:
		n := a.nodes[len(a.nodes)-1]
		sh.watch[n] = append(sh.watch[n], s)
	default:
		sh.names[a.name] = append(sh.names[a.name], s)
	}
	return s
}

// forget stops keeping the sets of an atom.
func (sh *shard) forget(a *atom) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s, ok := sh.sets[a]
	if !ok {
		return
	}
	delete(sh.sets, a)
	for _, n := range a.nodes {
		if sh.watch[n] = without(sh.watch[n], s); len(sh.watch[n]) == 0 {
			delete(sh.watch, n)
		}
	}
	sh.names[a.name] = without(sh.names[a.name], s)
}

func without(list []*atomSet, s *atomSet) []*atomSet {
	var out []*atomSet
	for _, o := range list {
		if o != s {
			out = append(out, o)
		}
	}
	return out
}

// build decides the atom for every node of the shard.
func (s *atomSet) build(ctx context.Context, sh *shard) error {
	s.built, s.missing, s.deep = false, nil, nil
	s.yes, s.no = bitset{}, bitset{}
	if s.atom.source == ofFact {
		s.buildFact(ctx, sh)
	} else {
		for slot := range sh.metas {
			if s.correct(ctx, sh, slot); slot&255 == 255 && ctx.Err() != nil {
				break
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("ask the inventory: %w", err)
	}
	s.built, s.dirty, s.marks = true, nil, 0
	return nil
}

// buildFact decides an atom over a fact for every node of the shard; where values have codes, once for each code.
func (s *atomSet) buildFact(ctx context.Context, sh *shard) {
	c := s.atom.column(sh)
	var byCode []verdict
	if c != nil && c.coded {
		byCode = make([]verdict, len(c.values))
		for code := 1; code < len(c.values) && ctx.Err() == nil; code++ {
			if c.uses[code] > 0 {
				byCode[code] = s.atom.decideFact(ctx, sh, 0, c.values[code], true)
			}
		}
	}
	var nobody verdict // where the fact is missing, which is the same for all nodes unless the atom asks how far its path leads
	if !s.atom.Soft() {
		nobody = s.atom.decideFact(ctx, sh, 0, value{}, true)
	}
	for slot, m := range sh.metas {
		if m == nil {
			continue
		}
		if byCode != nil && c.code(slot) != 0 {
			s.put(slot, byCode[c.code(slot)])
		} else if v := c.get(slot); v.kind == absent && !s.atom.Soft() {
			s.put(slot, nobody)
		} else {
			s.put(slot, s.atom.decideFact(ctx, sh, slot, v, !c.unique()))
		}
		if slot&255 == 255 && ctx.Err() != nil {
			return
		}
	}
}

// correct decides the atom for the node at a place.
func (s *atomSet) correct(ctx context.Context, sh *shard, slot int) {
	s.put(slot, s.atom.decide(ctx, sh, slot))
}

// put notes a verdict.
func (s *atomSet) put(slot int, v verdict) {
	s.yes.put(slot, v.truth == filter.True)
	s.no.put(slot, v.truth == filter.False)
	putLazily(&s.missing, slot, v.missing)
	putLazily(&s.deep, slot, v.deep)
}

func putLazily(b **bitset, slot int, in bool) {
	if *b == nil {
		if !in {
			return
		}
		*b = &bitset{}
	}
	(*b).put(slot, in)
}
