package server

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
)

// keeping is a configuration with the checks given, in which nodes are looked at often.
func keeping(list ...CheckConfig) Config {
	cfg := fast()
	cfg.Checks = list
	return cfg
}

func (f *fleet) verdict(q VerdictQuery) fettle.Verdict {
	f.t.Helper()
	v, err := f.Verdict(f.t.Context(), q)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

// sets gives how many checks each set had that a node was sent.
func (f *fleet) sets(node fettle.NodeID) (sizes []int) {
	f.t.Helper()
	for _, set := range of[wire.Checks](f.t, f.mail, node, wire.TypeChecks) {
		sizes = append(sizes, len(set.Checks))
	}
	return sizes
}

func TestAVerdictOutlivesALongAbsence(t *testing.T) {
	f := keepsLoad(t, 1)
	f.report(checked(fettle.CodeWarning))
	f.stop()
	f.clock.add(24 * time.Hour)
	g := openFleet(t, f.cfg, f.dsn, f.clock)
	if v := g.verdict(VerdictQuery{Check: "load"}); v.Status != fettle.CheckWarning || !v.Settling {
		t.Errorf("just after the start: %s, settling %v; want the last status, warning", v.Status, v.Settling)
	}
	g.clock.add(2100 * time.Millisecond)
	if v := g.verdict(VerdictQuery{Check: "load"}); v.Status != fettle.CheckWarning || v.Settling {
		t.Errorf("once it has settled: %s, settling %v; want warning: the node may have had no turn since the start", v.Status, v.Settling)
	}
	g.clock.add(151 * time.Second) // two intervals and the timeout
	if v := g.verdict(VerdictQuery{Check: "load"}); v.Status != fettle.CheckUnknown {
		t.Errorf("when it has listened for as long as a state counts: %s, want unknown", v.Status)
	}
}

func TestUndefinedNodesHaveNames(t *testing.T) {
	f := newFleet(t, keeping(CheckConfig{Name: "load", Command: "check_load", Filter: `facts.role == "web"`, Undefined: "unknown"}))
	f.join("n1", `{"role":"web"}`, "check_load")
	f.join("n2", `{}`, "check_load")
	f.clock.add(2100 * time.Millisecond)
	f.eventually("both have their place", func() bool { return f.verdict(VerdictQuery{Check: "load"}).Tally.Total == 2 })
	for name, q := range map[string]VerdictQuery{
		"over all":            {Check: "load"},
		"over a filter":       {Check: "load", Selection: Selection{Where: `facts.role == "web"`}},
		"with its thresholds": {Check: "load", Critical: "100"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff([]fettle.NodeID{"n1", "n2"}, f.verdict(q).Nodes[fettle.CheckUnknown]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestANodeThatLeavesACheck(t *testing.T) {
	cfg := keeping(CheckConfig{Name: "load", Command: "check_load", Filter: `facts.role == "web"`})
	f := newFleet(t, cfg)
	f.join("n1", `{"role":"web"}`, "check_load")
	f.eventually("it is told", func() bool { return len(f.sets("n1")) == 1 })
	f.report(checked(fettle.CodeCritical))
	if f.matched(`checks.load.status == "critical"`) != 1 {
		t.Fatal("its state is not seen")
	}
	f.say("n1", wire.TypeBeat, wire.Beat{Session: session, FactsHash: "", ChecksHash: of[wire.Checks](t, f.mail, "n1", wire.TypeChecks)[0].Hash})
	doc, err := wire.Canonical([]byte(`{"role":"db"}`))
	if err != nil {
		t.Fatal(err)
	}
	f.say("n1", wire.TypeFacts, wire.Facts{Session: session, Seq: f.next("n1"), Full: doc.Raw, Hash: doc.Hash})
	f.eventually("it is told", func() bool { return cmp.Equal([]int{1, 0}, f.sets("n1")) })
	gone := func(f *fleet, when string) {
		if n := f.matched(`checks.load.status == "critical"`); n != 0 {
			t.Errorf("%s, its last state is still seen", when)
		}
		if n, err := f.Node(t.Context(), "n1"); err != nil || len(n.Checks) != 0 {
			t.Errorf("%s: %+v, %v", when, n.Checks, err)
		}
	}
	gone(f, "after it left")
	f.stop()
	gone(openFleet(t, cfg, f.dsn, f.clock), "after a restart")
}

func TestASetIsSentOnceUntilItCanBeAnswered(t *testing.T) {
	f := newFleet(t, keeping(CheckConfig{Name: "load", Command: "check_load"}))
	f.join("n1", `{"a":0}`, "check_load")
	f.eventually("it is told", func() bool { return len(f.sets("n1")) == 1 })
	f.spread(t.Context())
	f.defs.touch("n1") // its facts have changed
	f.spread(t.Context())
	if n := len(f.sets("n1")); n != 1 {
		t.Errorf("it was sent %d times within a second", n)
	}
	f.clock.add(2 * time.Second)
	f.say("n1", wire.TypeBeat, wire.Beat{Session: session, ChecksHash: "another"})
	f.eventually("it is sent again to a node that has not taken it", func() bool { return len(f.sets("n1")) == 2 })
	f.say("n1", wire.TypeHello, wire.Hello{Session: session, Commands: []string{"check_load"}})
	f.eventually("and at once to one that says hello", func() bool { return len(f.sets("n1")) == 3 })
}

func TestMembersThatLivenessMakes(t *testing.T) {
	f := newFleet(t, keeping(CheckConfig{Name: "load", Command: "check_load", Filter: `liveness == "alive"`}))
	f.join("n1", `{}`, "check_load")
	f.clock.add(2100 * time.Millisecond)
	f.say("n1", wire.TypeBeat, wire.Beat{Session: session})
	f.eventually("it is a member", func() bool { return f.verdict(VerdictQuery{Check: "load"}).Tally.Total == 1 })
	f.Disconnected("n1")
	f.livenessOf("n1", fettle.Late)
	f.lookAgain() // as every ten seconds
	f.eventually("it is a member no more", func() bool { return f.verdict(VerdictQuery{Check: "load"}).Tally.Total == 0 })
}

func TestACheckThatReachesItself(t *testing.T) {
	for name, list := range map[string][]CheckConfig{
		"itself":           {{Name: "a", Filter: `checks.a.status == "ok"`}},
		"by way of others": {{Name: "a", Filter: `checks.b.status == "ok"`}, {Name: "b", Filter: `has(checks.c)`}, {Name: "c", Filter: `checks.a.status == "ok"`}},
		"by way of all":    {{Name: "a", Filter: `checks.exists(c, checks[c].status == "critical")`}},
	} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(t.Context(), store.Config{DSN: storetest.SQLite(t)}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			s, err := New(keeping(list...), Parts{Store: db, Inventory: inventory.New(), Board: checks.NewBoard(), Send: newMail()})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Load(t.Context()); !errors.Is(err, fettle.ErrInvalid) {
				t.Errorf("loaded: %v", err)
			}
		})
	}
	f := newFleet(t, keeping(CheckConfig{Name: "a", Filter: `checks.b.status == "ok"`}, CheckConfig{Name: "b"}))
	if list, err := f.Checks(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("one that is about another is refused: %v", err)
	}
}
