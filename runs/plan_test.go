package runs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	fettle "github.com/fettle-dev/fettle"
)

// ten is a fleet of ten nodes that do well, but for those that are named.
func ten(others map[int]fate) []fate {
	out := make([]fate, 10)
	for i, f := range others {
		out[i] = f
	}
	return out
}

func TestPace(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		pace  fettle.Pace
		fates []fate
		gate  func(time.Duration) bool
		tally fettle.Tally
		sent  []time.Duration // when each was asked
		stop  string
	}{
		{
			name: "nothing said: everybody at once", fates: ten(nil), tally: fettle.Tally{OK: 10}, sent: slices.Repeat([]time.Duration{0}, 10),
		}, {
			name: "batches wait for each other", pace: fettle.Pace{Batch: "4"}, fates: ten(nil), tally: fettle.Tally{OK: 10},
			sent: []time.Duration{0, 0, 0, 0, s, s, s, s, 2 * s, 2 * s},
		}, {
			name: "a batch is a part of the roster, rounded up", pace: fettle.Pace{Batch: "45%"}, fates: ten(nil), tally: fettle.Tally{OK: 10},
			sent: []time.Duration{0, 0, 0, 0, 0, s, s, s, s, s},
		}, {
			name: "a silent node holds up its batch until its time is over", pace: fettle.Pace{Batch: "5"}, fates: ten(map[int]fate{2: isSilent}),
			tally: fettle.Tally{OK: 9, Silent: 1}, sent: append(slices.Repeat([]time.Duration{0}, 5), slices.Repeat([]time.Duration{60 * s}, 5)...),
		}, {
			name: "who is away takes no room in a batch", pace: fettle.Pace{Batch: "2"}, fates: []fate{isAway, well, well, isAway, well},
			tally: fettle.Tally{OK: 3, Never: 2}, sent: []time.Duration{-1, 0, 0, -1, s},
		}, {
			name: "sleep comes after the last answer", pace: fettle.Pace{Batch: "5", BatchSleep: 30_000}, fates: ten(nil), tally: fettle.Tally{OK: 10},
			sent: append(slices.Repeat([]time.Duration{0}, 5), slices.Repeat([]time.Duration{31 * s}, 5)...),
		}, {
			name: "canaries go first", pace: fettle.Pace{Canary: 2}, fates: ten(nil), tally: fettle.Tally{OK: 10},
			sent: append([]time.Duration{0, 0}, slices.Repeat([]time.Duration{s}, 8)...),
		}, {
			name: "a canary that is away is another's turn", pace: fettle.Pace{Canary: 1}, fates: []fate{isAway, well, well}, tally: fettle.Tally{OK: 2, Never: 1},
			sent: []time.Duration{-1, 0, s},
		}, {
			name: "a canary that fails is the last", pace: fettle.Pace{Canary: 2, Batch: "4"}, fates: ten(map[int]fate{1: fails}),
			tally: fettle.Tally{OK: 1, Failed: 1, Never: 8}, sent: []time.Duration{0, 0}, stop: "canary: of 2 asked 1 failed",
		}, {
			name: "so is one that is silent", pace: fettle.Pace{Canary: 1}, fates: ten(map[int]fate{0: isSilent}),
			tally: fettle.Tally{Silent: 1, Never: 9}, sent: []time.Duration{0}, stop: "canary",
		}, {
			name: "what fails after the canaries does not stop", pace: fettle.Pace{Canary: 1}, fates: ten(map[int]fate{5: fails}),
			tally: fettle.Tally{OK: 9, Failed: 1}, sent: append([]time.Duration{0}, slices.Repeat([]time.Duration{s}, 9)...),
		}, {
			name: "the first failure stops", pace: fettle.Pace{Concurrency: 1, MaxFailed: "0"}, fates: ten(map[int]fate{2: fails}),
			tally: fettle.Tally{OK: 2, Failed: 1, Never: 7}, sent: []time.Duration{0, s, 2 * s}, stop: "1 failed, and 0 may",
		}, {
			name: "a tenth may fail, and not more", pace: fettle.Pace{Batch: "2", MaxFailed: "10%"}, fates: ten(map[int]fate{1: fails, 5: fails}),
			tally: fettle.Tally{OK: 4, Failed: 2, Never: 4}, sent: []time.Duration{0, 0, s, s, 2 * s, 2 * s}, stop: "2 failed, and 1 may",
		}, {
			name: "silence stops", pace: fettle.Pace{Batch: "5", MaxSilent: "1"}, fates: ten(map[int]fate{0: isSilent, 1: isSilent}),
			tally: fettle.Tally{OK: 3, Silent: 2, Never: 5}, sent: slices.Repeat([]time.Duration{0}, 5), stop: "2 were silent, and 1 may be",
		}, {
			name: "the gate opens after a while", pace: fettle.Pace{Batch: "5", While: "x"}, fates: ten(nil), tally: fettle.Tally{OK: 10},
			gate: func(at time.Duration) bool { return at == 0 || at >= 20*s },
			sent: append(slices.Repeat([]time.Duration{0}, 5), slices.Repeat([]time.Duration{21 * s}, 5)...),
		}, {
			name: "the gate stays closed", pace: fettle.Pace{Batch: "5", While: "x", WhileTimeout: 60_000}, fates: ten(nil), tally: fettle.Tally{OK: 5, Never: 5},
			gate: func(at time.Duration) bool { return at == 0 }, sent: slices.Repeat([]time.Duration{0}, 5), stop: "the gate was closed for 1m0s",
		}, {
			name: "without batches the gate is asked as the run goes", pace: fettle.Pace{Concurrency: 1, While: "x", WhileTimeout: 1000},
			fates: ten(nil), gate: func(at time.Duration) bool { return at < 3*s }, tally: fettle.Tally{OK: 3, Never: 7}, sent: []time.Duration{0, s, 2 * s}, stop: "the gate",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := NewPlan(c.pace, len(c.fates))
			if err != nil {
				t.Fatal(err)
			}
			r := newSim(plan, c.fates...)
			if r.gate = c.gate; !r.run() {
				t.Fatalf("it does not end: %+v", r.steps[len(r.steps)-1])
			}
			if diff := cmp.Diff(c.tally, r.tally); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.sent, r.sent); diff != "" {
				t.Error(diff)
			}
			if !strings.Contains(r.stopped, c.stop) || (c.stop == "") != (r.stopped == "") {
				t.Errorf("stopped %q, want %q", r.stopped, c.stop)
			}
		})
	}
}

