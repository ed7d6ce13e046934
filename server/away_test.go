package server

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
)

// gone is a broker that can be taken away.
type gone struct {
	*mail
	away atomic.Bool
}

func (g *gone) err() error {
	if g.away.Load() {
		return fmt.Errorf("it is away: %w", fettle.ErrUnavailable)
	}
	return nil
}

func (g *gone) Send(ctx context.Context, destination string, m wire.Message) (int, error) {
	if err := g.err(); err != nil {
		return 0, err
	}
	n, err := g.mail.Send(ctx, destination, m)
	return -min(n, 1), err // it does not tell who reads
}

// overForeign is a fleet that meets its server at a broker that is not the server's.
func overForeign(t *testing.T, cfg Config) (*fleet, *gone) {
	t.Helper()
	f := idleFleet(t, cfg, storetest.SQLite(t), newClock())
	g := &gone{mail: f.mail}
	f.Send, f.Away = g, g.err
	f.BrokerLost()
	f.BrokerBack()
	f.start()
	return f, g
}

func TestABrokerThatIsAwayMakesNobodySilent(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Beat = time.Second
	f, g := overForeign(t, cfg)
	f.join("n1", `{}`)
	f.clock.add(3 * time.Second)
	f.say("n1", wire.TypeBeat, wire.Beat{Session: session})
	f.livenessOf("n1", fettle.Alive)

	g.away.Store(true)
	f.BrokerLost()
	if err := f.Ready(t.Context()); err == nil {
		t.Error("it is ready without its broker")
	}
	f.clock.add(time.Hour)
	f.judge(t.Context())
	if n, _ := f.Inventory.Get("n1"); n.Liveness != fettle.Alive {
		t.Errorf("after an hour without a broker it is %s", n.Liveness)
	}
	f.presence.pause(storeAway) // and what a store does meanwhile changes nothing
	f.presence.resume(storeAway, f.clock.Now())
	f.judge(t.Context())
	if n, _ := f.Inventory.Get("n1"); n.Liveness != fettle.Alive {
		t.Errorf("after the store came back, and the broker did not, it is %s", n.Liveness)
	}

	g.away.Store(false)
	f.BrokerBack()
	if err := f.Ready(t.Context()); err != nil {
		t.Errorf("it is back: %v", err)
	}
	f.clock.add(2100 * time.Millisecond)
	f.livenessOf("n1", fettle.Late)
	f.clock.add(3 * time.Second)
	f.livenessOf("n1", fettle.Silent)
}

func TestWhatABrokerMayHaveLostIsSentAgain(t *testing.T) {
	f, g := overForeign(t, DefaultConfig())
	for _, id := range []fettle.NodeID{"n1", "n2"} {
		f.join(id, `{}`)
	}
	start := func() fettle.Run {
		t.Helper()
		run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	start()
	f.answer(f.tasks("n1")[0], fettle.StatusOK)
	f.BrokerLost()
	g.away.Store(true)
	while := start()
	if n := len(f.tasks("n2")); n != 1 {
		t.Errorf("%d tasks were sent over a broker that is away", n)
	}
	g.away.Store(false)
	f.BrokerBack()
	f.eventually("the nodes are asked to say hello", func() bool {
		asks := of[wire.Ask](t, f.mail, "n2", wire.TypeAsk)
		return len(asks) > 0 && asks[len(asks)-1].Hello
	})
	for _, id := range []fettle.NodeID{"n1", "n2"} {
		f.say(id, wire.TypeHello, wire.Hello{Session: session})
	}
	f.eventually("what was not sent is sent, and what may be lost is sent again", func() bool {
		return len(f.tasks("n1")) == 2 && len(f.tasks("n2")) == 3
	})
	if first, again := f.tasks("n2")[0], f.tasks("n2")[1]; first.ID != again.ID || f.tasks("n1")[1].Run != while.ID {
		t.Errorf("%+v came as %+v", first, again)
	}
}

func TestARunOverABrokerThatStaysAwayCountsNever(t *testing.T) {
	f, g := overForeign(t, DefaultConfig())
	f.join("n1", `{}`)
	g.away.Store(true)
	f.BrokerLost()
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	f.clock.add(2 * time.Second)
	f.eventually("it has ended", func() bool {
		run, err = f.RunByID(t.Context(), run.ID)
		return err == nil && run.Ended != 0
	})
	if want := (fettle.Tally{Roster: 1, Never: 1}); run.Tally != want {
		t.Errorf("%+v", run.Tally)
	}
}
