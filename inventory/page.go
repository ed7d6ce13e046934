package inventory

import (
	"container/heap"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fettle-dev/fettle"
)

// page gives the nodes of the page that q asks for, and the cursor of the next.
func (v *Inventory) page(h *hits, q Query, after *rank) ([]fettle.NodeID, string) {
	if q.Sort == nil && !q.Descending && inOrder(h.matched, v.Len(), q.Limit) {
		return v.pageInOrder(h, q, after)
	}
	limit := q.Limit
	if limit < 0 {
		limit = h.matched
	}
	best := &ranks{descending: q.Descending}
	by := v.trie.find(q.Sort)
	h.each(func(sh *shard, slot int) bool {
		r := sh.rank(slot, by)
		if after == nil || after.compare(r, q.Descending) < 0 {
			best.offer(r, limit+1)
		}
		return true
	})
	slices.SortFunc(best.all, func(a, b rank) int { return a.compare(b, q.Descending) })
	next := ""
	if len(best.all) > limit {
		best.all = best.all[:limit]
		next = best.all[limit-1].cursor()
	}
	out := make([]fettle.NodeID, len(best.all))
	for i, r := range best.all {
		out[i] = r.ID
	}
	return out, next
}

// inOrder tells whether a page by identity is found sooner by going through all nodes in order than through the hits in any: a step of the first
// costs a few nanoseconds, of the second some thirty times as many.
func inOrder(matched, nodes, limit int) bool {
	if limit < 0 || limit >= matched {
		return matched > nodes/8
	}
	return nodes/max(matched, 1)*limit < 30*matched
}

// pageInOrder goes through all nodes by identity, which is faster when many of them are hits.
func (v *Inventory) pageInOrder(h *hits, q Query, after *rank) (out []fettle.NodeID, next string) {
	o := v.ordered()
	i := 0
	if after != nil {
		i = o.after(after.ID)
	}
	for ; i < len(o.ids); i++ {
		if !h.has(o.places[i]) {
			continue
		}
		if q.Limit > 0 && len(out) == q.Limit {
			return out, rank{None: true, ID: out[len(out)-1]}.cursor()
		}
		out = append(out, o.ids[i])
	}
	return out, ""
}

// fewAtOnce is how many nodes are asked together when only the first few hits are wanted.
const fewAtOnce = 4096

// firstFew answers a question for the first hits by identity, and asks no more nodes than it takes to find them.
func (v *Inventory) firstFew(ctx context.Context, q Query, after *rank) (Answer, error) {
	a := Answer{UndefinedBy: map[string]int{}}
	o := v.ordered()
	i := 0
	if after != nil {
		i = o.after(after.ID)
	}
	shards := v.allShards()
	qu := &question{v: v, ctx: ctx, plan: v.plans.of(q.Program), now: q.Now, budget: q.Budget, reasons: a.UndefinedBy, ahead: len(o.ids) - i}
	defer qu.account(time.Now())
	step := fewAtOnce
	if root := qu.plan.root; root != nil && root.slow() {
		step = v.limits.scan * 64
	}
	var page []fettle.NodeID
	for ; i < len(o.ids) && len(page) <= q.Limit; i += step {
		end := min(i+step, len(o.ids))
		qu.reasoned, qu.seen, qu.ahead = 0, qu.seen+end-i, len(o.ids)-end
		hit, err := qu.askSome(shards, o.places[i:end], &a)
		if err != nil {
			return Answer{}, err
		}
		for j, yes := range hit {
			if yes {
				page = append(page, o.ids[i+j])
			}
		}
	}
	a.Matched = len(page)
	if len(page) > q.Limit {
		page = page[:q.Limit]
		a.Next = rank{None: true, ID: page[q.Limit-1]}.cursor()
	}
	var err error
	a.Rows, err = v.rows(ctx, q, page)
	return a, err
}

// askSome asks the nodes at some places.
func (q *question) askSome(shards []*shard, places []place, a *Answer) ([]bool, error) {
	out := make([]bool, len(places))
	for i, sh := range shards {
		among, some := new(bitset), false
		for _, p := range places {
			if int(p.shard) == i {
				among.set(int(p.slot))
				some = true
			}
		}
		if !some {
			continue
		}
		if root := q.plan.root; root != nil {
			if err := sh.warm(q.ctx, root); err != nil {
				return nil, err
			}
		}
		yes, undefined, err := q.askAmong(sh, among)
		if err != nil {
			return nil, err
		}
		a.Undefined += undefined
		for j, p := range places {
			if int(p.shard) == i {
				out[j] = yes.has(int(p.slot))
			}
		}
	}
	return out, nil
}

