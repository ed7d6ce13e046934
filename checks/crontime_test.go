package checks

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func TestTurnsByCron(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it begins at midnight, 2000-01-01 UTC
		j := &journal{began: map[string][]time.Duration{}, start: time.Now()}
		set := []fettle.Check{{Name: "hourly", Rev: 1, Cron: "0 * * * *", Interval: 3_600_000}, {Name: "splayed", Rev: 1, Cron: "0 * * * *", Splay: 60_000, Interval: 3_600_000}}
		ctx, cancel := context.WithCancel(t.Context())
		ok := func(string, int) fettle.CheckStatus { return fettle.CheckOK }
		ahead := func() time.Duration { return 30 * time.Minute } // the node's clock is half an hour late
		done := make(chan error, 1)
		go func() { // ends with ctx, and is waited for below
			done <- Run(ctx, Source{Node: "n1", Checks: func() []fettle.Check { return set }, Ahead: ahead}, j.do(time.Second, ok))
		}()
		<-time.After(3 * time.Hour)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		want := []time.Duration{30 * time.Minute, 90 * time.Minute, 150 * time.Minute}
		if got := j.ran("hourly"); !slices.Equal(got, want) {
			t.Errorf("it ran after %v, want %v: on the hour by the server's clock", got, want)
		}
		for i, at := range j.ran("splayed") {
			if at < want[i] || at >= want[i]+time.Minute {
				t.Errorf("splayed over a minute it ran after %v", at)
			}
		}
	})
}
