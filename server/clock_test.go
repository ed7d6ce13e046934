package server

import (
	"testing"
	"time"

	"github.com/fettle-dev/fettle/wire"
)

func TestNodesAreToldTheTimeAnew(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{}`)
	f.eventually("hello is answered", func() bool { return len(of[wire.Welcome](t, f.mail, "n1", wire.TypeWelcome)) == 1 })
	f.clock.add(-time.Hour)
	f.tellTime(t.Context())
	got := of[wire.Ask](t, f.mail, "n1", wire.TypeAsk)
	if len(got) != 1 || !got[0].Hello {
		t.Errorf("asked %+v", got)
	}
}

func TestStepped(t *testing.T) {
	now := time.Now()
	for _, to := range []time.Time{now, now.Add(time.Hour), now.Add(-time.Hour), now.Add(time.Hour).Round(0), now.UTC()} {
		if got := stepped(now, to); got != 0 {
			t.Errorf("from %s to %s: %s", now, to, got)
		}
	}
}
