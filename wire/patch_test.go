package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func doc(t testing.TB, raw string) wire.Document {
	t.Helper()
	d, err := wire.Canonical([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var pairs = []struct{ name, old, new, patch string }{
	{"one leaf", `{"a":1,"b":{"c":2,"d":3}}`, `{"a":1,"b":{"c":4,"d":3}}`, `{"set":[[["b","c"],4]],`},
	{"a new key and one gone", `{"a":1,"b":2}`, `{"b":2,"c":{"d":1}}`, `{"set":[[["c"],{"d":1}]],"unset":[["a"]],`},
	{"a leaf becomes an object", `{"a":1}`, `{"a":{"b":1}}`, `{"set":[[["a"],{"b":1}]],`},
	{"an object becomes a leaf", `{"a":{"b":1}}`, `{"a":[1]}`, `{"set":[[["a"],[1]]],`},
	{"lists are leaves", `{"a":[1,2,3]}`, `{"a":[1,3]}`, `{"set":[[["a"],[1,3]]],`},
	{"an object loses its last member", `{"a":{"b":1}}`, `{"a":{}}`, `{"set":[[["a"],{}]],`},
	{"an object gets its first member", `{"a":{}}`, `{"a":{"b":{"c":1}}}`, `{"set":[[["a"],{"b":{"c":1}}]],`},
	{"null is a value", `{"a":null}`, `{"b":null}`, `{"set":[[["b"],null]],"unset":[["a"]],`},
	{"number literals count", `{"a":1}`, `{"a":1.0}`, `{"set":[[["a"],1.0]],`},
	{"odd keys", `{"/boot":{"\"\n":1},"a.b":2}`, `{"/boot":{"\"\n":2},"a.b":{"":1}}`, `{"set":[[["/boot","\"\n"],2],[["a.b"],{"":1}]],`},
	{"to nothing", `{"a":1,"b":{"c":1}}`, `{}`, `{"unset":[["a"],["b"]],`},
	{"nothing changed", `{"a":1}`, `{"a":1}`, `{`},
}

func TestDiffAndApply(t *testing.T) {
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			old, new := doc(t, p.old), doc(t, p.new)
			patch := wire.Diff(old, new)
			raw, err := json.Marshal(patch)
			if err != nil {
				t.Fatal(err)
			}
			want := p.patch + fmt.Sprintf(`"base":"%s","result":"%s","seq":0}`, old.Hash, new.Hash)
			if diff := cmp.Diff(want, string(raw)); diff != "" {
				t.Errorf("patch (-want +got):\n%s", diff)
			}
			var read wire.Patch
			if err := json.Unmarshal(raw, &read); err != nil {
				t.Fatal(err)
			}
			got, changed, err := wire.Apply(old, read)
			if err != nil || changed != (p.old != p.new) {
				t.Fatalf("apply: changed %v, %v", changed, err)
			}
			if diff := cmp.Diff(new, got); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
			undone(t, old, new)
		})
	}
}

// undone checks that Changes tells all and that Undo takes it back.
func undone(t *testing.T, old, new wire.Document) {
	t.Helper()
	changes, err := wire.Changes(old, new)
	if err != nil {
		t.Fatal(err)
	}
	got, err := wire.Undo(new, changes)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(old.Raw), string(got.Raw)); diff != "" {
		t.Errorf("undone by %v (-want +got):\n%s", changes, diff)
	}
}

func TestApplyTwiceIsOnce(t *testing.T) {
	old, new := doc(t, `{"a":1}`), doc(t, `{"a":2}`)
	got, changed, err := wire.Apply(new, wire.Diff(old, new))
	if err != nil || changed || got.Hash != new.Hash {
		t.Errorf("a document that is the result already: changed %v, %v", changed, err)
	}
}

func TestApplyToAnotherDocument(t *testing.T) {
	patch := wire.Diff(doc(t, `{"a":1}`), doc(t, `{"a":2}`))
	for _, other := range []wire.Document{doc(t, `{"a":3}`), {}} {
		if _, _, err := wire.Apply(other, patch); !errors.Is(err, wire.ErrBase) {
			t.Errorf("%s: got %v, want ErrBase", other.Raw, err)
		}
	}
}

