package server

import (
	"errors"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// fallSilent lets time pass until a node is silent.
func (f *fleet) fallSilent(id fettle.NodeID) {
	f.t.Helper()
	f.clock.add(f.cfg.Beat * (silentBeats + settleBeats))
	f.eventually("the node is silent", func() bool { n, _ := f.Inventory.Get(id); return n.Liveness == fettle.Silent })
}

func TestForgetNode(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Checks = []CheckConfig{{Name: "check_load"}}
	f := newFleet(t, cfg)
	f.join("n1", `{"v":1}`, "check_load")
	f.join("n2", `{"v":1}`, "check_load")
	f.change("n1", `{"v":2}`)
	f.eventually("both are members of the check", func() bool {
		v, _ := f.Verdict(t.Context(), VerdictQuery{Check: "check_load"})
		return v.Tally.Total == 2
	})
	f.clock.add(time.Minute)
	past := fettle.MillisOf(f.clock.Now()).Add(-time.Second)
	if a, err := f.Find(t.Context(), FindQuery{Selection: Selection{Where: "facts.v == 1", AsOf: past}}); err != nil || a.Matched != 1 {
		t.Fatalf("as of before: %+v, %v", a, err)
	}
	if err := f.ForgetNode(t.Context(), "n1", "ann"); !errors.Is(err, fettle.ErrConflict) {
		t.Errorf("a node that is alive: %v", err)
	}
	if err := f.ForgetNode(t.Context(), "n9", "ann"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("a node that is not: %v", err)
	}
	f.fallSilent("n1")
	for _, id := range []fettle.NodeID{"n1", "n2"} {
		if err := f.ForgetNode(t.Context(), id, "ann"); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("nothing of it is left but that it was", func(t *testing.T) {
		if a, err := f.Find(t.Context(), FindQuery{Selection: Selection{All: true}}); err != nil || a.Matched != 0 {
			t.Errorf("found %+v, %v", a, err)
		}
		if a, err := f.Find(t.Context(), FindQuery{Selection: Selection{Where: "facts.v == 1", AsOf: past}}); err != nil || a.Matched != 0 {
			t.Errorf("found in the past %+v, %v", a, err)
		}
		if v, err := f.Verdict(t.Context(), VerdictQuery{Check: "check_load"}); err != nil || v.Tally.Total != 0 {
			t.Errorf("verdict %+v, %v", v, err)
		}
		if changes, err := f.Store.FactChanges(t.Context(), store.ChangeQuery{}); err != nil || len(changes) != 0 {
			t.Errorf("changes %+v, %v", changes, err)
		}
		events, err := f.Store.Events(t.Context(), 0, 0)
		if err != nil || len(events) == 0 || events[len(events)-1].Kind != fettle.EventForgotten || string(events[len(events)-1].Body) != `{"by":"ann"}` {
			t.Errorf("events %+v, %v", events, err)
		}
	})
	t.Run("a node that comes back is the same node", func(t *testing.T) {
		f.say("n1", wire.TypeBeat, wire.Beat{Session: session, FactsHash: "x"})
		f.eventually("its facts are asked for", func() bool { return len(of[wire.Ask](t, f.mail, "n1", wire.TypeAsk)) > 0 })
		f.change("n1", `{"v":2}`)
		if n, known := f.Inventory.Get("n1"); !known || n.Liveness != fettle.Alive || n.Enrolled != fettle.MillisOf(f.clock.Now()) || f.matched("facts.v == 2") != 1 {
			t.Errorf("it is %+v", n)
		}
	})
	t.Run("after a restart it is gone", func(t *testing.T) {
		f.stop()
		again := openFleet(t, cfg, f.dsn, f.clock)
		if _, known := again.Inventory.Get("n2"); known || again.Inventory.Len() != 1 {
			t.Errorf("%d nodes", again.Inventory.Len())
		}
	})
}

func TestForgetSilent(t *testing.T) {
	cfg := DefaultConfig()
	cfg.ForgetAfter = 30 * 24 * time.Hour
	f := newFleet(t, cfg)
	f.join("old", `{"v":1}`)
	f.fallSilent("old")
	f.clock.add(cfg.ForgetAfter - time.Hour)
	f.join("new", `{"v":1}`)
	forget := func() int {
		if err := f.forgetSilent(t.Context()); err != nil {
			t.Fatal(err)
		}
		return f.Inventory.Len()
	}
	if n := forget(); n != 2 {
		t.Errorf("%d nodes before the time has come", n)
	}
	f.clock.add(2 * time.Hour)
	f.fallSilent("new")
	if n := forget(); n != 1 {
		t.Errorf("%d nodes after it", n)
	}
	if _, known := f.Inventory.Get("new"); !known {
		t.Error("a node that has not been silent for so long is forgotten")
	}
	f.clock.add(2 * cfg.ForgetAfter)
	f.stop()
	again := openFleet(t, cfg, f.dsn, f.clock)
	if err := again.forgetSilent(t.Context()); err != nil || again.Inventory.Len() != 1 {
		t.Errorf("a server that was away itself forgot: %d nodes, %v", again.Inventory.Len(), err)
	}
	again.clock.add(forgetHeard + time.Minute)
	if err := again.forgetSilent(t.Context()); err != nil || again.Inventory.Len() != 0 {
		t.Errorf("a day later: %d nodes, %v", again.Inventory.Len(), err)
	}
	off := cfg
	off.ForgetAfter = time.Minute
	if err := off.Validate(); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("a minute: %v", err)
	}
}
