package inventory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// question is a plan while it is being answered.
type question struct {
	v      *Inventory
	ctx    context.Context //nolint:containedctx // a question lives as long as one call
	plan   *plan
	now    fettle.Millis
	budget time.Duration

	passes   int           // evaluations for a node as a whole
	spent    time.Duration // on them, measured now and then
	seen     int           // nodes that were asked, or are being asked now
	ahead    int           // nodes that are still to be asked
	reasoned int           // nodes of the shard whose reasons were looked for one by one
	reasons  map[string]int
	refused  bool           // it was over its budget
	asked    map[string]int // by the text of an atom: nodes that it was evaluated for as a whole; not counted while it is nil
}

// account adds to the plan what the question has cost, whatever came of it.
func (q *question) account(begun time.Time) {
	q.plan.runs.Add(1)
	q.plan.took.Add(int64(time.Since(begun)))
	q.plan.passes.Add(int64(q.passes))
	if q.refused {
		q.plan.refused.Add(1)
	}
}

// sets keeps bitsets from one use to the next.
var sets = sync.Pool{New: func() any { return new(bitset) }}

// borrow gives n bitsets of whatever content, and the function that gives them back.
func borrow(n int) ([]*bitset, func()) {
	out := make([]*bitset, n)
	for i := range out {
		out[i], _ = sets.Get().(*bitset)
	}
	return out, func() {
		for _, b := range out {
			sets.Put(b)
		}
	}
}

// decide finds out for which of the places in among a clause is true, and for which false. What is in neither is undefined. That is CEL's own
// rule for && || and !, so the answer is that of cel-go for each node. The shard's lock is held for reading.
func (q *question) decide(sh *shard, c *clause, among, yes, no *bitset) error {
	switch {
	case c.op == filter.Leaf && c.scan:
		return q.scan(sh, c.atom, among, yes, no)
	case c.op == filter.Leaf:
		return q.look(sh, c.atom, among, yes, no)
	case c.op == filter.Not:
		return q.decide(sh, c.kids[0], among, no, yes)
	case c.op == filter.And:
		return q.combine(sh, c, among, yes, no)
	}
	return q.combine(sh, c, among, no, yes) // Or: what And is for false
}

// combine decides And; Or is its mirror, with yes and no in each other's place: a kid that is false for And, true for Or, decides; where all kids
// are the other, so is the clause. What a kid has decided the next is not asked.
func (q *question) combine(sh *shard, c *clause, among, all, any *bitset) error {
	words := sh.words()
	b, done := borrow(3)
	defer done()
	left, kidYes, kidNo := b[0], b[1], b[2]
	copy(left[:words], among[:words])
	copy(all[:words], among[:words])
	clear(any[:words])
	for _, k := range c.kids {
		if err := q.decide(sh, k, left, kidYes, kidNo); err != nil {
			return err
		}
		decides, goes := kidNo, kidYes
		if c.op == filter.Or {
			decides, goes = kidYes, kidNo
		}
		all.and(all, goes, words)
		any.or(decides, words)
		left.minus(left, decides, words)
		if left.empty(words) {
			return nil
		}
	}
	return nil
}

// look decides an atom from its sets.
func (q *question) look(sh *shard, a *atom, among, yes, no *bitset) error {
	s, err := sh.set(q.ctx, a)
	if err != nil {
		return err
	}
	words := sh.words()
	yes.and(among, &s.yes, words)
	no.and(among, &s.no, words)
	if s.deep == nil {
		return nil
	}
	b, done := borrow(1)
	defer done()
	b[0].and(among, s.deep, words)
	return q.pass(sh, a, b[0], yes, no)
}

// scan decides an atom for each node as a whole.
func (q *question) scan(sh *shard, a *atom, among, yes, no *bitset) error {
	words := sh.words()
	clear(yes[:words])
	clear(no[:words])
	if q.asked != nil {
		q.asked[a.Text()] += among.count(words)
	}
	return q.pass(sh, a, among, yes, no)
}

// pass adds to yes and no what an atom is for each node in among.
func (q *question) pass(sh *shard, a *atom, among, yes, no *bitset) (err error) {
	words := sh.words()
	todo, done, begun := among.count(words), 0, time.Now()
	among.each(words, func(slot int) bool {
		switch a.Match(q.ctx, q.v.names(sh, slot, q.now)) {
		case filter.True:
			yes.set(slot)
		case filter.False:
			no.set(slot)
		}
		if done++; done&63 == 0 {
			err = q.check(time.Since(begun), done, todo)
		}
		return err == nil
	})
	q.passes += done
	q.spent += time.Since(begun)
	if err == nil {
		err = q.check(0, 0, 0)
	}
	return err
}