func TestApplyFromNothing(t *testing.T) {
	new := doc(t, `{"a":{"b":1}}`)
	got, changed, err := wire.Apply(wire.Document{}, wire.Diff(wire.Document{}, new))
	if err != nil || !changed || got.Hash != new.Hash {
		t.Errorf("got %s, changed %v, %v", got.Raw, changed, err)
	}
}

func TestApplyRefuses(t *testing.T) {
	old := doc(t, `{"a":1,"b":{"c":1},"l":[1]}`)
	deep := strings.Repeat(`"a",`, 64) + `"a"`
	for want, patches := range map[string][]string{
		"it has no result":       {`{}`},
		"which is not there":     {`{"set":[[["x","y"],1]]}`, `{"unset":[["x"]]}`, `{"unset":[["b","x"]]}`},
		"which is a leaf":        {`{"set":[[["a","y"],1]]}`, `{"set":[[["l","0"],1]]}`},
		"something below it":     {`{"set":[[["b"],1],[["b","c"],1]]}`, `{"set":[[["a"],1]],"unset":[["a"]]}`},
		"a path has no key":      {`{"set":[[[],1]]}`, `{"set":[[[` + deep + `],1]]}`},
		"more than 64 levels":    {`{"set":[[["b","c"],` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `]]}`},
		"names \"x\" twice":      {`{"set":[[["b"],{"x":1,"x":2}]]}`},
		"it makes":               {`{"set":[[["a"],7]]}`},
		"1048576 are allowed":    {`{"set":[[["a"],"` + strings.Repeat("x", 1<<20) + `"]]}`},
		"more than 20000 leaves": {`{"set":[[["a"],{"x":` + many(20_000) + `}]]}`},
	} {
		for _, raw := range patches {
			var p wire.Patch
			if err := json.Unmarshal([]byte(raw), &p); err != nil {
				t.Fatal(err)
			}
			if p.Base = old.Hash; want != "it has no result" {
				p.Result = strings.Repeat("0", 64)
			}
			if _, _, err := wire.Apply(old, p); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%.80s: got %v, want an invalid patch that says %q", raw, err, want)
			}
		}
	}
	var p wire.Patch
	if err := json.Unmarshal([]byte(`{"set":[[["a"]]]}`), &p); err == nil {
		t.Error("a set without a value is taken")
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"%d":1`, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestChanges(t *testing.T) {
	got, err := wire.Changes(doc(t, `{"a":1,"b":{"c":1,"d":{}},"e":{"f":1}}`), doc(t, `{"a":2,"b":{"d":{"x":[1]}},"e":3,"g":{"h":null}}`))
	if err != nil {
		t.Fatal(err)
	}
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	want := []wire.Change{
		{Path: fettle.Path{"a"}, Old: raw("1"), New: raw("2")},
		{Path: fettle.Path{"b", "c"}, Old: raw("1")},
		{Path: fettle.Path{"b", "d"}, Old: raw("{}")},
		{Path: fettle.Path{"b", "d", "x"}, New: raw("[1]")},
		{Path: fettle.Path{"e"}, New: raw("3")},
		{Path: fettle.Path{"e", "f"}, Old: raw("1")},
		{Path: fettle.Path{"g", "h"}, New: raw("null")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestUndoSeveralSteps(t *testing.T) {
	docs := []wire.Document{doc(t, `{"a":1}`), doc(t, `{"a":{"b":{"c":1}}}`), doc(t, `{"a":{"b":{}},"x":1}`), doc(t, `{}`)}
	var steps [][]wire.Change
	for i := len(docs) - 1; i > 0; i-- {
		c, err := wire.Changes(docs[i-1], docs[i])
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, c)
	}
	got, err := wire.Undo(docs[3], steps...)
	if err != nil || got.Hash != docs[0].Hash {
		t.Errorf("got %s, %v", got.Raw, err)
	}
}

func TestHold(t *testing.T) {
	held := func(p fettle.Path) bool { return p[0] == "load" || p.String() == "mem.free" }
	for _, c := range []struct{ name, old, new, want string }{
		{"held leaves stay", `{"load":{"1m":1,"5m":2},"mem":{"free":1,"total":2},"x":1}`, `{"load":{"1m":3,"5m":4},"mem":{"free":9,"total":3},"x":2}`, `{"load":{"1m":1,"5m":2},"mem":{"free":1,"total":3},"x":2}`},
		{"new and gone ones do not", `{"load":{"1m":1}}`, `{"load":{"5m":4},"mem":{}}`, `{"load":{"5m":4},"mem":{}}`},
		{"an object is not held", `{"load":{"1m":1}}`, `{"load":3}`, `{"load":3}`},
	} {
		got, err := wire.Hold(doc(t, c.old), doc(t, c.new), held)
		if err != nil || string(got.Raw) != c.want || got.Hash != doc(t, c.want).Hash {
			t.Errorf("%s: got %s, %v, want %s", c.name, got.Raw, err, c.want)
		}
	}
}

func FuzzPatch(f *testing.F) {
	for _, p := range pairs {
		f.Add([]byte(p.old), []byte(p.new), []byte(`{"set":[[["a"],1]]}`))
	}
	f.Fuzz(func(t *testing.T, a, b, raw []byte) {
		old, err := wire.Canonical(a)
		if err != nil {
			return
		}
		var p wire.Patch
		if json.Unmarshal(raw, &p) == nil {
			p.Base = old.Hash
			if p.Result == "" {
				p.Result = "x"
			}
			if _, changed, err := wire.Apply(old, p); changed || err == nil && p.Result != old.Hash {
				t.Fatalf("a foreign patch is applied: %s", raw)
			}
		}
		new, err := wire.Canonical(b)
		if err != nil {
			return
		}
		got, _, err := wire.Apply(old, wire.Diff(old, new))
		if err != nil || string(got.Raw) != string(new.Raw) {
			t.Fatalf("%s to %s gives %s, %v", old.Raw, new.Raw, got.Raw, err)
		}
		undone(t, old, new)
		all, err := wire.Hold(old, new, func(fettle.Path) bool { return false })
		if err != nil || all.Hash != new.Hash {
			t.Fatalf("hold of nothing gives %s, %v", all.Raw, err)
		}
	})
}

// FuzzTornDocument gives documents that are not canonical, as a damaged store might.
func FuzzTornDocument(f *testing.F) {
	f.Add([]byte(`{"a":{"b":[1,"x"]}`), []byte(`{"a":1}`))
	f.Add([]byte(`{"a"}`), []byte(`{"\q":1}`))
	f.Add([]byte(`{"a":`), []byte(`{"}`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		old, new := wire.Document{Raw: a, Hash: "a"}, wire.Document{Raw: b, Hash: "b"}
		_ = wire.Diff(old, new)
		changes, _ := wire.Changes(old, new)
		_, _ = wire.Undo(new, changes)
		_, _ = wire.Hold(old, new, func(fettle.Path) bool { return true })
		_, _, _ = wire.Apply(old, wire.Patch{Base: "a", Result: "c", Set: []wire.Assign{{Path: fettle.Path{"a"}, Value: []byte("1")}}})
	})
}

// bigDoc is about as large as a real node's document.
func bigDoc(t testing.TB, load string) wire.Document {
	var b strings.Builder
	b.WriteString("{")
	for i := range 17 {
		fmt.Fprintf(&b, `"group%d":{`, i)
		for j := range 10 {
			fmt.Fprintf(&b, `"setting_%d":"a value of some length, %d",`, j, i*j)
		}
		b.WriteString(`"z":1},`)
	}
	return doc(t, b.String()+`"load":`+load+"}")
}

func BenchmarkCanonical6KB(b *testing.B) {
	raw := bigDoc(b, "1").Raw
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := wire.Canonical(raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply6KB(b *testing.B) {
	old, new := bigDoc(b, "1"), bigDoc(b, "2")
	p := wire.Diff(old, new)
	for b.Loop() {
		if _, _, err := wire.Apply(old, p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDiff6KB(b *testing.B) {
	old, new := bigDoc(b, "1"), bigDoc(b, "2")
	for b.Loop() {
		if wire.Diff(old, new).Empty() {
			b.Fatal("no difference")
		}
	}
}
