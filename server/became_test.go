package server

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// change has a node publish other facts.
func (f *fleet) change(node fettle.NodeID, facts string) {
	f.t.Helper()
	doc, err := wire.Canonical([]byte(facts))
	if err != nil {
		f.t.Fatal(err)
	}
	f.say(node, wire.TypeFacts, wire.Facts{Session: session, Seq: f.next(node), Full: doc.Raw, Hash: doc.Hash})
}

func TestBecameTrueSince(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	start := fettle.MillisOf(f.clock.Now())
	f.join("turned", `{"v":1,"due":"2030-01-01T00:00:00Z"}`)
	f.join("always", `{"v":2,"due":"2030-01-01T00:00:00Z"}`)
	f.join("lacked", `{"due":"2030-01-01T00:00:00Z"}`)
	f.join("turned-back", `{"v":2}`)
	f.join("other", `{"v":2,"w":1}`)
	f.clock.add(time.Hour)
	before := fettle.MillisOf(f.clock.Now())
	f.clock.add(time.Hour)
	f.change("turned", `{"v":2,"due":"2030-01-01T00:00:00Z"}`)
	f.change("lacked", `{"v":2}`)
	f.change("turned-back", `{"v":1}`)
	f.change("other", `{"v":2,"w":2}`)
	f.clock.add(time.Hour)
	between := fettle.MillisOf(f.clock.Now())
	f.clock.add(time.Hour)
	f.join("new", `{"v":2}`)
	f.join("new-and-not", `{"v":1}`)

	find := func(q FindQuery) ([]fettle.NodeID, error) {
		var ids []fettle.NodeID
		for {
			a, err := f.Find(t.Context(), q)
			if err != nil {
				return nil, err
			}
			for _, n := range a.Nodes {
				ids = append(ids, n.Identity)
			}
			if q.Cursor = a.Next; q.Cursor == "" {
				if a.Matched != len(ids) {
					t.Errorf("%d matched, and %d are listed", a.Matched, len(ids))
				}
				return ids, nil
			}
		}
	}
	for about, c := range map[string]struct {
		q    FindQuery
		want []fettle.NodeID
	}{
		"since a moment":              {FindQuery{Selection: Selection{Where: "facts.v == 2"}, BecameTrueSince: before}, []fettle.NodeID{"lacked", "new", "turned"}},
		"page by page":                {FindQuery{Selection: Selection{Where: "facts.v == 2"}, BecameTrueSince: before, Limit: 1}, []fettle.NodeID{"lacked", "new", "turned"}},
		"since a later one":           {FindQuery{Selection: Selection{Where: "facts.v == 2"}, BecameTrueSince: between}, []fettle.NodeID{"new"}},
		"up to another moment":        {FindQuery{Selection: Selection{Where: "facts.v == 2", AsOf: between}, BecameTrueSince: before}, []fettle.NodeID{"lacked", "turned"}},
		"since before there were any": {FindQuery{Selection: Selection{Where: "facts.v == 2"}, BecameTrueSince: start - 1}, []fettle.NodeID{"always", "lacked", "new", "other", "turned"}},
		"a negation":                  {FindQuery{Selection: Selection{Where: "facts.v != 2"}, BecameTrueSince: before}, []fettle.NodeID{"new-and-not", "turned-back"}},
		"by the clock": {
			FindQuery{Selection: Selection{Where: fettle.Filter(fmt.Sprintf(`timestamp(facts.due) > now && now > timestamp(%q)`, between.Time().Format(time.RFC3339)))}, BecameTrueSince: before},
			[]fettle.NodeID{"always", "turned"},
		},
	} {
		t.Run(about, func(t *testing.T) {
			got, err := find(c.q)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
	for about, q := range map[string]FindQuery{
		"every node":               {Selection: Selection{All: true}, BecameTrueSince: before},
		"the future":               {Selection: Selection{Where: "facts.v == 2"}, BecameTrueSince: fettle.MillisOf(f.clock.Now()).Add(time.Hour)},
		"after what it is about":   {Selection: Selection{Where: "facts.v == 2", AsOf: before}, BecameTrueSince: between},
		"what is not remembered":   {Selection: Selection{Where: `liveness == "alive"`}, BecameTrueSince: before},
		"checks have no past, too": {Selection: Selection{Where: `checks.check_load.status == "ok"`}, BecameTrueSince: before},
	} {
		if _, err := find(q); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: %v", about, err)
		}
	}
}
