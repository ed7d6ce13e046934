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
	next    int        // places below it have been decided
	built   bool       // all have
	yes     bitset     // the atom is true
	no      bitset     // the atom is false
	missing *bitset    // its fact is missing, and that is why it is undefined; nil: nowhere
	deep    *bitset    // it has to be decided by the node as a whole; nil: nowhere
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
	s, _ := sh.setOf(a)
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.catchUp(ctx, sh, shardSize)
	return s, err
}

// warm makes the sets of the atoms of a clause true to what the shard holds, and lets go of the shard's lock now and then, so that who changes a
// node need not wait for a filter that is asked for the first time. What changes meanwhile is corrected when the sets are read.
func (sh *shard) warm(ctx context.Context, c *clause) error {
	for _, k := range c.kids {
		if err := sh.warm(ctx, k); err != nil {
			return err
		}
	}
	if c.atom == nil || c.scan {
		return nil
	}
	for done, parts := false, 0; !done && parts < 2*sh.limits.shard/sh.limits.warm; parts++ {
		var err error
		if done, err = sh.warmSome(ctx, c.atom); err != nil {
			return err
		}
	}
	return nil
}

// warmSome decides an atom for some nodes. It tells whether it was for all that were left.
func (sh *shard) warmSome(ctx context.Context, a *atom) (bool, error) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	s, kept := sh.setOf(a)
	if !kept {
		return true, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.catchUp(ctx, sh, sh.limits.warm)
}

// setOf gives the kept sets of an atom, or begins to keep some; not kept where the atom is not kept itself.
func (sh *shard) setOf(a *atom) (s *atomSet, kept bool) {
	sh.setsMu.Lock()
	defer sh.setsMu.Unlock()
	s, ok := sh.sets[a]
	if ok {
		return s, true
	}
	s = &atomSet{atom: a}
	a.mu.Lock()
	evicted := a.evicted
	a.mu.Unlock()
	if evicted {
		return s, false
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
	return s, true
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

// catchUp decides the atom for the nodes that it has not been decided for, and again for those that have changed: for so many, or a few more. It
// tells whether it was for all. The shard's lock is held for reading, and mu.
func (s *atomSet) catchUp(ctx context.Context, sh *shard, most int) (done bool, err error) {
	if !s.built {
		err = s.build(ctx, sh, most)
	}
	if err == nil && s.built && s.marks > 0 {
		err = s.correctMarked(ctx, sh, most)
	}
	if err != nil {
		return false, fmt.Errorf("ask the inventory: %w", err)
	}
	return s.built && s.marks == 0, nil
}

// atOnce is after how many nodes it is looked whether the question goes on. What was decided since then is not kept: an evaluation that was cut
// short gives what it gives.
const atOnce = 64

// build goes on to decide the atom for each node of the shard. Places that were marked before this came to them are decided twice.
func (s *atomSet) build(ctx context.Context, sh *shard, most int) error {
	decide := func(slot int) verdict { return s.atom.decide(ctx, sh, slot) }
	if s.atom.source == ofFact {
		c := s.atom.column(sh)
		decide = s.decideFacts(ctx, sh, c)
		if c == nil || c.coded {
			most = shardSize // it costs next to nothing
		}
	}
	for end := min(s.next+most, len(sh.metas)); s.next < end; {
		to := min(s.next+atOnce, end)
		for slot := s.next; slot < to; slot++ {
			s.put(slot, decide(slot))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s.next = to
	}
	s.built = s.next >= len(sh.metas)
	return nil
}

// decideFacts gives the function that decides an atom over a fact for the node at a place; where values have codes, it has decided once for each
// code already.
func (s *atomSet) decideFacts(ctx context.Context, sh *shard, c *column) func(slot int) verdict {
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
	return func(slot int) verdict {
		if sh.metas[slot] == nil {
			return verdict{}
		}
		if byCode != nil && c.code(slot) != 0 {
			return byCode[c.code(slot)]
		}
		v := c.get(slot)
		if v.kind == absent && !s.atom.Soft() {
			return nobody
		}
		return s.atom.decideFact(ctx, sh, slot, v, !c.unique())
	}
}

// correctMarked decides the atom again for marked places, also for those that are in use no more.
func (s *atomSet) correctMarked(ctx context.Context, sh *shard, most int) error {
	var (
		batch []int
		n     int
		err   error
	)
	keep := func() error {
		if err := ctx.Err(); err != nil {
			return err
		}
		for _, slot := range batch {
			s.dirty.clear(slot)
		}
		batch = batch[:0]
		return nil
	}
	s.dirty.each(shardWords, func(slot int) bool {
		s.put(slot, s.atom.decide(ctx, sh, slot))
		n, batch = n+1, append(batch, slot)
		if len(batch) == atOnce {
			err = keep()
		}
		return err == nil && n < most
	})
	if err == nil {
		err = keep()
	}
	if err == nil && s.dirty.empty(shardWords) {
		s.marks = 0
	}
	return err
}

// put notes a verdict.
func (s *atomSet) put(slot int, v verdict) {
	s.yes.put(slot, v.truth == filter.True)
	s.no.put(slot, v.truth == filter.False)
	if v.deep {
		s.atom.deep.Store(true)
	}
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
