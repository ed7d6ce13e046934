package filter_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle/filter"
)

func TestSplitList(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                     nil,
		" , ,":                                 nil,
		"os.family, classes":                   {"os.family", "classes"},
		`labels."a,b",env`:                     {`labels."a,b"`, "env"},
		`math.greatest(facts.a, facts.b),x`:    {"math.greatest(facts.a, facts.b)", "x"},
		`facts.?a.orValue("x, (y"), [1, 2][0]`: {`facts.?a.orValue("x, (y")`, "[1, 2][0]"},
		`facts.m[r"a\"], facts.n['"'], {"a": 1, "b": 2}.a`: {`facts.m[r"a\"]`, `facts.n['"']`, `{"a": 1, "b": 2}.a`},
		`size("a`: {`size("a`},
		"a), b":   {"a)", "b"},
	} {
		if got := filter.SplitList(text); !cmp.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
