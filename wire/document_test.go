package wire_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func TestCanonicalVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/canonical.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Name, Input, Canonical, SHA256 string }
	if err := json.Unmarshal(raw, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			doc, err := wire.Canonical([]byte(v.Input))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(v.Canonical, string(doc.Raw)); diff != "" {
				t.Errorf("canonical form (-want +got):\n%s", diff)
			}
			if doc.Hash != v.SHA256 {
				t.Errorf("hash is %s, want %s", doc.Hash, v.SHA256)
			}
			again, err := wire.Canonical(doc.Raw)
			if err != nil || again.Hash != doc.Hash {
				t.Errorf("the canonical form of the canonical form is %s, %v", again.Raw, err)
			}
		})
	}
}

func TestCanonicalRefuses(t *testing.T) {
	nest := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,"%d":1`, i)
		}
		return "{" + b.String()[1:] + "}"
	}
	for _, ok := range []string{nest(64), many(20_000), `{"a":"` + strings.Repeat("x", 1<<20-8) + `"}`} {
		if _, err := wire.Canonical([]byte(ok)); err != nil {
			t.Errorf("%.40s…: %v", ok, err)
		}
	}
	for want, inputs := range map[string][]string{
		"an object has to stand here": {"", " ", "[]", "1", `"a"`, "null"},
		"something stands after":      {"{}{}", "{} x"},
		"names \"a\" twice":           {`{"a":1,"a":1}`, `{"b":{"a":1,"\u0061":2}}`, `{"z":[{"b":1,"a":2,"a":3}]}`},
		"a value has to stand here":   {`{"a":}`, `{"a":nul}`, `{"a":NaN}`, `{"a":+1}`, `{"a":[1,]}`, `{"a":`, `{"a":'x'}`},
		"a key in double quotes":      {"{", `{a:1}`, `{"a":1,}`, "{,}"},
		"':' has to stand":            {`{"a"}`, `{"a" 1}`},
		"',' or '}'":                  {`{"a":1`, `{"a":1 "b":2}`, `{"a":01}`, `{"a":1.2.3}`},
		"',' or ']'":                  {`{"a":[1 2]}`, `{"a":[1`},
		"a digit":                     {`{"a":-}`, `{"a":1.}`, `{"a":1e}`, `{"a":1e+}`, `{"a":-x}`},
		"a string does not end":       {`{"a`, `{"a":"b`, `{"a":"\n`},
		"a bad escape":                {`{"a":"\`, `{"a":"\x"}`, `{"a":"\u12"}`, `{"a":"\ud800"}`, `{"a":"\udc00\ud800"}`, `{"a":"\ud800\u0041"}`, `{"\u":1}`},
		"a control character":         {"{\"a\":\"\n\"}", "{\"a\":\"\\n\x01\"}", "{\"\x00\":1}"},
		"not UTF-8":                   {"{\"a\":\"\xff\"}", "{\"\xc0\xaf\":1}", "{\"a\":\"\xed\xa0\x80\"}"},
		"more than 64 levels":         {nest(65), `{"a":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + "}"},
		"more than 20000 leaves":      {many(20_001)},
		"and 1048576 are allowed":     {`{"a":"` + strings.Repeat("x", 1<<20-7) + `"}`, strings.Repeat(" ", 2<<20+1)},
	} {
		for _, in := range inputs {
			_, err := wire.Canonical([]byte(in))
			if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%.60q: got %v, want an invalid document that says %q", in, err, want)
			}
		}
	}
}

func TestEncode(t *testing.T) {
	doc, err := wire.Encode(map[string]any{
		"i": int64(math.MaxInt64), "u": uint64(math.MaxUint64), "n": -3, "f": 2.0, "g": 0.25, "h": 1e21, "z": 0.0, "t": true, "nil": nil,
		"s": "é\"\n\x01", "bad": "a\xffb", "l": []any{1, "x", []any{}, map[string]any{"b": 1, "a": 2}}, "ss": []string{"q"},
		"m": map[string]any{"/boot": map[string]string{"y": "1", "x": "2"}}, "num": json.Number("1.50"), "e": map[string]any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"bad":"a` + "\uFFFD" + `b","e":{},"f":2.0,"g":0.25,"h":1e+21,"i":9223372036854775807,"l":[1,"x",[],{"a":2,"b":1}],` +
		`"m":{"/boot":{"x":"2","y":"1"}},"n":-3,"nil":null,"num":1.50,"s":"é\"\n\u0001","ss":["q"],"t":true,"u":18446744073709551615,"z":0.0}`
	if diff := cmp.Diff(want, string(doc.Raw)); diff != "" {
		t.Errorf("encoded (-want +got):\n%s", diff)
	}
	if again, err := wire.Canonical(doc.Raw); err != nil || again.Hash != doc.Hash {
		t.Errorf("what Encode gives is not canonical: %s, %v", again.Raw, err)
	}
	deep := map[string]any{}
	for range 64 {
		deep = map[string]any{"a": deep}
	}
	for name, bad := range map[string]map[string]any{
		"a.b: NaN is no fact":        {"a": map[string]any{"b": math.NaN()}},
		"a: +Inf is no fact":         {"a": math.Inf(1)},
		"a.1: a chan int is no fact": {"a": []any{1, make(chan int)}},
		`a: "1x" is no number`:       {"a": json.Number("1x")},
		"is not UTF-8":               {"\xff": 1},
		"more than 64 levels":        deep,
		"and 1048576 are allowed":    {"a": strings.Repeat("x", 1<<20)},
	} {
		if _, err := wire.Encode(bad); !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want an invalid document that says %q", err, name)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{}`, `{"b":1,"a":{"y":[1,{"d":2,"c":"\u00e9\ud83d\ude00\n"}],"x":null}}`, `{"a":-0.5E+10,"\u0000":"\\\""}`, `{"a":1,"a":2}`, "{\"\xff\":1}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		doc, err := wire.Canonical(raw)
		if err != nil {
			if !errors.Is(err, fettle.ErrInvalid) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		again, err := wire.Canonical(doc.Raw)
		if err != nil || string(again.Raw) != string(doc.Raw) {
			t.Fatalf("not idempotent: %q gives %q, %v", doc.Raw, again.Raw, err)
		}
		var a, b any
		if err := json.Unmarshal(raw, &a); err != nil {
			t.Fatalf("%q is taken, and encoding/json says %v", raw, err)
		}
		if err := json.Unmarshal(doc.Raw, &b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("%q means something else than %q:\n%s", doc.Raw, raw, diff)
		}
	})
}
