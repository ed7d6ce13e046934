package inventory_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/inventory"
)

func TestKeep(t *testing.T) {
	v := fleet(t)
	wanted := func(id fettle.NodeID) bool { return id != "n2" }
	for about, c := range map[string]struct {
		q    inventory.Query
		want []fettle.NodeID
	}{
		"a filter":       {inventory.Query{Program: compile(t, `facts.env == "prod"`)}, []fettle.NodeID{"n1", "n5"}},
		"every node":     {inventory.Query{}, []fettle.NodeID{"n1", "n3", "n4", "n5"}},
		"uncounted":      {inventory.Query{Uncounted: true}, []fettle.NodeID{"n1", "n3", "n4", "n5"}},
		"by a fact":      {inventory.Query{Sort: fettle.Path{"n"}, Descending: true}, []fettle.NodeID{"n4", "n5", "n3", "n1"}},
		"nobody is kept": {inventory.Query{Keep: func(fettle.NodeID) bool { return false }}, nil},
	} {
		t.Run(about, func(t *testing.T) {
			q := c.q
			if q.Limit = 10; q.Keep == nil {
				q.Keep = wanted
			}
			a := ask(t, v, q)
			if a.Matched != len(c.want) || !cmp.Equal(ids(a), c.want) {
				t.Errorf("%d matched: %v, want %v", a.Matched, ids(a), c.want)
			}
		})
	}
	t.Run("pages are as long as they may be", func(t *testing.T) {
		q := inventory.Query{Limit: 2, Keep: wanted}
		first := ask(t, v, q)
		q.After = first.Next
		if second := ask(t, v, q); !cmp.Equal(append(ids(first), ids(second)...), []fettle.NodeID{"n1", "n3", "n4", "n5"}) || second.Next != "" {
			t.Errorf("%v, then %v %q", ids(first), ids(second), second.Next)
		}
	})
}
