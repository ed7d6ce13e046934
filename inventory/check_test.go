package inventory

import (
	"errors"
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
)

// TestPlacesRest shows that a node is not read in the place of another that was a hit and has gone.
func TestPlacesRest(t *testing.T) {
	v := New()
	put := func(id fettle.NodeID) {
		if err := v.Put(fettle.Node{Identity: id}); err != nil {
			t.Fatal(err)
		}
	}
	put("hit")
	h, err := v.ask(t.Context(), Query{}, false)
	if err != nil {
		t.Fatal(err)
	}
	defer h.done()
	v.Remove("hit")
	put("another")
	if found := v.sorted(h); len(found) != 0 {
		t.Errorf("found %v", found)
	}
	v.shards[0].free[0].at = time.Now().Add(-usual.rest)
	put("a third")
	if p := v.places["a third"]; p.slot != 0 || len(v.shards[0].free) != 0 {
		t.Errorf("a place that has rested is not taken: %+v", p)
	}
}

func TestEstimate(t *testing.T) {
	for about, c := range map[string]struct {
		q          question
		took       time.Duration
		done, todo int
		refused    bool
	}{
		"nothing is known yet":                          {question{ahead: 1e9}, 0, 0, 100, false},
		"little was spent, and says little of the rest": {question{seen: 64, ahead: 1e9}, 100 * time.Millisecond, 64, 64, false},
		"the rest is within it":                         {question{seen: 1000, ahead: 3000}, 200 * time.Millisecond, 1000, 1000, false},
		"the rest is not":                               {question{seen: 1000, ahead: 5000}, 200 * time.Millisecond, 1000, 1000, true},
		"other clauses leave few, and will go on to":    {question{seen: 100_000, ahead: 300_000}, 200 * time.Millisecond, 64, 64, false},
		"what was spent before counts":                  {question{spent: 200 * time.Millisecond, passes: 100, seen: 10_000, ahead: 60_000}, 0, 0, 0, true},
		"this pass goes on for longer than it may":      {question{seen: 2000}, 200 * time.Millisecond, 100, 2000, true},
		"the last of it, and just over":                 {question{spent: 900 * time.Millisecond, passes: 900, seen: 1000}, 150 * time.Millisecond, 100, 100, true},
		"without a budget":                              {question{budget: -1, seen: 1000, ahead: 1e9}, time.Hour, 1000, 1000, false},
	} {
		t.Run(about, func(t *testing.T) {
			q := c.q
			if q.ctx = t.Context(); q.budget == 0 {
				q.budget = time.Second
			}
			err := q.check(c.took, c.done, c.todo)
			if errors.Is(err, fettle.ErrUnavailable) != c.refused || q.refused != c.refused {
				t.Errorf("got %v", err)
			}
		})
	}
}
