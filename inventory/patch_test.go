package inventory_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/inventory"
)

func TestPatch(t *testing.T) {
	was := fettle.Node{
		Identity: "n1", Facts: json.RawMessage(`{"a":1,"o":{"k":"x"},"z":[1]}`), Hash: "before", Session: "s", Seq: 4, Rev: 2, Liveness: fettle.Silent, Seen: 10, FactsAt: 10, Enrolled: 1,
		Classes: []string{"web"}, Commands: []string{"check_load"}, Agent: fettle.AgentInfo{Version: "1", Plugins: map[string]string{"p": "1"}},
		Pools: []string{"linux"}, Labels: map[string]string{"site": "fra"},
	}
	set := func(value string, path ...string) inventory.Change {
		return inventory.Change{Path: path, Value: json.RawMessage(value)}
	}
	for about, c := range map[string]struct {
		node    func(*fettle.Node)
		changes []inventory.Change
		facts   string // after it; empty: it is not done
	}{
		"leaves, and all that goes with them": {func(n *fettle.Node) {
			n.Hash, n.Seq, n.Rev, n.Liveness, n.Seen, n.FactsAt = "after", 5, 3, fettle.Alive, 20, 20
		}, []inventory.Change{set("2", "a"), set(`["y"]`, "o", "k")}, `{"a":2,"o":{"k":["y"]},"z":[1]}`},
		"the last of two changes of one leaf": {nil, []inventory.Change{set("2", "a"), set("3", "a")}, `{"a":3,"o":{"k":"x"},"z":[1]}`},
		"no facts at all":                     {func(n *fettle.Node) { n.Seen = 30 }, nil, `{"a":1,"o":{"k":"x"},"z":[1]}`},
		"a fact that is not there":            {nil, []inventory.Change{set("2", "b")}, ""},
		"one of two that is not there":        {nil, []inventory.Change{set("2", "a"), set("2", "b")}, ""},
		"an object becomes a leaf":            {nil, []inventory.Change{set("2", "o")}, ""},
		"a leaf becomes an object":            {nil, []inventory.Change{set("{}", "a")}, ""},
		"another session":                     {func(n *fettle.Node) { n.Session = "t" }, nil, ""},
		"other classes":                       {func(n *fettle.Node) { n.Classes = nil }, nil, ""},
		"other commands":                      {func(n *fettle.Node) { n.Commands = []string{"check_disk"} }, nil, ""},
		"another agent":                       {func(n *fettle.Node) { n.Agent.Plugins = nil }, nil, ""},
		"other pools":                         {func(n *fettle.Node) { n.Pools = nil }, nil, ""},
		"other labels":                        {func(n *fettle.Node) { n.Labels = nil }, nil, ""},
		"another node":                        {func(n *fettle.Node) { n.Identity = "n2" }, nil, ""},
	} {
		t.Run(about, func(t *testing.T) {
			v, want := inventory.New(), was
			put(t, v, was)
			if c.node != nil {
				c.node(&want)
			}
			done, err := v.Patch(want, c.changes)
			if err != nil || done != (c.facts != "") {
				t.Fatalf("done: %v, %v", done, err)
			}
			want.Facts = json.RawMessage(c.facts)
			if !done {
				want = was
			}
			if got, _ := v.Get("n1"); !cmp.Equal(want, got) {
				t.Error(cmp.Diff(want, got))
			}
		})
	}
}