func TestOthersCount(t *testing.T) {
	busy := func(at time.Duration) int { return map[bool]int{true: 3, false: 0}[at < 5*time.Second] }
	for _, lock := range []int{0, 4} {
		pace := fettle.Pace{Concurrency: 4}
		if lock > 0 {
			pace = fettle.Pace{Locks: map[string]int{"l": 4}}
		}
		plan, err := NewPlan(pace, 10)
		if err != nil {
			t.Fatal(err)
		}
		r := newSim(plan, ten(nil)...)
		if r.others, r.lock = busy, lock; !r.run() {
			t.Fatal("it does not end")
		}
		const s = time.Second
		if diff := cmp.Diff([]time.Duration{0, s, 2 * s, 3 * s, 4 * s, 5 * s, 5 * s, 5 * s, 5 * s, 6 * s}, r.sent); diff != "" {
			t.Errorf("lock of %d: %s", lock, diff)
		}
	}
}

func TestWhatIsWaitedFor(t *testing.T) {
	plan, err := NewPlan(fettle.Pace{Batch: "2", Canary: 1, BatchSleep: 5000}, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		k    Known
		want fettle.Progress
	}{
		{Known{Left: 5, Ready: 5}, fettle.Progress{Phase: fettle.PhaseCanary, Batch: 1, Batches: 3}},
		{Known{Left: 4, Ready: 4, Out: 1}, fettle.Progress{Phase: fettle.PhaseCanary, Batch: 1, Batches: 3, WaitingFor: "the canaries: 1 have not answered yet"}},
		{
			Known{Left: 4, Ready: 4, OK: 1, Now: epoch.Add(time.Second), Quiet: epoch},
			fettle.Progress{Phase: fettle.PhaseWaiting, Batch: 1, Batches: 3, WaitingFor: "the sleep of 5s after the canaries"},
		},
		{Known{Left: 4, Ready: 4, OK: 1, Now: epoch.Add(5 * time.Second), Quiet: epoch}, fettle.Progress{Phase: fettle.PhaseAsking, Batch: 2, Batches: 3}},
		{Known{Left: 2, Ready: 2, OK: 2, Out: 1}, fettle.Progress{Phase: fettle.PhaseAsking, Batch: 2, Batches: 3, WaitingFor: "batch 2: 1 have not answered yet"}},
		{Known{Left: 2, Ready: 2, OK: 2, Out: 1, Held: "it is paused"}, fettle.Progress{Phase: fettle.PhaseWaiting, Batch: 3, Batches: 3, WaitingFor: "it is paused"}},
		{Known{OK: 4, Out: 1}, fettle.Progress{Phase: fettle.PhaseAnswering, Batch: 3, Batches: 3}},
	} {
		if diff := cmp.Diff(c.want, plan.Next(c.k).Progress); diff != "" {
			t.Errorf("%+v: %s", c.k, diff)
		}
	}
}

