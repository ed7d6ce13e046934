package server

import (
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func TestNodesAreToldTheTimeAnew(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{}`)
	f.eventually("hello is answered", func() bool { return len(of[wire.Welcome](t, f.mail, "n1", wire.TypeWelcome)) == 1 })
	f.clock.add(-time.Hour)
	f.tellTime(t.Context())
	got := of[wire.Welcome](t, f.mail, "n1", wire.TypeWelcome)
	if len(got) != 2 || got[1].Time != fettle.MillisOf(f.clock.Now()) || got[1].NeedFacts || got[1].BeatMS != 30_000 {
		t.Errorf("told %+v", got)
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
