package web

import (
	"encoding/json"
	"net/http"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// What a link adds to a filter means that value and no other, whatever the value is: the server itself says so.
func TestLiteralsMeanWhatTheyShow(t *testing.T) {
	h := newHouse(t)
	values := []any{
		"plain", "", " ", "with \"quotes\" and \\", "ünïcode ☃ 😀", "tab\tnewline\n", "null", "true", "7", true, false, nil, 0, 7, -7, 9007199254740993,
		json.Number("9223372036854775807"), json.Number("-9223372036854775808"), 1.5, -0.25, 1e300, json.Number("1e-7"), json.Number("12345678901234567890"),
		[]any{},
		[]any{"a", 1, true, nil},
		[]any{[]any{"b"}},
		"${x}", "// comment", "a && b || c",
	}
	for i, v := range values {
		h.join(member{id: fettle.NodeID(string(rune('a'+i%26)) + string(rune('0'+i/26))), facts: map[string]any{"odd key.with\"dot": map[string]any{"v": v}}})
	}
	path := fettle.Path{`odd key.with"dot`, "v"}
	for i, v := range values {
		id := string(rune('a'+i%26)) + string(rune('0'+i/26))
		a := h.get("/nodes/" + id).status(http.StatusOK)
		got := h.get(a.linkTo(".leaf", "alike")).status(http.StatusOK)
		got.lists(".nodes a.row", id)
		t.Logf("%v: %s", v, got.text("#where"))
	}
	a := h.get(where("", "facet", path.String()))
	for _, n := range query(a.doc, ".facet .bars a") {
		if rows := h.get(attr(n, "href")).status(http.StatusOK).texts(".nodes a.row"); len(rows) != 1 {
			t.Errorf("%s leads to %v", text(n), rows)
		}
	}
}

func TestNarrowAndWiden(t *testing.T) {
	add := clause{Text: `facts.a == 1`}
	for _, row := range []struct{ name, text, want string }{
		{"nothing", "", `facts.a == 1`},
		{"and", `x`, `x && facts.a == 1`},
		{"or needs parentheses", `x || y`, `(x || y) && facts.a == 1`},
		{"a choice too", `x ? y : z`, `(x ? y : z) && facts.a == 1`},
		{"a comment ends with its line", "x // all", "(x // all\n) && facts.a == 1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := narrowed(reading{Text: row.text}, add)
			if got != row.want {
				t.Errorf("narrowed to %q, want %q", got, row.want)
			}
			if back, ok := widened(reading{Text: got}, add); !ok || back != row.text {
				t.Errorf("widened to %q, %v", back, ok)
			}
		})
	}
	t.Run("in the middle and in front", func(t *testing.T) {
		for text, want := range map[string]string{`facts.a == 1 && x`: "x", `x && facts.a == 1 && y`: "x && y"} {
			if got, ok := widened(reading{Text: text}, add); !ok || got != want {
				t.Errorf("%q is %q, %v", text, got, ok)
			}
		}
	})
	t.Run("what is not there stays", func(t *testing.T) {
		for _, text := range []string{"", "x", `facts.a == 10`, `facts.b == 1`, `xfacts.a == 1`} {
			if got, ok := widened(reading{Text: text}, add); ok {
				t.Errorf("%q became %q", text, got)
			}
		}
	})
	t.Run("short stays short, unless the clause cannot", func(t *testing.T) {
		r := reading{Text: "nginx a=1", CEL: `"nginx" in classes && facts.a == "1"`, Short: true}
		if got := narrowed(r, clause{Text: "b=2", Short: true}); got != "nginx a=1 b=2" {
			t.Error(got)
		}
		if got := narrowed(r, add); got != string(r.CEL)+" && facts.a == 1" {
			t.Error(got)
		}
	})
}
