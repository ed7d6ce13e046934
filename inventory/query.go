package inventory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Query is a question about all nodes.
type Query struct {
	// Program is the filter; nil asks for every node, on purpose.
	Program *filter.Program
	// Now is what the filter sees as `now`, by the server's clock; zero: `now` is undefined.
	Now fettle.Millis
	// Limit is the number of nodes to give; zero: no node is given, only counted; negative: all.
	Limit int
	// After is the Next of the page before; empty: the first page.
	After string
	// Sort orders by a fact, its numbers before its texts and nodes without it last; nil: by identity. Equals are ordered by identity.
	Sort       fettle.Path
	Descending bool
	// Columns are evaluated for each node given; see Row.
	Columns []*filter.Program
	// Facts asks for the documents of the nodes given; without it Node.Facts is nil.
	Facts bool
	// Keep has the last word on each node that the filter is true for; nil: all are kept. It is called under a lock, and must not ask the inventory.
	Keep func(fettle.NodeID) bool
	// Uncounted gives up Matched and Undefined where that spares work: they then count what was looked at only.
	Uncounted bool
	// Budget bounds the time for what no index can answer; a question that would take longer is fettle.ErrUnavailable, and says how long. Zero:
	// only ctx bounds it.
	Budget time.Duration
}

// Answer is what a query gave.
type Answer struct {
	Matched     int            // nodes that the filter is true for, those of other pages included
	Undefined   int            // nodes that it is undefined for
	UndefinedBy map[string]int // why, by Missing.String; may add up to more than Undefined
	Rows        []Row
	Next        string // the cursor of the next page; empty: this is the last
}

// Row is one node of an answer.
type Row struct {
	Node    fettle.Node
	Columns []any // as Query.Columns has them, plain Go values; nil where a column is undefined
}

// maxReasons bounds UndefinedBy; what comes after is counted as other reasons, once for each reason.
const maxReasons = 100

const otherReasons = "other reasons"

// Query answers q. An unreadable cursor is fettle.ErrInvalid; a deadline of ctx ends it with ctx's error.
func (v *Inventory) Query(ctx context.Context, q Query) (Answer, error) {
	after, err := readCursor(q)
	if err != nil {
		return Answer{}, err
	}
	if q.Uncounted && q.Limit > 0 && q.Sort == nil && !q.Descending && q.Keep == nil {
		return v.firstFew(ctx, q, after)
	}
	h, err := v.ask(ctx, q, true)
	if err != nil {
		return Answer{}, err
	}
	defer h.done()
	a := Answer{Matched: h.matched, Undefined: h.undefined, UndefinedBy: h.reasons}
	if q.Limit == 0 {
		return a, nil
	}
	page, next := v.page(h, q, after)
	a.Next = next
	a.Rows, err = v.rows(ctx, q, page)
	return a, err
}

// hits is the nodes that a filter matches, shard by shard.
type hits struct {
	shards    []*shard
	yes       []*bitset
	words     []int
	matched   int
	undefined int
	reasons   map[string]int
	asked     map[string]int // as in question
	done      func()
}

// has tells whether the node at p is a hit.
func (h *hits) has(p place) bool {
	i := int(p.shard)
	return i < len(h.yes) && int(p.slot)>>6 < h.words[i] && h.yes[i].has(int(p.slot))
}

// ask finds the nodes that match, and with reasons set why others are undefined.
func (v *Inventory) ask(ctx context.Context, q Query, reasons bool) (*hits, error) {
	p := v.plans.of(q.Program)
	shards := v.allShards()
	yes, done := borrow(len(shards))
	h := &hits{shards: shards, yes: yes, words: make([]int, len(shards)), done: done, reasons: map[string]int{}, asked: map[string]int{}}
	qu := &question{v: v, ctx: ctx, plan: p, now: q.Now, budget: q.Budget, reasons: h.reasons, ahead: v.Len()}
	defer qu.account(time.Now())
	for i, sh := range shards {
		if err := qu.askShard(h, i, sh, reasons); err != nil {
			done()
			return nil, err
		}
	}
	if q.Keep != nil {
		h.keep(q.Keep)
	}
	return h, nil
}

// askShard asks one shard.
func (q *question) askShard(h *hits, i int, sh *shard, reasons bool) error {
	q.reasoned = 0
	return q.parts(sh, q.plan.root, func(p part) error {
		h.words[i] = p.to
		if q.plan.root == nil {
			copy(h.yes[i][p.from:p.to], p.nodes[p.from:p.to])
			h.matched += p.count
			return nil
		}
		b, done := borrow(2)
		defer done()
		yes, no := b[0], b[1]
		q.asked = h.asked
		if err := q.decide(sh, q.plan.root, p.nodes, yes, no); err != nil {
			return err
		}
		q.asked = nil // the reasons are looked for by the same clauses
		copy(h.yes[i][p.from:p.to], yes[p.from:p.to])
		matched := yes.countFrom(p.from, p.to)
		undefined := p.count - matched - no.countFrom(p.from, p.to)
		h.matched += matched
		h.undefined += undefined
		if undefined == 0 || !reasons {
			return nil
		}
		no.or(yes, p.to)
		no.minus(p.nodes, no, sh.words())
		return q.countReasons(sh, no)
	})
}

// part is some nodes of a shard.
type part struct {
	nodes    *bitset // to be read only
	count    int     // how many
	from, to int     // the words in which they stand
}

