package inventory

import (
	"cmp"
	"context"
	"slices"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// ValuesAnswer is the values of a fact over the nodes that a filter matches, the most frequent first.
type ValuesAnswer struct {
	Path    string       `json:"path"`    // as fettle.ParsePath reads it
	Missing int          `json:"missing"` // matching nodes that do not have it
	Values  []ValueCount `json:"values"`
	More    int          `json:"more,omitempty"` // values left off because of Query.Limit
}

// ValueCount is one value and how many nodes have it.
type ValueCount struct {
	Value any `json:"value"` // plain Go values
	Count int `json:"count"`
}

// Values counts the values that a path has on the nodes that match q.Program. A q.Limit above zero bounds the number of values.
func (v *Inventory) Values(ctx context.Context, path fettle.Path, q Query) (ValuesAnswer, error) {
	a := ValuesAnswer{Path: path.String(), Values: []ValueCount{}}
	counts := map[string]*ValueCount{}
	err := v.each(ctx, q, func(m match) {
		if m.truth != filter.True {
			return
		}
		value, ok := at(m.record.Facts, path)
		if !ok {
			a.Missing++
			return
		}
		key := valueKey(value)
		if counts[key] == nil {
			counts[key] = &ValueCount{Value: filter.Plain(value)}
		}
		counts[key].Count++
	})
	if err != nil {
		return ValuesAnswer{}, err
	}
	for _, c := range counts {
		a.Values = append(a.Values, *c)
	}
	slices.SortFunc(a.Values, func(x, y ValueCount) int {
		if c := cmp.Compare(y.Count, x.Count); c != 0 {
			return c
		}
		if c := compareValues(x.Value, y.Value); c != 0 {
			return c
		}
		return cmp.Compare(valueKey(x.Value), valueKey(y.Value))
	})
	if q.Limit > 0 && len(a.Values) > q.Limit {
		a.More = len(a.Values) - q.Limit
		a.Values = a.Values[:q.Limit]
	}
	return a, nil
}

// at gives the value at a path of o.
func at(o filter.Object, path fettle.Path) (any, bool) {
	var value any = o
	for _, k := range path {
		inner, ok := value.(filter.Object)
		if !ok {
			return nil, false
		}
		if value, ok = inner.Get(k); !ok {
			return nil, false
		}
	}
	return value, true
}
