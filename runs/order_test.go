package runs

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	fettle "github.com/fettle-dev/fettle"
)

func ids(text string) (out []fettle.NodeID) {
	for _, word := range strings.Fields(text) {
		out = append(out, fettle.NodeID(word))
	}
	return out
}

func TestOrder(t *testing.T) {
	racks := map[fettle.NodeID]any{"a": "r1", "b": "r1", "c": "r1", "d": "r2", "e": "r2", "f": nil}
	sizes := map[fettle.NodeID]any{"a": int64(8), "b": 2.5, "c": "large", "d": int64(10), "e": nil, "f": int64(1)}
	of := func(m map[fettle.NodeID]any) Value { return func(id fettle.NodeID) any { return m[id] } }
	for _, c := range []struct {
		name string
		pace fettle.Pace
		want string
	}{
		{"by identity", fettle.Pace{}, "a b c d e f"},
		{"by a fact: numbers, text, nothing", fettle.Pace{Order: "facts.size"}, "f b a d c e"},
		{"the first", fettle.Pace{Limit: "2"}, "a b"},
		{"a part, rounded up", fettle.Pace{Limit: "20%"}, "a b"},
		{"more than there are", fettle.Pace{Limit: "20"}, "a b c d e f"},
		{"round robin by rack", fettle.Pace{SpreadBy: "facts.rack"}, "a d f b e c"},
		{"the first of each rack", fettle.Pace{SpreadBy: "facts.rack", Limit: "3"}, "a d f"},
		{"drawn, in their order", fettle.Pace{Limit: "3", LimitRandom: true, Seed: 7}, "a c d"},
		{"drawn by another seed", fettle.Pace{Limit: "3", LimitRandom: true, Seed: 8}, "b e f"},
		{"shuffled", fettle.Pace{Order: Random, Seed: 7}, "d c a e f b"},
	} {
		got, err := Order(ids("f e d c b a"), c.pace, of(sizes), of(racks))
		if diff := cmp.Diff(ids(c.want), got); err != nil || diff != "" {
			t.Errorf("%s: %v %s", c.name, err, diff)
		}
	}
}

func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := rapid.SliceOfNDistinct(rapid.StringMatching("[a-z]{1,4}"), 0, 50, rapid.ID).Draw(t, "nodes")
		fact := func(id fettle.NodeID) any { return string(id[0]) }
		pace := fettle.Pace{
			Order: rapid.SampledFrom([]string{"", ByIdentity, Random, "x"}).Draw(t, "order"), SpreadBy: rapid.SampledFrom([]string{"", "x"}).Draw(t, "spread"),
			Limit: rapid.SampledFrom([]fettle.Share{"", "5", "30%"}).Draw(t, "limit"), LimitRandom: rapid.Bool().Draw(t, "random"), Seed: rapid.Int64().Draw(t, "seed"),
		}
		roster := make([]fettle.NodeID, len(nodes))
		for i, id := range nodes {
			roster[i] = fettle.NodeID(id)
		}
		got, err := Order(roster, pace, fact, fact)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(roster)
		again, _ := Order(roster, pace, fact, fact)
		if diff := cmp.Diff(got, again); diff != "" {
			t.Fatalf("the same gave another order: %s", diff)
		}
		seen := map[fettle.NodeID]bool{}
		for _, id := range got {
			if seen[id] || !slices.Contains(roster, id) {
				t.Fatalf("%s stands there twice, or is not of the roster", id)
			}
			seen[id] = true
		}
		if pace.Limit == "" && len(got) != len(roster) {
			t.Fatalf("%d of %d", len(got), len(roster))
		}
	})
}
