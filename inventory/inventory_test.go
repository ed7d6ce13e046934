package inventory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
)

// fleet gives an inventory of five nodes.
func fleet(t *testing.T) *inventory.Inventory {
	t.Helper()
	v := inventory.New()
	for i, facts := range []string{
		`{"env":"prod","n":1,"os":{"family":"Debian"}}`,
		`{"env":"prod","n":10,"os":{"family":"RedHat"}}`,
		`{"env":"dev","n":9.5,"os":{"family":"Debian"}}`,
		`{"n":"x","os":"odd"}`,
		`{"env":"prod","n":10}`,
	} {
		put(t, v, fettle.Node{
			Identity: fettle.NodeID(fmt.Sprintf("n%d", i+1)), Facts: json.RawMessage(facts), Classes: []string{"base"}, Commands: []string{"check_load"},
			Liveness: fettle.Alive, Seen: 1000,
		})
	}
	return v
}

func put(t *testing.T, v *inventory.Inventory, n fettle.Node) {
	t.Helper()
	if err := v.Put(n); err != nil {
		t.Fatal(err)
	}
}

func compile(t *testing.T, text fettle.Filter) *filter.Program {
	t.Helper()
	p, err := filter.Compile(filter.Node, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ids(a inventory.Answer) (out []fettle.NodeID) {
	for _, r := range a.Rows {
		out = append(out, r.Node.Identity)
	}
	return out
}

func ask(t *testing.T, v *inventory.Inventory, q inventory.Query) inventory.Answer {
	t.Helper()
	a, err := v.Query(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestQuery(t *testing.T) {
	v := fleet(t)
	t.Run("it counts what matches and what is undefined, and why", func(t *testing.T) {
		a := ask(t, v, inventory.Query{Program: compile(t, `facts.env == "prod" && facts.n > 5`), Limit: -1})
		if a.Matched != 2 || a.Undefined != 1 || a.UndefinedBy["facts.env"] != 1 || a.UndefinedBy["facts.n > 5: no > for string and int"] != 1 {
			t.Errorf("got %+v", a)
		}
		if d := cmp.Diff([]fettle.NodeID{"n2", "n5"}, ids(a)); d != "" {
			t.Error(d)
		}
	})
	t.Run("pages by identity follow one another", func(t *testing.T) {
		var got []fettle.NodeID
		q := inventory.Query{Limit: 2}
		for range 3 {
			a := ask(t, v, q)
			if a.Matched != 5 {
				t.Fatalf("matched %d on a page, want 5", a.Matched)
			}
			got = append(got, ids(a)...)
			q.After = a.Next
		}
		if d := cmp.Diff([]fettle.NodeID{"n1", "n2", "n3", "n4", "n5"}, got); d != "" || q.After != "" {
			t.Error(d, q.After)
		}
	})
	t.Run("pages by a fact follow one another, equals by identity, those without it last", func(t *testing.T) {
		for _, c := range []struct {
			descending bool
			want       []fettle.NodeID
		}{{false, []fettle.NodeID{"n1", "n3", "n2", "n5", "n4"}}, {true, []fettle.NodeID{"n4", "n5", "n2", "n3", "n1"}}} {
			var got []fettle.NodeID
			q := inventory.Query{Limit: 1, Sort: fettle.Path{"n"}, Descending: c.descending}
			for range 5 {
				a := ask(t, v, q)
				got = append(got, ids(a)...)
				q.After = a.Next
			}
			if d := cmp.Diff(c.want, got); d != "" || q.After != "" {
				t.Error(d, q.After)
			}
		}
	})
	t.Run("a cursor of another kind is refused", func(t *testing.T) {
		if _, err := v.Query(t.Context(), inventory.Query{Limit: 1, After: "!"}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("columns are evaluated, and undefined ones are empty", func(t *testing.T) {
		c, err := filter.CompileColumn(filter.Node, `facts.n * 2`)
		if err != nil {
			t.Fatal(err)
		}
		a := ask(t, v, inventory.Query{Program: compile(t, `identity in ["n1", "n4"]`), Limit: -1, Columns: []*filter.Program{c}})
		if d := cmp.Diff([]any{int64(2)}, a.Rows[0].Columns); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff([]any{nil}, a.Rows[1].Columns); d != "" {
			t.Error(d)
		}
	})
	t.Run("a cancelled question ends with the context's error", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := v.Query(ctx, inventory.Query{Limit: 1}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestValuesAndPaths(t *testing.T) {
	v := fleet(t)
	a, err := v.Values(t.Context(), fettle.Path{"env"}, inventory.Query{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"path":"env","missing":1,"values":[{"value":"prod","count":3},{"value":"dev","count":1}]}`; string(text) != want {
		t.Errorf("got %s", text)
	}
	paths, err := v.Paths(t.Context(), inventory.Query{Program: compile(t, `identity != "n4"`)})
	if err != nil {
		t.Fatal(err)
	}
	want := []inventory.PathInfo{{"env", "string", 4, 2}, {"n", "mixed", 4, 3}, {"os.family", "string", 3, 2}}
	if d := cmp.Diff(want, paths); d != "" {
		t.Error(d)
	}
}

func TestUnknownPath(t *testing.T) {
	v := fleet(t)
	got := v.Unknown(compile(t, `facts.os.famly == "Debian" && has(facts.os)`))
	if len(got) != 1 || got[0].String() != "no node has facts.os.famly; did you mean facts.os.family?" {
		t.Errorf("got %v", got)
	}
	v.Remove("n1")
	v.Remove("n2")
	v.Remove("n3")
	if got := v.Unknown(compile(t, `facts.os.family == "Debian"`)); len(got) != 1 {
		t.Errorf("a path that went with its last node is still known: %v", got)
	}
}

func TestChange(t *testing.T) {
	v := fleet(t)
	if !v.Touch("n1", fettle.Silent, 5000) || v.Touch("nobody", fettle.Alive, 1) {
		t.Error("Touch tells whether there is such a node")
	}
	if d := cmp.Diff(inventory.Counts{Total: 5, Alive: 4, Silent: 1}, v.Counts()); d != "" {
		t.Error(d)
	}
	v.SetCheck(fettle.CheckState{Node: "n2", Check: "check_load", Status: fettle.CheckCritical, Since: 7})
	a := ask(t, v, inventory.Query{Program: compile(t, `checks.check_load.status == "critical"`), Limit: -1})
	if a.Matched != 1 || a.Undefined != 4 {
		t.Errorf("got %+v", a)
	}
	n, _ := v.Get("n2")
	n.Facts = json.RawMessage(`{"env":"new"}`)
	put(t, v, n)
	if a := ask(t, v, inventory.Query{Program: compile(t, `facts.env == "new" && checks.check_load.status == "critical"`)}); a.Matched != 1 {
		t.Errorf("new facts cost the node its check states: %+v", a)
	}
	n.Facts = json.RawMessage(`[1]`)
	if err := v.Put(n); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("a list as facts gave %v", err)
	}
	if got := v.Offering("check_load"); len(got) != 5 || len(v.Offering("nope")) != 0 {
		t.Errorf("offering: %v", got)
	}
}

func TestExplain(t *testing.T) {
	v := fleet(t)
	x, err := v.Explain(t.Context(), inventory.Query{Program: compile(t, `facts.env == "prod" && !(facts.n > 5)`)}, "n2")
	if err != nil {
		t.Fatal(err)
	}
	if x.Matched != 1 || x.Undefined != 1 || x.Clause.Kids[0].True != 3 || x.Clause.Kids[1].Kids[0].True != 3 {
		t.Errorf("got %+v", x)
	}
	if d := cmp.Diff([]string{"!(facts.n > 5)"}, x.Node.KeptOut); d != "" {
		t.Error(d)
	}
	x, err = v.Explain(t.Context(), inventory.Query{Program: compile(t, `facts.env == "prod" && facts.n > size(identity)`)}, "")
	if err != nil {
		t.Fatal(err)
	}
	if env, sum := x.Clause.Kids[0], x.Clause.Kids[1]; env.Index != "facts.env" || sum.Index != "" || sum.How != "scan" || sum.Asked != env.True+env.Undefined {
		t.Errorf("which index, and what is left for the scan: got %+v", x.Clause)
	}
	if _, err := v.Explain(t.Context(), inventory.Query{Program: compile(t, `true`)}, "nobody"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("an unknown node gave %v", err)
	}
}

// TestCorpus asks the inventory what filter/testdata/corpus.json asks of a program.
func TestCorpus(t *testing.T) {
	text, err := os.ReadFile("../filter/testdata/corpus.json")
	if err != nil {
		t.Fatal(err)
	}
	var corpus struct {
		Nodes map[string]struct {
			fettle.Node
			Now    fettle.Millis
			Checks map[string]fettle.CheckState
		}
		Cases []struct {
			Filter fettle.Filter
			Want   map[string]string
		}
	}
	if err := json.Unmarshal(text, &corpus); err != nil {
		t.Fatal(err)
	}
	v := inventory.New()
	names := map[string]fettle.NodeID{}
	for name, n := range corpus.Nodes {
		names[name] = n.Identity
		put(t, v, n.Node)
		for check, s := range n.Checks {
			s.Node, s.Check = n.Identity, check
			v.SetCheck(s)
		}
	}
	for _, c := range corpus.Cases {
		p := compile(t, c.Filter)
		roster, err := v.Roster(t.Context(), inventory.Query{Program: p, Now: 1763700600000})
		if err != nil {
			t.Fatal(err)
		}
		for node, want := range c.Want {
			truth, _, err := v.Match(t.Context(), p, names[node], 1763700600000)
			if err != nil || truth.String() != want {
				t.Errorf("%s for %s: %v %v, want %s", c.Filter, node, truth, err, want)
			}
			in := false
			for _, id := range roster.Nodes {
				in = in || id == names[node]
			}
			if in != (want == "true") {
				t.Errorf("%s: the roster is wrong about %s", c.Filter, node)
			}
		}
	}
}
