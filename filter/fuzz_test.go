package filter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/cel-go/common/types"

	"github.com/fettle-dev/fettle"
)

const fuzzFacts = `{"env":"prod","n":5,"d":2.5,"big":9223372036854775807,"yes":true,"nul":null,"os":{"family":"Debian","release":{"major":"12"}},
	"m":{"/":{"size":1}},"l":[1,"two",3.5,{"k":"v"}],"ip":"10.1.2.3","v":"6.1.0-18"}`

// FuzzCompile takes any text for a filter: compiling never panics, a fault is invalid and has its place, and the tree's truth is that of cel-go
// for the expression as a whole.
func FuzzCompile(f *testing.F) {
	var corpus struct {
		Cases []struct{ Filter, Short string }
	}
	text, err := os.ReadFile("testdata/corpus.json")
	if err != nil {
		f.Fatal(err)
	}
	if err := json.Unmarshal(text, &corpus); err != nil {
		f.Fatal(err)
	}
	for _, c := range corpus.Cases {
		f.Add(c.Filter)
		f.Add(c.Short)
	}
	doc, err := ParseDocument([]byte(fuzzFacts))
	if err != nil {
		f.Fatal(err)
	}
	rec := &Record{Identity: "web1", Facts: doc, Classes: []string{"base", "web"}, Now: 1763700600000}
	f.Fuzz(func(t *testing.T, text string) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		p, err := Compile(Node, fettle.Filter(text))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || !errors.Is(err, fettle.ErrInvalid) || e.Error() == "" {
				t.Fatalf("%q: %v", text, err)
			}
			e.Suggest([]fettle.Path{{"os", "family"}, {"env"}})
			return
		}
		got, missing := p.Match(ctx, rec)
		if (got == Undefined) != (len(missing) > 0) {
			t.Errorf("%q: %v with the reasons %v", text, got, missing)
		}
		if want := whole(t, p, rec); got != want && !costly(p.ast.NativeRep().Expr()) {
			t.Errorf("%q: %v by the tree, %v by cel-go", text, got, want)
		}
	})
}

// whole evaluates the expression as cel-go does, without the tree.
func whole(t *testing.T, p *Program, rec *Record) Truth {
	prog, err := p.plan(p.ast.NativeRep().Expr())
	if err != nil {
		t.Fatal(err)
	}
	v, _, err := prog.Eval(activation{rec})
	switch {
	case err != nil:
		return Undefined
	case v == types.True:
		return True
	case v == types.False:
		return False
	}
	return Undefined
}

// TestObjectsAreMaps shows that facts read through Object are to cel-go what plain maps are.
func TestObjectsAreMaps(t *testing.T) {
	doc, err := ParseDocument([]byte(fuzzFacts))
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := Plain(doc).(map[string]any)
	rec := &Record{Identity: "web1", Facts: doc, Classes: []string{"base", "web"}, Now: 1763700600000}
	for _, text := range []string{
		`facts.env == "prod"`, `facts.nope == 1`, `facts.env.x == 1`, `facts.l.x == 1`, `facts.nul.x == 1`, `has(facts.env.x)`, `has(facts.l.x)`, `has(facts.nul.x)`, `has(facts.nope.x)`, `has(facts.os.family)`,
		`facts.?env.?x.hasValue()`, `facts.?l.?x.hasValue()`, `facts.?nope.?x.orValue(1) == 1`, `facts.os == {"family": "Debian", "release": {"major": "12"}}`, `facts.os == facts.m`, `facts.os != 3`,
		`"family" in facts.os`, `3 in facts.os`, `facts.os[3] == 1`, `size(facts) == 11`, `facts.m.exists(k, facts.m[k].size == 1)`, `facts.os.all(k, k > "a")`, `type(facts.os) == map`, `facts.os > 1`,
		`facts.os == {"family": "Debian"}`, `{"family": "Debian", "release": {"major": "12"}} == facts.os`, `facts.l[3] == {"k": "v"}`, `facts.l == [1, "two", 3.5, {"k": "v"}]`, `facts.l.exists(x, x == {"k": "v"})`, `dyn(facts) == dyn([])`,
		`facts.m.map(k, k) == ["/"]`, `string(facts.os) == ""`, `!facts.os`, `facts.os && true`, `optional.ofNonZeroValue(facts.m).hasValue()`, `facts.os.transformMap(k, v, v).size() == 2`,
	} {
		p, err := Compile(Node, fettle.Filter(text))
		if err != nil {
			continue
		}
		prog, err := p.plan(p.ast.NativeRep().Expr())
		if err != nil {
			t.Fatal(err)
		}
		v, _, err := prog.Eval(map[string]any{"facts": plain, "identity": "web1", "classes": []string{"base", "web"}})
		want := Undefined
		if err == nil && v == types.True {
			want = True
		} else if err == nil && v == types.False {
			want = False
		}
		if got, missing := p.Match(t.Context(), rec); got != want {
			t.Errorf("%s is %v %v, and over plain maps %v %v", text, got, missing, want, err)
		}
	}
}

// FuzzShort takes any text for the short and the compound form: what is translated compiles.
func FuzzShort(f *testing.F) {
	for _, s := range []string{`env=prod customer="a b" mysql::master /^db/ cores>=8`, `a!~/x/i b<=1.2.3 "q"=1`, `a=b and (/c/ or not d=e)`, `m."/".size>1`, `ä=ö`, "a=\x00", `a="\"`, `/[/`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, parse := range map[string]func(fettle.Filter) (fettle.Filter, error){"Parse": Parse, "ParseCompound": ParseCompound} {
			cel, err := parse(fettle.Filter(s))
			if err != nil {
				if !errors.Is(err, fettle.ErrInvalid) {
					t.Fatalf("%s(%q): %v", name, s, err)
				}
				continue
			}
			if _, err := Compile(Node, cel); err != nil && len(cel) < MaxText && len(s) < 1000 {
				t.Fatalf("%s(%q) gives %q: %v", name, s, cel, err)
			}
		}
	})
}

// FuzzDocument takes any bytes for a facts document: what is read is what encoding/json reads, and what is walked is what is read.
func FuzzDocument(f *testing.F) {
	for _, s := range []string{fuzzFacts, `{}`, ``, `{"a":1,"a":2}`, `{"b":1,"a":-0.5e3}`, `{"a":"\ud83d\ude00\n\u0000"}`, `{"a":[1,]}`, `{"a":01}`, `[]`, `{"a":1e999}`, `{"a":"` + "\xff" + `"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		walksAsParsed(t, text)
		d, err := ParseDocument(text)
		if err != nil {
			if !errors.Is(err, fettle.ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		if len(text) == 0 {
			return
		}
		var want map[string]any
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatalf("%q was read, and encoding/json says %v", text, err)
		}
		if got, want := render(t, Plain(d)), render(t, numbers(want)); got != want {
			t.Errorf("%q was read as %s, want %s", text, got, want)
		}
	})
}

func render(t *testing.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// numbers turns json.Number into int64 where it fits, else into float64.
func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = numbers(x)
		}
	case []any:
		for i, x := range v {
			v[i] = numbers(x)
		}
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		f, _ := v.Float64()
		return f
	}
	return v
}
