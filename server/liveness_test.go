package server

import (
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// livenessOf gives what the inventory says of a node, once the server has looked again.
func (f *fleet) livenessOf(node fettle.NodeID, want fettle.Liveness) {
	f.t.Helper()
	f.eventually(string(node)+" is "+string(want), func() bool {
		n, known := f.Inventory.Get(node)
		return known && n.Liveness == want
	})
}

func TestLiveness(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Beat = time.Second // looked at often; the clock is the test's
	f := newFleet(t, cfg)
	f.join("n1", `{}`)
	f.join("n2", `{}`)
	beat := func(node fettle.NodeID) { f.say(node, wire.TypeBeat, wire.Beat{Session: session}) }

	f.clock.add(3 * time.Second) // past settling
	beat("n1")
	f.livenessOf("n2", fettle.Late)
	f.livenessOf("n1", fettle.Alive)

	f.clock.add(2500 * time.Millisecond)
	beat("n1")
	f.livenessOf("n2", fettle.Silent)
	f.livenessOf("n1", fettle.Alive)

	beat("n2")
	f.livenessOf("n2", fettle.Alive)

	f.Disconnected("n1")
	f.livenessOf("n1", fettle.Late)
	beat("n1")
	f.livenessOf("n1", fettle.Alive)

	events, err := f.Store.NodeEvents(t.Context(), "n2", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[fettle.EventKind]bool{}
	for _, e := range events {
		seen[e.Kind] = true
	}
	for _, kind := range []fettle.EventKind{fettle.EventEnrolled, fettle.EventLate, fettle.EventSilent, fettle.EventAlive} {
		if !seen[kind] {
			t.Errorf("no event %q of n2: %+v", kind, events)
		}
	}
}

func TestAServerThatWasAwayBlamesNobody(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Beat = time.Second
	f := newFleet(t, cfg)
	f.join("n1", `{}`)
	f.stop()
	f.clock.add(time.Hour)

	g := openFleet(t, cfg, f.dsn, f.clock)
	n, known := g.Inventory.Get("n1")
	if !known || n.Liveness != fettle.Alive {
		t.Fatalf("after an hour away: %+v", n)
	}
	g.clock.add(2100 * time.Millisecond) // settled, and two beats were missed while it listened
	g.livenessOf("n1", fettle.Late)
}

func TestASilentNodeStaysSilentOverARestart(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Beat = time.Second
	f := newFleet(t, cfg)
	f.join("n1", `{}`)
	f.clock.add(10 * time.Second)
	f.livenessOf("n1", fettle.Silent)
	f.stop()

	g := openFleet(t, cfg, f.dsn, f.clock)
	if n, _ := g.Inventory.Get("n1"); n.Liveness != fettle.Silent {
		t.Errorf("after the restart: %s", n.Liveness)
	}
	g.say("n1", wire.TypeBeat, wire.Beat{Session: session})
	g.clock.add(2100 * time.Millisecond)
	g.say("n1", wire.TypeBeat, wire.Beat{Session: session})
	g.livenessOf("n1", fettle.Alive)
}

func TestSeenIsStored(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Beat = time.Second
	f := newFleet(t, cfg)
	f.join("n1", `{}`)
	f.clock.add(2 * time.Minute)
	f.say("n1", wire.TypeBeat, wire.Beat{Session: session})
	f.eventually("the moment is stored", func() bool {
		var at fettle.Millis
		err := f.Store.LoadNodes(t.Context(), func(n fettle.Node) error { at = n.Seen; return nil })
		return err == nil && at == fettle.MillisOf(f.clock.Now())
	})
}