// TestAnyPace holds every pace, over every fleet, to what a run promises.
func TestAnyPace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fates := rapid.SliceOfN(rapid.SampledFrom([]fate{well, well, well, fails, isSilent, isAway}), 1, 60).Draw(t, "fates")
		share := rapid.SampledFrom([]fettle.Share{"", "1", "3", "50%", "7%"})
		limit := rapid.SampledFrom([]fettle.Share{"", "", "0", "2", "10%"})
		pace := fettle.Pace{
			Batch: share.Draw(t, "batch"), Canary: rapid.IntRange(0, 4).Draw(t, "canary"), Concurrency: rapid.IntRange(0, 5).Draw(t, "concurrency"),
			MaxFailed: limit.Draw(t, "failed"), MaxSilent: limit.Draw(t, "silent"),
		}
		if rapid.Bool().Draw(t, "gated") {
			pace.While, pace.WhileTimeout = "x", 30_000
		}
		plan, err := NewPlan(pace, len(fates))
		if err != nil {
			t.Fatal(err)
		}
		r := newSim(plan, fates...)
		for i := range r.takes {
			r.takes[i] = time.Duration(rapid.IntRange(1, 20).Draw(t, "takes")) * time.Second
		}
		shut := rapid.IntRange(0, 100).Draw(t, "shut")
		r.gate = func(at time.Duration) bool { return int(at.Seconds())%100 >= shut/2 }
		if !r.run() {
			t.Fatalf("it does not end: %+v", r.known())
		}
		y := r.tally
		if y.OK+y.Failed+y.Silent+y.Never != len(fates) {
			t.Fatalf("%+v of %d", y, len(fates))
		}
		if pace.Concurrency > 0 && r.maxOut > pace.Concurrency {
			t.Fatalf("%d at once", r.maxOut)
		}
		if r.stopped == "" && len(r.sent) != len(fates) {
			t.Fatalf("not stopped, and %d of %d had their turn", len(r.sent), len(fates))
		}
		batchesApart(t, plan, r)
	})
}

// batchesApart looks whether nobody was asked while somebody of an earlier batch was out, and no batch was too large.
func batchesApart(t *rapid.T, plan Plan, r *sim) {
	asked, last := 0, map[int]time.Duration{} // when the last of a batch ended
	for i, at := range r.sent {
		if at < 0 {
			continue
		}
		batch := plan.place(asked).batch
		end := at + r.takes[i]
		if r.fates[i] == isSilent {
			end = at + r.timeout
		}
		if before, is := last[batch-1]; is && at < before {
			t.Fatalf("node %d of batch %d was asked at %s, and the batch before went on until %s", i, batch, at, before)
		}
		last[batch] = max(last[batch], end)
		asked++
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		pace fettle.Pace
		want string // empty: it is right
	}{
		{fettle.Pace{}, ""},
		{fettle.Pace{Batch: "25%", BatchSleep: 1000, Canary: 1, Limit: "10", LimitRandom: true, Order: "facts.rack", SpreadBy: `mountpoints."/boot".size`}, ""},
		{fettle.Pace{MaxFailed: "0", MaxSilent: "2.5%", Locks: map[string]int{"puppet": 4}}, ""},
		{fettle.Pace{Batch: "0"}, "pace.batch"},
		{fettle.Pace{Batch: "many"}, "pace.batch"},
		{fettle.Pace{Limit: "101%"}, "pace.limit"},
		{fettle.Pace{MaxFailed: "-1"}, "pace.max_failed"},
		{fettle.Pace{MaxSilent: "1.5"}, "pace.max_silent"},
		{fettle.Pace{Canary: -1}, "pace.canary"},
		{fettle.Pace{BatchSleep: 1}, "pace.batch_sleep_ms"},
		{fettle.Pace{Order: "facts."}, "pace.order"},
		{fettle.Pace{SpreadBy: "facts.a..b"}, "pace.spread_by"},
		{fettle.Pace{LimitRandom: true}, "pace.limit_random"},
		{fettle.Pace{WhileTimeout: 1}, "pace.while_timeout_ms"},
		{fettle.Pace{Locks: map[string]int{"puppet": 0}}, "pace.locks"},
		{fettle.Pace{Locks: map[string]int{"a b": 1}}, "pace.locks"},
	} {
		err := Check(c.pace)
		if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, fettle.ErrInvalid) || !strings.Contains(fmt.Sprint(err), c.want)) {
			t.Errorf("%+v: %v, want %q", c.pace, err, c.want)
		}
		if Paced(c.pace) == (fmt.Sprint(c.pace) == fmt.Sprint(fettle.Pace{})) {
			t.Errorf("%+v: paced %t", c.pace, Paced(c.pace))
		}
	}
}
