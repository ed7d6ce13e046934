package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// TestFilterBudget shows that a filter that no index answers is refused, whichever way it is asked, and that others are not.
func TestFilterBudget(t *testing.T) {
	cfg := DefaultConfig()
	cfg.FilterBudget = time.Nanosecond
	f := newFleet(t, cfg)
	f.join("n1", `{"a":1,"b":2}`)
	f.join("n2", `{"a":1,"b":1}`)
	slow := Selection{Where: "facts.a == facts.b"}
	for about, ask := range map[string]func(context.Context) error{
		"find":   func(ctx context.Context) error { _, err := f.Find(ctx, FindQuery{Selection: slow}); return err },
		"paths":  func(ctx context.Context) error { _, err := f.FactPaths(ctx, slow); return err },
		"values": func(ctx context.Context) error { _, err := f.FactValues(ctx, fettle.Path{"a"}, slow); return err },
		"by": func(ctx context.Context) error {
			_, err := f.FactValuesBy(ctx, fettle.Path{"a"}, fettle.Path{"b"}, slow)
			return err
		},
		"preview": func(ctx context.Context) error { _, err := f.Preview(ctx, slow); return err },
		"run": func(ctx context.Context) error {
			_, err := f.StartRun(ctx, RunRequest{Action: "agent.ping", Selection: slow})
			return err
		},
		"explain": func(ctx context.Context) error { _, err := f.Explain(ctx, slow.Where, ""); return err },
	} {
		t.Run(about, func(t *testing.T) {
			if err := ask(t.Context()); !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), "node by node for about 2 nodes") {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := f.matched("facts.a == 1"); n != 2 {
		t.Errorf("an index answers for %d nodes", n)
	}
	spent := map[fettle.Filter]Spender{}
	for _, s := range f.Spenders(t.Context()) {
		spent[s.Filter] = s
	}
	if s := spent[slow.Where]; s.Refused != s.Runs || s.Runs < 6 || s.TookMS <= 0 {
		t.Errorf("the slow one: %+v", s)
	}
	if s := spent["facts.a == 1"]; s.Runs != 1 || s.Refused != 0 || s.Passes != 0 {
		t.Errorf("the other: %+v", s)
	}
	cfg.FilterBudget = -1
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "filter-budget") {
		t.Errorf("a budget below zero: %v", err)
	}
}
