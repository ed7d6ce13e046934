package server

import (
	"errors"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func TestRenameNode(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Checks = []CheckConfig{{Name: "check_load", Command: "check_load"}}
	f := newFleet(t, cfg)
	enrolled := fettle.MillisOf(f.clock.Now())
	f.join("old", `{"v":1,"same":true,"system_uptime":{"seconds":1}}`, "check_load")
	f.join("bystander", `{"v":1}`)
	f.clock.add(time.Hour)
	first := fettle.MillisOf(f.clock.Now())
	f.clock.add(time.Hour)
	f.change("old", `{"v":2,"same":true,"system_uptime":{"seconds":2}}`)
	if err := f.RenameNode(t.Context(), "old", "new", "ann"); !errors.Is(err, fettle.ErrConflict) {
		t.Errorf("while it is alive: %v", err)
	}
	f.clock.add(time.Hour)
	second := fettle.MillisOf(f.clock.Now())
	f.fallSilent("old")
	f.join("new", `{"v":3,"same":true,"system_uptime":{"seconds":3}}`, "check_load")
	f.clock.add(time.Minute)
	f.change("new", `{"v":4,"same":true,"system_uptime":{"seconds":4}}`)
	f.clock.add(time.Minute)

	for about, c := range map[string]struct {
		from, to fettle.NodeID
		kind     error
	}{
		"a node that is not":                  {"nobody", "new", fettle.ErrNotFound},
		"its own name":                        {"old", "old", fettle.ErrInvalid},
		"a node that was there all the while": {"old", "bystander", fettle.ErrConflict},
	} {
		if err := f.RenameNode(t.Context(), c.from, c.to, "ann"); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", about, err)
		}
	}
	if err := f.RenameNode(t.Context(), "old", "new", "ann"); err != nil {
		t.Fatal(err)
	}

	check := func(t *testing.T, s *Server) {
		t.Helper()
		if _, known := s.Inventory.Get("old"); known || s.Inventory.Len() != 2 {
			t.Errorf("%d nodes", s.Inventory.Len())
		}
		if n, _ := s.Inventory.Get("new"); n.Enrolled != enrolled || n.Identity != "new" {
			t.Errorf("it is %+v", n)
		}
		for at, want := range map[fettle.Millis]string{
			first: `{"same":true,"system_uptime":{"seconds":4},"v":1}`, second: `{"same":true,"system_uptime":{"seconds":4},"v":2}`,
			fettle.MillisOf(s.Now()): `{"same":true,"system_uptime":{"seconds":4},"v":4}`,
		} {
			if n, err := s.NodeAt(t.Context(), "new", at); err != nil || string(n.Facts) != want {
				t.Errorf("as of %s: %s, %v, want %s", stamp(at), n.Facts, err, want)
			}
		}
		history, err := s.History(t.Context(), HistoryQuery{Node: "new"})
		if err != nil || len(history) != 3 || string(history[1].Old) != "2" || string(history[1].New) != "3" {
			t.Errorf("history: %+v, %v", history, err)
		}
	}
	t.Run("its history goes on under the new name", func(t *testing.T) { check(t, f.Server) })
	t.Run("the new name goes on living", func(t *testing.T) {
		f.change("new", `{"v":4,"same":true,"system_uptime":{"seconds":4}}`)
		f.eventually("it keeps the check", func() bool {
			v, _ := f.Verdict(t.Context(), VerdictQuery{Check: "check_load"})
			return v.Tally.Total == 1
		})
		f.say("new", wire.TypeBeat, wire.Beat{Session: session, FactsHash: "?"})
	})
	t.Run("after a restart it is the same", func(t *testing.T) {
		f.stop()
		again := openFleet(t, cfg, f.dsn, f.clock)
		check(t, again.Server)
	})
}

func TestRenameBeforeItComesBack(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("old", `{"v":1}`)
	f.clock.add(time.Hour)
	f.change("old", `{"v":2}`)
	f.fallSilent("old")
	if err := f.RenameNode(t.Context(), "old", "new", "ann"); err != nil {
		t.Fatal(err)
	}
	if n, known := f.Inventory.Get("new"); !known || n.Liveness != fettle.Silent || string(n.Facts) != `{"v":2}` {
		t.Errorf("it is %+v", n)
	}
	f.clock.add(time.Hour)
	f.say("new", wire.TypeHello, wire.Hello{Session: session + "2"})
	doc, err := wire.Canonical([]byte(`{"v":3}`))
	if err != nil {
		t.Fatal(err)
	}
	f.say("new", wire.TypeFacts, wire.Facts{Session: session + "2", Seq: 1, Full: doc.Raw, Hash: doc.Hash})
	if history, err := f.History(t.Context(), HistoryQuery{Node: "new"}); err != nil || len(history) != 2 {
		t.Errorf("history: %+v, %v", history, err)
	}
}