// parts gives the nodes of a shard to f, so many at once as the clause c allows, with the shard's lock held meanwhile. Each node is asked under one
// lock, and so as it is at one moment.
func (q *question) parts(sh *shard, c *clause, f func(part) error) error {
	step := shardWords
	if c != nil {
		if err := sh.warm(q.ctx, c); err != nil {
			return err
		}
		if c.slow() {
			step = sh.limits.scan
		}
	}
	scratch, done := borrow(1)
	defer done()
	for from, more := 0, true; more; from += step {
		if err := q.ended(); err != nil {
			return err
		}
		err := func() error {
			sh.mu.RLock()
			defer sh.mu.RUnlock()
			p := sh.part(from, step, scratch[0])
			if more = p.to < sh.words(); p.from >= p.to {
				return nil
			}
			q.seen, q.ahead = q.seen+p.count, max(0, q.ahead-p.count)
			return f(p)
		}()
		if err != nil {
			return err
		}
	}
	return nil
}

// part gives the nodes that stand in some words; scratch may be used for it. The lock is held.
func (sh *shard) part(from, step int, scratch *bitset) part {
	words := sh.words()
	to := min(from+step, words)
	if from == 0 && to == words {
		return part{&sh.live, sh.nodes, from, to}
	}
	clear(scratch[:words])
	if from < to {
		copy(scratch[from:to], sh.live[from:to])
	}
	return part{scratch, scratch.countFrom(from, max(from, to)), from, to}
}

// countReasons adds why the filter is undefined for the places in among.
func (q *question) countReasons(sh *shard, among *bitset) error {
	words := sh.words()
	sets, fresh := map[string]*bitset{}, 0
	err := q.reasonsOf(sh, q.plan.root, among, func(reason string, slots *bitset) {
		set := sets[reason]
		if _, known := q.reasons[reason]; set == nil && !known {
			if len(q.reasons)+fresh >= maxReasons {
				reason = otherReasons
				set = sets[reason]
			}
			fresh++
		}
		if set == nil {
			set = &bitset{}
			sets[reason] = set
		}
		set.or(slots, words)
	})
	for reason, set := range sets {
		if n := set.count(words); n > 0 {
			q.reasons[reason] += n
		}
	}
	return err
}

// rows reads the nodes of a page. A node that went in the meantime is left out.
func (v *Inventory) rows(ctx context.Context, q Query, page []fettle.NodeID) ([]Row, error) {
	out := make([]Row, 0, len(page))
	for _, id := range page {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("ask the inventory: %w", err)
		}
		v.seeNode(id, func(sh *shard, slot int) {
			r := Row{Node: sh.node(slot, q.Facts)}
			for _, c := range q.Columns {
				value, _, _ := c.Value(ctx, v.names(sh, slot, q.Now))
				r.Columns = append(r.Columns, value)
			}
			out = append(out, r)
		})
	}
	return out, nil
}

// Roster is the set of nodes that a filter matches.
type Roster struct {
	Nodes       []fettle.NodeID // sorted
	Undefined   int
	UndefinedBy map[string]int
}

// Roster gives all nodes that q's filter matches, whatever page q asks for.
func (v *Inventory) Roster(ctx context.Context, q Query) (Roster, error) {
	h, err := v.ask(ctx, q, true)
	if err != nil {
		return Roster{}, err
	}
	defer h.done()
	return Roster{Nodes: v.sorted(h), Undefined: h.undefined, UndefinedBy: h.reasons}, nil
}

// sorted gives all hits by identity.
func (v *Inventory) sorted(h *hits) []fettle.NodeID {
	out := make([]fettle.NodeID, 0, h.matched)
	if inOrder(h.matched, v.Len(), -1) {
		o := v.ordered()
		for i, p := range o.places {
			if h.has(p) {
				out = append(out, o.ids[i])
			}
		}
		return out
	}
	h.each(func(sh *shard, slot int) bool {
		out = append(out, sh.metas[slot].id)
		return true
	})
	slices.Sort(out)
	return out
}

// readWords is how much of a shard is read under one lock.
const readWords = 64

// each gives every hit that is still there to f, until f says no. The shard's lock is held for reading meanwhile, and let go now and then.
func (h *hits) each(f func(sh *shard, slot int) bool) {
	more := true
	for i, sh := range h.shards {
		for from := 0; from < h.words[i]; from += readWords {
			sh.mu.RLock()
			h.yes[i].eachFrom(from, min(from+readWords, h.words[i]), func(slot int) bool {
				if sh.metas[slot] != nil {
					more = f(sh, slot)
				}
				return more
			})
			sh.mu.RUnlock()
			if !more {
				return
			}
		}
	}
}

// Look shows what is known of a node at now, and tells whether there is such a node. see must not ask the inventory anything, and keeps nothing of
// what it is shown.
func (v *Inventory) Look(id fettle.NodeID, now fettle.Millis, see func(filter.Names)) bool {
	return v.seeNode(id, func(sh *shard, slot int) { see(v.names(sh, slot, now)) })
}

// Match gives a filter's truth for one node. fettle.ErrNotFound if there is no such node.
func (v *Inventory) Match(ctx context.Context, prog *filter.Program, id fettle.NodeID, now fettle.Millis) (truth filter.Truth, missing []filter.Missing, err error) {
	found := v.seeNode(id, func(sh *shard, slot int) {
		truth, missing = prog.Match(ctx, v.names(sh, slot, now))
	})
	switch {
	case !found:
		return filter.Undefined, nil, fmt.Errorf("node %s: %w", id, fettle.ErrNotFound)
	case ctx.Err() != nil:
		return filter.Undefined, nil, fmt.Errorf("ask the inventory: %w", ctx.Err())
	}
	return truth, missing, nil
}
