package filter_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

func compile(t testing.TB, text string) *filter.Program {
	t.Helper()
	p, err := filter.Compile(filter.Node, fettle.Filter(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func document(t testing.TB, text string) *filter.Document {
	t.Helper()
	d, err := filter.ParseDocument([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestReads(t *testing.T) {
	for text, want := range map[string]string{
		`facts.a.b == 1 && has(facts.c) && "x" in classes`:         `facts.a.b ?facts.c classes`,
		`facts.m["/boot"].size > facts.?n.orValue(3)`:              `facts.m."/boot".size ?facts.n`,
		`facts.l.exists(x, x == identity)`:                         `facts.l identity`,
		`classes.exists(facts, facts.startsWith("a"))`:             `classes`,
		`facts[identity] == 1`:                                     `facts identity`,
		`now - seen > duration("1m") || checks.load.status == "x"`: `now seen checks.load.status`,
	} {
		var got []string
		p := compile(t, text)
		for _, r := range p.Reads() {
			s := r.String()
			if r.Soft {
				s = "?" + s
			}
			got = append(got, s)
		}
		if d := cmp.Diff(want, strings.Join(got, " ")); d != "" {
			t.Errorf("%s\n%s", text, d)
		}
	}
	p := compile(t, `now > seen && checks.load.status == "ok" && checks.disk.since < now`)
	if names, all := p.Reads().Checks(); !p.Reads().Restless() || all || cmp.Diff([]string{"load", "disk"}, names) != "" {
		t.Errorf("checks %v %v", names, all)
	}
	if _, all := compile(t, `checks.exists(c, checks[c].status == "ok")`).Reads().Checks(); !all {
		t.Error("a filter over all checks does not say so")
	}
}

// TestAtomByValue shows that an atom over one path gives for a value what it gives for any node that has that value there.
func TestAtomByValue(t *testing.T) {
	docs := []string{
		`{}`, `{"a":1}`, `{"a":null}`, `{"a":[1]}`, `{"a":{}}`, `{"a":{"b":1},"z":1}`, `{"a":{"b":"x"}}`, `{"a":{"b":2.5}}`, `{"a":{"b":null}}`, `{"a":{"b":true}}`,
		`{"a":{"b":[1,"x"]}}`, `{"a":{"b":{"c":1}}}`, `{"a":{"b":{}}}`,
	}
	for _, text := range []string{
		`facts.a.b == 1`, `facts.a.b > 0`, `facts.a.b`, `has(facts.a.b)`, `facts.?a.?b.orValue(7) == 7`, `facts.a.?b.hasValue()`, `facts["a"].b != "x"`, `size(facts.a.b) == 1`,
		`facts.a.b in [1, "x"]`, `[1, 2].exists(i, i == facts.a.b)`, `facts.a.b == 1 ? true : facts.a.b == "x"`, `type(facts.a.b) == int`, `has(facts.a.b) ? facts.a.b == 1 : true`,
	} {
		p := compile(t, text)
		a := p.Tree().Atom
		if p.Tree().Op != filter.Leaf {
			t.Fatalf("%s is no single atom", text)
		}
		name, path, ok := a.Single()
		if name != "facts" || !ok || path.String() != "a.b" {
			t.Fatalf("%s reads %s %v %v", text, name, path, ok)
		}
		for _, doc := range docs {
			d := document(t, doc)
			want := a.Match(t.Context(), &filter.Record{Facts: d})
			if got := byValue(t, a, d); got != want {
				t.Errorf("%s of %s: %v by its value, %v by the document", text, doc, got, want)
			}
		}
	}
}

// byValue decides an atom over facts.a.b as a planner does.
func byValue(t *testing.T, a *filter.Atom, d *filter.Document) filter.Truth {
	v, ok := d.Get("a")
	if !ok {
		return a.Match(t.Context(), a.Without(0))
	}
	inner, ok := v.(filter.Object)
	if !ok {
		return a.Match(t.Context(), a.Blocked(1, v))
	}
	if v, ok = inner.Get("b"); !ok {
		return a.Match(t.Context(), a.Without(1))
	}
	return a.Match(t.Context(), a.With(v))
}

func TestCostIsBounded(t *testing.T) {
	big := `{"l":[` + strings.TrimSuffix(strings.Repeat(`"x",`, 2000), ",") + `],"s":"` + strings.Repeat("a", 500_000) + `"}`
	rec := &filter.Record{Facts: document(t, big)}
	for _, text := range []string{
		`facts.l.exists(a, facts.l.exists(b, a != b))`,
		`facts.s.replace("a", "` + strings.Repeat("b", 1000) + `") == "x"`,
		`[facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s, facts.s].join() == "x"`,
		`regex.replace(facts.s, "a", "` + strings.Repeat("b", 1000) + `") == "x"`,
		`(facts.s` + strings.Repeat(" + facts.s", 200) + `) == "x"`,
		`lists.range(1000000).size() == 1`,
	} {
		truth, missing := compile(t, text).Match(t.Context(), rec)
		if truth != filter.Undefined || len(missing) != 1 || missing[0].Fault == "" {
			t.Errorf("%.60s: %v %v", text, truth, missing)
		}
	}
}

func TestMatchEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec := &filter.Record{Facts: document(t, `{"l":[`+strings.TrimSuffix(strings.Repeat(`1,`, 5000), ",")+`]}`)}
	if truth, _ := compile(t, `facts.l.all(a, a == 1)`).Match(ctx, rec); truth != filter.Undefined {
		t.Errorf("a cancelled match is %v", truth)
	}
}

func TestMatchConcurrently(t *testing.T) {
	p := compile(t, `facts.a > "x" || facts.b.exists(x, x > 1) || version(facts.c) > version("1.2")`)
	docs := []string{`{"a":1}`, `{"a":"y"}`, `{"b":["q"]}`, `{"c":"1.3","b":[1,2]}`, `{}`}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				p.Match(t.Context(), &filter.Record{Facts: document(t, docs[i%len(docs)])})
			}
		})
	}
	wg.Wait()
}

func TestColumn(t *testing.T) {
	rec := &filter.Record{Identity: "a", Facts: document(t, `{"n":3,"o":{"k":[1,2.5,null]},"s":"x"}`), Now: 1000}
	for text, want := range map[string]any{
		`facts.n * 2`: int64(6), `facts.o`: map[string]any{"k": []any{int64(1), 2.5, nil}}, `facts.s + identity`: "xa", `facts.n > 2 && facts.s == "x"`: true,
		`version("1.2")`: "1.2", `[facts.n]`: []any{int64(3)}, `{"a": facts.n}`: map[string]any{"a": int64(3)}, `facts.?q`: nil, `duration("90s")`: "1m30s",
	} {
		p, err := filter.CompileColumn(filter.Node, fettle.Filter(text))
		if err != nil {
			t.Fatal(err)
		}
		got, _, ok := p.Value(t.Context(), rec)
		if d := cmp.Diff(want, got); d != "" || !ok {
			t.Errorf("%s: %v %s", text, ok, d)
		}
	}
	p, err := filter.CompileColumn(filter.Node, `facts.q`)
	if err != nil {
		t.Fatal(err)
	}
	if _, missing, ok := p.Value(t.Context(), rec); ok || len(missing) != 1 || missing[0].Path != "facts.q" {
		t.Errorf("a missing fact gave %v %v", missing, ok)
	}
}

func TestOtherEnvironments(t *testing.T) {
	match := func(env filter.Environment, text string, rec filter.Record) filter.Truth {
		p, err := filter.Compile(env, fettle.Filter(text))
		if err != nil {
			t.Fatal(err)
		}
		truth, _ := p.Match(t.Context(), &rec)
		return truth
	}
	tally := map[string]any{}
	for i, name := range filter.TallyNames() {
		tally[name] = float64(i)
	}
	for text, want := range map[string]filter.Truth{
		`critical > 2 && double(unknown) / double(total + 1) < 5.0`: filter.True,
		`critical > 0.5 * unknown`:                                  filter.True,
		`critical > 0.8 * unknown || silent > 5`:                    filter.False,
		`critical * 10 > unknown * 7 && critical == 3`:              filter.True,
		`critical / unknown >= 0.75`:                                filter.True, // not a whole number
	} {
		if got := match(filter.Tally, text, filter.Record{Vars: tally}); got != want {
			t.Errorf("tally: %s is %v", text, got)
		}
	}
	policy := filter.Record{Facts: document(t, `{"env":"dev"}`), Vars: map[string]any{
		"user": map[string]any{"name": "ann", "roles": []any{"release"}}, "action": "service.restart", "inputs": map[string]any{"name": "httpd"},
	}}
	if got := match(filter.Policy, `"release" in user.roles && action.startsWith("service.") && inputs.name == "httpd" && facts.env != "prod"`, policy); got != filter.True {
		t.Errorf("policy: %v", got)
	}
	condition := filter.Record{Vars: map[string]any{"context": map[string]any{"n": json.Number("1")}, "steps": map[string]any{"build": map[string]any{"status": int64(0)}}}}
	if got := match(filter.Condition, `steps.build.status == 0`, condition); got != filter.True {
		t.Errorf("condition: %v", got)
	}
}

func TestClassAtoms(t *testing.T) {
	for text, want := range map[string]filter.Op{
		`classes.exists(c, c.matches("^db"))`: filter.Or, `classes.all(c, c != "x")`: filter.And, `classes.exists_one(c, c == "x")`: filter.Leaf,
		`classes.exists(c, c == identity)`: filter.Leaf, `classes.map(c, c).exists(c, c == "x")`: filter.Leaf, `classes.exists(c, c in classes)`: filter.Leaf,
	} {
		if op, _ := compile(t, text).Tree().Atom.PerClass(); op != want {
			t.Errorf("%s is %v per class, want %v", text, op, want)
		}
	}
	if class, ok := compile(t, `"a::b" in classes`).Tree().Atom.ClassMember(); !ok || class != "a::b" {
		t.Errorf("the class is %q %v", class, ok)
	}
	if _, ok := compile(t, `identity in classes`).Tree().Atom.ClassMember(); ok {
		t.Error("an identity is taken for a constant")
	}
}
