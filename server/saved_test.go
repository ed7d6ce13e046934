package server

import (
	"errors"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func (f *fleet) save(name string, text fettle.Filter) SavedFilter {
	f.t.Helper()
	saved, err := f.SaveFilter(f.t.Context(), FilterChange{Name: name, Filter: text, Caller: "ann"})
	if err != nil {
		f.t.Fatal(err)
	}
	return saved
}

func TestSavedFilters(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("web1", `{"role":"web","env":"prod","country":"us"}`)
	f.join("web2", `{"role":"web","env":"test","country":"us"}`)
	f.join("db1", `{"role":"db","env":"prod","country":"de"}`)
	f.save("web", `facts.role == "web"`)
	if got := f.save("web-prod", ` @web && facts.env == "prod" `); got.Owner != "ann" || got.Rev != 1 || got.Filter != `@web && facts.env == "prod"` || got.Updated == 0 {
		t.Errorf("saved: %+v", got)
	}

	t.Run("a name stands for its filter, alone and within others", func(t *testing.T) {
		for where, want := range map[fettle.Filter]int{`@web`: 2, `@web-prod`: 1, `@web-prod && facts.country == "us"`: 1, `!@web`: 1, `facts.role == "@web"`: 0} {
			if got := f.matched(where); got != want {
				t.Errorf("%s: %d, want %d", where, got, want)
			}
		}
	})
	t.Run("a run says what the name stood for", func(t *testing.T) {
		r, err := f.Preview(t.Context(), Selection{Where: "@web"})
		if err != nil || r.Filter != `(facts.role == "web")` || len(r.Nodes) != 2 {
			t.Errorf("roster: %+v, %v", r, err)
		}
		x, err := f.Explain(t.Context(), "@web-prod", "db1")
		if err != nil || x.Filter != `((facts.role == "web") && facts.env == "prod")` || x.Matched != 1 {
			t.Errorf("explained: %+v, %v", x, err)
		}
	})
	t.Run("saving again replaces it, and whoever stands on it follows", func(t *testing.T) {
		saved, err := f.SaveFilter(t.Context(), FilterChange{Name: "web", Filter: `facts.role in ["web", "db"]`, Description: "all that serve", Caller: "ann", Rev: 1})
		if err != nil || saved.Rev != 2 || f.matched("@web-prod") != 2 {
			t.Errorf("saved: %+v, %v", saved, err)
		}
		if _, err := f.SaveFilter(t.Context(), FilterChange{Name: "web", Filter: "true", Caller: "ann", Rev: 1}); !errors.Is(err, fettle.ErrConflict) {
			t.Errorf("an old rev gave %v", err)
		}
	})
	t.Run("only its owner and administrators change it", func(t *testing.T) {
		if _, err := f.SaveFilter(t.Context(), FilterChange{Name: "web", Filter: "true", Caller: "bob"}); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("another's gave %v", err)
		}
		saved, err := f.SaveFilter(t.Context(), FilterChange{Name: "web", Filter: `facts.role == "web"`, Caller: "root", Admin: true})
		if err != nil || saved.Owner != "ann" {
			t.Errorf("an administrator's gave %+v, %v", saved, err)
		}
	})
	for about, c := range map[string]struct {
		change FilterChange
		says   string
	}{
		"a name that cannot be one":           {FilterChange{Name: "a b", Filter: "true"}, "cannot be the name"},
		"no filter":                           {FilterChange{Name: "x", Filter: " "}, "empty filter"},
		"CEL that does not compile":           {FilterChange{Name: "x", Filter: "os == 1"}, `undeclared name "os"`},
		"an unknown filter":                   {FilterChange{Name: "x", Filter: "@wen"}, "there is no saved filter @wen (did you mean @web?)"},
		"a circle":                            {FilterChange{Name: "web", Filter: "@web-prod"}, "in a circle"},
		"itself":                              {FilterChange{Name: "x", Filter: "@x"}, "in a circle"},
		"what is neither true nor false":      {FilterChange{Name: "x", Filter: "identity"}, "a filter is true or false"},
		"what would break one that stands on": {FilterChange{Name: "web", Filter: `"` + fettle.Filter(strings.Repeat("x", 65500)) + `" in classes`}, "@web-prod stands on it"},
	} {
		t.Run(about+" is not saved", func(t *testing.T) {
			c.change.Caller = "ann"
			_, err := f.SaveFilter(t.Context(), c.change)
			if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
	t.Run("what is in use is not deleted", func(t *testing.T) {
		if err := f.DeleteFilter(t.Context(), "web", "ann", false); !errors.Is(err, fettle.ErrConflict) || !strings.Contains(err.Error(), "web-prod") {
			t.Errorf("in use: %v", err)
		}
		if err := f.DeleteFilter(t.Context(), "web-prod", "bob", false); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("another's: %v", err)
		}
		if err := f.DeleteFilter(t.Context(), "web-prd", "ann", false); !errors.Is(err, fettle.ErrNotFound) || !strings.Contains(err.Error(), "did you mean web-prod") {
			t.Errorf("unknown: %v", err)
		}
		for _, name := range []string{"web-prod", "web"} {
			if err := f.DeleteFilter(t.Context(), name, "ann", false); err != nil {
				t.Error(err)
			}
		}
		if _, err := f.Find(t.Context(), FindQuery{Selection: Selection{Where: "@web"}}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("a deleted filter: %v", err)
		}
	})
}

func TestChecksOnSavedFilters(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Checks = []CheckConfig{{Name: "check_load", Filter: "@web", Interval: time.Minute}, {Name: "check_disk", Filter: "@web a=b"}}
	f := newFleet(t, cfg)
	f.join("web1", `{"role":"web"}`, "check_load")
	f.join("db1", `{"role":"db"}`, "check_load")
	total := func() int {
		v, err := f.Verdict(t.Context(), VerdictQuery{Check: "check_load"})
		if err != nil {
			t.Fatal(err)
		}
		return v.Tally.Total
	}
	v, err := f.Verdict(t.Context(), VerdictQuery{Check: "check_load"})
	if err != nil || v.Status != fettle.CheckUnknown || v.Reason != "there is no saved filter @web" {
		t.Errorf("before the filter is saved: %+v, %v", v, err)
	}
	f.save("web", `facts.role == "web"`)
	f.eventually("the check has its node", func() bool { return total() == 1 })
	f.eventually("the node is told", func() bool { return len(of[wire.Checks](t, f.mail, "web1", wire.TypeChecks)) > 0 })
	first := of[wire.Checks](t, f.mail, "web1", wire.TypeChecks)[0].Checks
	if len(first) != 1 || first[0].Filter != "" || first[0].Rev != 1 {
		t.Errorf("told: %+v", first)
	}
	f.save("web", `facts.role in ["web", "db"]`)
	f.eventually("the check follows", func() bool { return total() == 2 })
	if c, _ := f.defs.get("check_load"); c.Rev != 1 {
		t.Errorf("rev %d after a change of who is asked: what is asked is the same", c.Rev)
	}
	if err := f.DeleteFilter(t.Context(), "web", "ann", false); !errors.Is(err, fettle.ErrConflict) || !strings.Contains(err.Error(), "check check_disk, check check_load") {
		t.Errorf("deleted under a check: %v", err)
	}

	t.Run("after a restart they are what they were", func(t *testing.T) {
		f.stop()
		again := openFleet(t, cfg, f.dsn, f.clock)
		if c, _ := again.defs.get("check_load"); c.Rev != 1 || again.matched("@web") != 2 {
			t.Errorf("%+v", c)
		}
	})
}