// ended gives the error with which a question ends when nobody waits for it any more.
func (q *question) ended() error {
	if err := q.ctx.Err(); err != nil {
		return fmt.Errorf("ask the inventory: %w", err)
	}
	return nil
}

// tellingPart is the part of its budget that a question has to have spent before it is judged by what the rest would take: what few nodes have
// taken says little of many, and the first nodes little of the others.
const tellingPart = 8

// check refuses to go on when the time is over, or would be. Of todo nodes that are to be evaluated now, done are, which has taken so long.
func (q *question) check(took time.Duration, done, todo int) error {
	if err := q.ended(); err != nil {
		return err
	}
	spent, evaluated := q.spent+took, q.passes+done
	if q.budget <= 0 || spent <= q.budget/tellingPart || evaluated == 0 {
		return nil
	}
	total := float64(q.passes+todo) * float64(q.seen+q.ahead) / float64(max(q.seen, 1))
	if estimate := time.Duration(float64(spent) / float64(evaluated) * total); estimate > q.budget {
		q.refused = true
		return fmt.Errorf("the filter has to be evaluated node by node for about %d nodes, which would take about %v, and %v are allowed; a clause over one fact, put beside it with &&, makes them fewer: %w",
			int(total), estimate.Round(10*time.Millisecond), q.budget, fettle.ErrUnavailable)
	}
	return nil
}

// reasonsOf adds why a clause is undefined for the places in among, all of which it is undefined for: the reasons of each kid that is undefined
// too. A node counts once under each reason.
func (q *question) reasonsOf(sh *shard, c *clause, among *bitset, add func(reason string, slots *bitset)) error {
	words := sh.words()
	if c.op == filter.Leaf {
		return q.reasonsOfAtom(sh, c.atom, among, add)
	}
	for _, k := range c.kids {
		b, done := borrow(3)
		err := q.decide(sh, k, among, b[0], b[1])
		if err == nil {
			b[2].minus(among, b[0], words)
			b[2].minus(b[2], b[1], words)
			if !b[2].empty(words) {
				err = q.reasonsOf(sh, k, b[2], add)
			}
		}
		done()
		if err != nil {
			return err
		}
	}
	return nil
}

// maxReasoned bounds the nodes of one shard whose reasons are looked for one by one; what is beyond has other reasons.
const maxReasoned = 10_000

func (q *question) reasonsOfAtom(sh *shard, a *atom, among *bitset, add func(reason string, slots *bitset)) error {
	words := sh.words()
	b, done := borrow(2)
	defer done()
	rest := b[0]
	copy(rest[:words], among[:words])
	if a.indexed() {
		s, err := sh.set(q.ctx, a)
		if err != nil {
			return err
		}
		if s.missing != nil {
			b[1].and(among, s.missing, words)
			add(a.Reads()[0].String(), b[1])
			rest.minus(rest, s.missing, words)
		}
	}
	one := new(bitset)
	rest.each(words, func(slot int) bool {
		q.reasoned++
		missing := []filter.Missing{{Fault: otherReasons}}
		if q.reasoned <= maxReasoned {
			missing = q.why(sh, a, slot)
		}
		one.set(slot)
		for _, m := range missing {
			add(m.String(), one)
		}
		one.clear(slot)
		return q.ctx.Err() == nil
	})
	return q.ended()
}

// why gives why an atom is undefined for the node at a place; for a fact, once for all that have the same value there.
func (q *question) why(sh *shard, a *atom, slot int) []filter.Missing {
	var v value
	if a.source == ofFact {
		v = a.column(sh).get(slot)
	}
	if v.kind == absent || v.kind == object {
		return a.Missing(q.ctx, q.v.names(sh, slot, q.now))
	}
	a.mu.Lock()
	missing, ok := a.reasons[v]
	a.mu.Unlock()
	if ok {
		return missing
	}
	missing = a.Missing(q.ctx, a.With(v.any()))
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.reasons) < maxMemo {
		a.reasons[v.keep()] = missing
	}
	return missing
}