func (q *question) askAmong(sh *shard, among *bitset) (yes *bitset, undefined int, err error) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	words := sh.words()
	among.and(among, &sh.live, words)
	clear(among[words:])
	yes = new(bitset)
	if q.plan.root == nil {
		*yes = *among
		return yes, 0, nil
	}
	no := new(bitset)
	if err := q.decide(sh, q.plan.root, among, yes, no); err != nil {
		return nil, 0, err
	}
	among.minus(among, yes, words)
	among.minus(among, no, words)
	if undefined = among.count(words); undefined > 0 {
		err = q.countReasons(sh, among)
	}
	return yes, undefined, err
}

// rank is a node and what it is ordered by. It is also what a cursor holds.
type rank struct {
	Value any           `json:"v,omitempty"` // bool, int64, float64 or string
	None  bool          `json:"n,omitempty"` // there is no value to order by
	ID    fettle.NodeID `json:"i"`
}

// rank gives the rank of the node at a place by a path; nil: no node has it. The lock is held.
func (sh *shard) rank(slot int, by *pathNode) rank {
	r := rank{None: true, ID: sh.metas[slot].id}
	if by == nil {
		return r
	}
	switch x := sh.columns[by].get(slot).any().(type) {
	case bool, int64, float64, string:
		r.Value, r.None = x, false
	}
	return r
}

// compare orders by value, then by identity; nodes without a value come last either way.
func (r rank) compare(o rank, descending bool) int {
	c := compareNone(r.None, o.None)
	if c != 0 {
		return c
	}
	if !r.None {
		c = compareValues(r.Value, o.Value)
	}
	if c == 0 {
		c = strings.Compare(string(r.ID), string(o.ID))
	}
	if descending {
		return -c
	}
	return c
}

// ranks keeps the first so many of what it is offered; as a heap, the last of them on top.
type ranks struct {
	all        []rank
	descending bool
}

// Len gives the number of ranks.
func (h *ranks) Len() int { return len(h.all) }

// Less puts the last on top.
func (h *ranks) Less(i, j int) bool { return h.all[i].compare(h.all[j], h.descending) > 0 }

// Swap swaps two ranks.
func (h *ranks) Swap(i, j int) { h.all[i], h.all[j] = h.all[j], h.all[i] }

// Push adds a rank at the end.
func (h *ranks) Push(x any) {
	if r, ok := x.(rank); ok {
		h.all = append(h.all, r)
	}
}

// Pop takes the rank at the end away.
func (h *ranks) Pop() any {
	last := h.all[len(h.all)-1]
	h.all = h.all[:len(h.all)-1]
	return last
}

// offer takes r if it is among the first limit.
func (h *ranks) offer(r rank, limit int) {
	if len(h.all) < limit {
		heap.Push(h, r)
		return
	}
	if r.compare(h.all[0], h.descending) < 0 {
		h.all[0] = r
		heap.Fix(h, 0)
	}
}

// cursor writes r as text that is safe in a URL. An int64 stands as text there, because JSON's readers lose digits of large numbers.
func (r rank) cursor() string {
	if i, ok := r.Value.(int64); ok {
		r.Value = map[string]string{"int": fmt.Sprint(i)}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readCursor reads q.After; nil: from the beginning.
func readCursor(q Query) (*rank, error) {
	if q.After == "" {
		return nil, nil
	}
	bad := fmt.Errorf("cursor %.60q is none of ours: %w", q.After, fettle.ErrInvalid)
	text, err := base64.RawURLEncoding.DecodeString(q.After)
	if err != nil {
		return nil, bad
	}
	var r rank
	if err := json.Unmarshal(text, &r); err != nil || r.ID == "" {
		return nil, bad
	}
	if m, ok := r.Value.(map[string]any); ok {
		var i int64
		if _, err := fmt.Sscan(fmt.Sprint(m["int"]), &i); err != nil {
			return nil, bad
		}
		r.Value = i
	}
	return &r, nil
}
