package inventory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// ValuesAnswer is the values of a fact over the nodes that a filter matches, the most frequent first.
type ValuesAnswer struct {
	Path    string       `json:"path"`    // as fettle.ParsePath reads it
	Missing int          `json:"missing"` // matching nodes that do not have it
	Values  []ValueCount `json:"values"`
	More    int          `json:"more,omitempty"`    // values left off because of Query.Limit
	Numbers *Numbers     `json:"numbers,omitempty"` // of the values that are numbers; nil: there are none
}

// ValueCount is one value and how many nodes have it.
type ValueCount struct {
	Value any          `json:"value"` // plain Go values
	Count int          `json:"count"`
	By    []ValueCount `json:"by,omitempty"` // the values of a second fact on these nodes; null where it is missing
}

// Numbers sums up the values that are numbers.
type Numbers struct {
	Count int     `json:"count"`
	Min   float64 `json:"min"`
	P50   float64 `json:"p50"` // the smallest value that half of the nodes do not exceed
	P95   float64 `json:"p95"`
	Max   float64 `json:"max"`
	Sum   float64 `json:"sum"`
}

// Values counts the values that a path has on the nodes that match q.Program. A q.Limit above zero bounds the number of values.
func (v *Inventory) Values(ctx context.Context, path fettle.Path, q Query) (ValuesAnswer, error) {
	return v.values(ctx, path, nil, q)
}

// ValuesBy is Values, and gives for each value those of a second path.
func (v *Inventory) ValuesBy(ctx context.Context, path, by fettle.Path, q Query) (ValuesAnswer, error) {
	return v.values(ctx, path, by, q)
}

// facet counts the nodes that have a value, and those of them by a second.
type facet struct {
	value any
	count int
	by    map[value]*facet
}

func (v *Inventory) values(ctx context.Context, path, by fettle.Path, q Query) (ValuesAnswer, error) {
	h, err := v.ask(ctx, q, false)
	if err != nil {
		return ValuesAnswer{}, err
	}
	defer h.done()
	a := ValuesAnswer{Path: path.String()}
	all := map[value]*facet{}
	first, second := v.trie.find(path), v.trie.find(by)
	n := 0
	h.each(func(sh *shard, slot int) bool {
		x, plain := v.valueAt(sh, slot, first)
		if x.kind == absent {
			a.Missing++
		} else {
			f := facetOf(all, x, plain)
			if by != nil {
				y, plain := v.valueAt(sh, slot, second)
				if f.by == nil {
					f.by = map[value]*facet{}
				}
				facetOf(f.by, y, plain)
			}
		}
		n++
		return n&1023 != 0 || ctx.Err() == nil
	})
	if err := ctx.Err(); err != nil {
		return ValuesAnswer{}, fmt.Errorf("ask the inventory: %w", err)
	}
	a.Numbers = numbersOf(all)
	a.Values = countsOf(all)
	if q.Limit > 0 && len(a.Values) > q.Limit {
		a.More = len(a.Values) - q.Limit
		a.Values = a.Values[:q.Limit]
	}
	return a, nil
}

// facetOf counts one more node that has x.
func facetOf(all map[value]*facet, x value, plain any) *facet {
	f := all[x]
	if f == nil {
		if plain == nil {
			plain = filter.Plain(x.any())
		}
		f = &facet{value: plain}
		all[x.keep()] = f
	}
	f.count++
	return f
}

// valueAt gives what stands at a path; of an object its JSON, and the object.
func (v *Inventory) valueAt(sh *shard, slot int, n *pathNode) (value, any) {
	if n == nil {
		return value{}, nil
	}
	o := factObject{v.names(sh, slot, 0), n}
	if n.parent == nil {
		return value{kind: object, str: string(filter.AppendJSON(nil, o))}, filter.Plain(o)
	}
	x := sh.columns[n].get(slot)
	if x.kind == object {
		return value{kind: object, str: string(filter.AppendJSON(nil, o))}, filter.Plain(o)
	}
	return x, nil
}

// countsOf gives the facets, the most frequent first, and equals in the order of their values.
func countsOf(all map[value]*facet) []ValueCount {
	out := make([]ValueCount, 0, len(all))
	for _, f := range all {
		c := ValueCount{Value: f.value, Count: f.count}
		if f.by != nil {
			c.By = countsOf(f.by)
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y ValueCount) int {
		if c := cmp.Compare(y.Count, x.Count); c != 0 {
			return c
		}
		if c := compareValues(x.Value, y.Value); c != 0 {
			return c
		}
		return cmp.Compare(fmt.Sprint(x.Value), fmt.Sprint(y.Value))
	})
	return out
}

// numbersOf sums up the values that are numbers.
func numbersOf(all map[value]*facet) *Numbers {
	type weighted struct {
		x float64
		n int
	}
	var list []weighted
	out := &Numbers{}
	for _, f := range all {
		x := 0.0
		switch v := f.value.(type) {
		case int64:
			x = float64(v)
		case float64:
			x = v
		default:
			continue
		}
		list = append(list, weighted{x, f.count})
		out.Count += f.count
		out.Sum += x * float64(f.count)
	}
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b weighted) int { return cmp.Compare(a.x, b.x) })
	out.Min, out.Max = list[0].x, list[len(list)-1].x
	seen := 0
	for _, w := range list {
		before := seen
		seen += w.n
		if half := (out.Count + 1) / 2; before < half && half <= seen {
			out.P50 = w.x
		}
		if most := (out.Count*95 + 99) / 100; before < most && most <= seen {
			out.P95 = w.x
		}
	}
	return out
}
