package emulate

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle/plugins"
)

// What is made up has the types that the action declares, so that summaries and tables are those of real nodes.
func TestWhatIsInventedFitsTheAction(t *testing.T) {
	told := map[string]int{}
	for _, action := range plugins.Builtin() {
		g := plugins.NewAggregates(action)
		for i := range 50 {
			m := &machine{seed: 1, number: i}
			_, data := m.invent(action, map[string]any{"name": "nginx"})
			_, again := m.invent(action, map[string]any{"name": "nginx"})
			if diff := cmp.Diff(data, again); diff != "" {
				t.Fatalf("%s: another answer the second time:\n%s", action.Name, diff)
			}
			for name, value := range data {
				o, declared := action.Output(name)
				_, isInt := value.(int64)
				_, isBool := value.(bool)
				if !declared || (o.Type == plugins.Int) != isInt || (o.Type == plugins.Bool) != isBool {
					t.Fatalf("%s: %s is %v", action.Name, name, value)
				}
			}
			g.Add(data)
		}
		for _, sum := range g.All() {
			if sum.Nodes != 50 {
				t.Errorf("%s: only %d nodes have %s", action.Name, sum.Nodes, sum.Output)
			}
			told[action.Name]++
		}
	}
	for _, name := range []string{"package.checkupdates", "package.install", "service.status", "service.restart"} {
		if told[name] == 0 {
			t.Errorf("%s has nothing to sum up", name)
		}
	}
}
