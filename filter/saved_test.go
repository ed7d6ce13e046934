package filter_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// kept gives the filters of a map.
func kept(all map[string]fettle.Filter) filter.Saved {
	return func(_ context.Context, name string) (fettle.Filter, error) {
		if f, ok := all[name]; ok {
			return f, nil
		}
		return "", fmt.Errorf("filter %s: %w", name, fettle.ErrNotFound)
	}
}

var keptFilters = kept(map[string]fettle.Filter{
	"web": `"web" in classes`, "web-prod": `@web && facts.env == "prod"`, "v1.2": `facts.v == 1`, "said": "facts.a == 1 // by @ann", "a": "@b || true",
	"b": "!@c", "c": "@a", "wide": "facts.x == '" + fettle.Filter(strings.Repeat("x", filter.MaxText-100)) + "'",
})

func TestExpand(t *testing.T) {
	for _, c := range []struct{ text, want fettle.Filter }{
		{`facts.a == 1`, `facts.a == 1`},
		{`@web`, `("web" in classes)`},
		{`!@web-prod&&@v1.2`, `!(("web" in classes) && facts.env == "prod")&&(facts.v == 1)`},
		{`@web.`, `("web" in classes).`},
		{`facts.mail == "ann@web" && @web`, `facts.mail == "ann@web" && ("web" in classes)`},
		{`facts.mail == '\'@web' || @web`, `facts.mail == '\'@web' || ("web" in classes)`},
		{`facts.path == r"c:\" || @web || facts.b == "@web"`, `facts.path == r"c:\" || ("web" in classes) || facts.b == "@web"`},
		{`facts.text == """say "@web" """ || @web`, `facts.text == """say "@web" """ || ("web" in classes)`},
		{"facts.a == 1 // @web\n|| @web", "facts.a == 1 // @web\n|| (\"web\" in classes)"},
		{`@said && @web`, "(facts.a == 1 // by @ann\n) && (\"web\" in classes)"},
	} {
		got, err := filter.Expand(t.Context(), c.text, keptFilters)
		if err != nil || got != c.want {
			t.Errorf("%s gave\n%s, %v, want\n%s", c.text, got, err, c.want)
		}
	}
	for _, c := range []struct {
		text   fettle.Filter
		says   string
		column int
	}{
		{`true || @wob`, "there is no saved filter @wob", 9},
		{`@a`, "saved filters name one another in a circle: @a → @b → @c → @a", 1},
		{`true || @-web`, "the name of a saved filter is missing", 9},
		{`@wide || @wide`, "more than 65536 bytes", 0},
	} {
		_, err := filter.Expand(t.Context(), c.text, keptFilters)
		var fault *filter.Error
		if !errors.As(err, &fault) || !strings.Contains(fault.Message, c.says) || fault.Column != c.column || !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s gave %v (%+v), want %q at column %d", c.text, err, fault, c.says, c.column)
		}
	}
	_, err := filter.Expand(t.Context(), "@any", func(context.Context, string) (fettle.Filter, error) { return "", fettle.ErrUnavailable })
	if !errors.Is(err, fettle.ErrUnavailable) {
		t.Errorf("a store that is away gave %v", err)
	}
}

func TestNamesOfSavedFilters(t *testing.T) {
	if got := filter.SavedNames(`@web && (@v1.2 || @web) && facts.a == "@no"`); !slices.Equal(got, []string{"web", "v1.2"}) {
		t.Errorf("names: %q", got)
	}
	if got := filter.Open(`@web && facts.a == "@no"`); got != `true && facts.a == "@no"` {
		t.Errorf("open: %s", got)
	}
	got, err := filter.Terms{CEL: []string{"@web and a=b"}, Short: []string{"@v1.2"}}.Filter(t.Context())
	if err != nil || got != `(@web && facts.a == "b") && (@v1.2)` {
		t.Errorf("without the texts, names stay in place: %s, %v", got, err)
	}
	for name, fits := range map[string]bool{
		"web": true, "web-prod": true, "v1.2_x": true, "7": true, strings.Repeat("n", filter.MaxName): true,
		"": false, "a b": false, "-a": false, "a-": false, "a.": false, "@a": false, "é": false, strings.Repeat("n", filter.MaxName+1): false,
	} {
		if err := filter.CheckName(name); (err == nil) != fits || err != nil && !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("name %q: %v", name, err)
		}
	}
}

func FuzzExpand(f *testing.F) {
	for _, text := range []string{`@web && "@a"`, "@", "'@", `r"\" @web`, "// @a\n@web", `"""@`, "@a.b-"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := filter.Expand(t.Context(), fettle.Filter(text), kept(map[string]fettle.Filter{"web": "true"}))
		if err != nil {
			return
		}
		for _, name := range filter.SavedNames(fettle.Filter(text)) {
			if name != "web" {
				t.Fatalf("%q has @%s, which does not exist, and gave %q", text, name, got)
			}
		}
		if rest := filter.SavedNames(got); len(rest) > 0 {
			t.Fatalf("%q gave %q, which still has %q", text, got, rest)
		}
	})
}
