package checks

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func TestScheduleIsSpreadAndStable(t *testing.T) {
	check := fettle.Check{Name: "check_load", Interval: 300_000}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	tenths := [10]int{}
	for i := range 1000 {
		s := ScheduleOf(check, fettle.NodeID(fmt.Sprintf("web%d.acme.net", i)))
		next := s.Next(now, false)
		if wait := next.Sub(now); wait <= 0 || wait > 5*time.Minute {
			t.Fatalf("next after %s", wait)
		}
		if again := s.Next(next.Add(-time.Nanosecond), false); !again.Equal(next) {
			t.Fatalf("asked at another moment it is %s, not %s", again, next)
		}
		if again := s.Next(next, false); again.Sub(next) != 5*time.Minute {
			t.Fatalf("the one behind comes after %s", again.Sub(next))
		}
		if first := s.First(now).Sub(now); first < 0 || first >= FirstWithin {
			t.Fatalf("first after %s", first)
		}
		tenths[int(next.Sub(now)-1)*10/int(5*time.Minute)]++
	}
	for i, n := range tenths {
		if n < 60 || n > 140 {
			t.Errorf("tenth %d of the interval has %d of 1000 nodes", i, n)
		}
	}
}

// journal notes when checks ran.
type journal struct {
	mu      sync.Mutex
	began   map[string][]time.Duration
	now, at int // running, and the most at once
	start   time.Time
}

func (j *journal) do(take time.Duration, status func(name string, n int) fettle.CheckStatus) Do {
	return func(ctx context.Context, check fettle.Check) fettle.CheckStatus {
		j.mu.Lock()
		j.began[check.Name] = append(j.began[check.Name], time.Since(j.start))
		n := len(j.began[check.Name])
		j.now++
		j.at = max(j.at, j.now)
		j.mu.Unlock()
		select {
		case <-time.After(take):
		case <-ctx.Done():
		}
		j.mu.Lock()
		j.now--
		j.mu.Unlock()
		return status(check.Name, n)
	}
}

func (j *journal) ran(name string) []time.Duration {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.began[name])
}

func newJournal() *journal { return &journal{began: map[string][]time.Duration{}, start: time.Now()} }

func allOK(string, int) fettle.CheckStatus { return fettle.CheckOK }

// keep runs source for span, and waits for its end.
func keep(t *testing.T, source Source, do Do, span time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	if err := Run(ctx, source, do); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func fixed(checks ...fettle.Check) func() []fettle.Check {
	return func() []fettle.Check { return checks }
}

func TestRunKeepsTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		keep(t, Source{Node: "n1", Checks: fixed(fettle.Check{Name: "a", Interval: 60_000}, fettle.Check{Name: "b", Interval: 30_000})}, j.do(time.Second, allOK), 10*time.Minute)
		if n := len(j.began["a"]); n < 10 || n > 11 {
			t.Errorf("a ran %d times in ten minutes: %v", n, j.began["a"])
		}
		if n := len(j.began["b"]); n < 20 || n > 21 {
			t.Errorf("b ran %d times in ten minutes: %v", n, j.began["b"])
		}
		if j.began["a"][0] > FirstWithin || j.began["a"][3]-j.began["a"][2] != time.Minute {
			t.Errorf("a ran at %v", j.began["a"])
		}
	})
}

func TestRunNeverTwiceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		keep(t, Source{Node: "n1", Checks: fixed(fettle.Check{Name: "slow", Interval: 10_000})}, j.do(25*time.Second, allOK), 2*time.Minute)
		if j.at != 1 {
			t.Errorf("%d at once", j.at)
		}
		if n := len(j.began["slow"]); n < 4 {
			t.Errorf("ran %d times: %v", n, j.began["slow"])
		}
	})
}

func TestRunHoldsItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		var all []fettle.Check
		for i := range 20 {
			all = append(all, fettle.Check{Name: fmt.Sprintf("c%d", i), Interval: 60_000})
		}
		keep(t, Source{Node: "n1", Checks: fixed(all...), Limit: 3}, j.do(8*time.Second, allOK), 5*time.Minute)
		if j.at != 3 {
			t.Errorf("%d at once", j.at)
		}
		for name, at := range j.began {
			if len(at) < 4 {
				t.Errorf("%s starved: %v", name, at)
			}
		}
		if len(j.began) != 20 || j.now != 0 {
			t.Errorf("%d checks ran, %d run on", len(j.began), j.now)
		}
	})
}

func TestRunAsksASoftStateAgainSooner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		check := fettle.Check{Name: "a", Interval: 600_000, Retry: 20_000, Attempts: 3}
		keep(t, Source{Node: "n1", Checks: fixed(check)}, j.do(0, func(_ string, n int) fettle.CheckStatus {
			if n == 1 {
				return fettle.CheckOK
			}
			return fettle.CheckCritical
		}), 40*time.Minute)
		at := j.began["a"]
		if len(at) < 5 || at[2]-at[1] != 20*time.Second || at[3]-at[2] != 20*time.Second || at[4]-at[3] < 9*time.Minute {
			t.Errorf("ok, then critical: ran at %v", at)
		}
	})
}

func TestRunTakesANewVersionOfAPlugin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		version, ran := "1.0.0", map[string]int{}
		source := Source{Node: "n1", Checks: func() []fettle.Check {
			mu.Lock()
			defer mu.Unlock()
			return []fettle.Check{{Name: "a", Rev: 1, Interval: 20_000, Plugin: &fettle.PluginRef{Name: "disk", Version: version}}}
		}}
		changed := make(chan struct{})
		source.Changed = changed
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- Run(ctx, source, func(_ context.Context, c fettle.Check) fettle.CheckStatus {
				mu.Lock()
				defer mu.Unlock()
				ran[c.Plugin.Version]++
				return fettle.CheckOK
			})
		}()
		<-time.After(time.Minute)
		mu.Lock()
		version = "2.0.0"
		before := ran["1.0.0"]
		mu.Unlock()
		changed <- struct{}{}
		<-time.After(time.Minute)
		mu.Lock()
		if before < 2 || ran["1.0.0"] != before || ran["2.0.0"] < 2 || ran["2.0.0"] > 4 {
			t.Errorf("a minute, the version changes, a minute: ran %v, and %d times before", ran, before)
		}
		mu.Unlock()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestRunFollowsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newJournal()
		var mu sync.Mutex
		all := []fettle.Check{{Name: "a", Rev: 1, Interval: 3_600_000}, {Name: "gone", Rev: 1, Interval: 20_000}}
		changed := make(chan struct{})
		source := Source{Node: "n1", Changed: changed, Checks: func() []fettle.Check {
			mu.Lock()
			defer mu.Unlock()
			return all
		}}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- Run(ctx, source, j.do(time.Second, allOK)) }()
		<-time.After(time.Minute)
		mu.Lock()
		all = []fettle.Check{{Name: "a", Rev: 2, Interval: 3_600_000}, {Name: "new", Rev: 1, Interval: 20_000}}
		mu.Unlock()
		changed <- struct{}{}
		<-time.After(15 * time.Second)
		if n := len(j.ran("a")); n < 2 {
			t.Errorf("the new rev of a did not run soon: %v", j.ran("a"))
		}
		if len(j.ran("new")) == 0 {
			t.Errorf("new did not run soon")
		}
		<-time.After(time.Minute)
		if gone := j.ran("gone"); gone[len(gone)-1] > time.Minute {
			t.Errorf("gone ran at %s", gone)
		}
		close(changed) // a source that ends its channel costs no processor time
		<-time.After(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
