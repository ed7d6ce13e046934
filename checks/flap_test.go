package checks

import (
	"math/rand/v2"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestFlapping(t *testing.T) {
	check := fettle.Check{FlapLow: 20, FlapHigh: 30}
	f := flapping{}
	for i := range 5 {
		f = f.next(true, 1, check)
		if f.is {
			t.Fatalf("flapping after %d changes, of which each weighs at most 6.25 %%", i+1)
		}
	}
	if f = f.next(false, 1, check).next(true, 1, check); !f.is {
		t.Errorf("not flapping after six changes in seven results: %.1f %%", f.percent())
	}
	quiet := 0
	for ; f.is; quiet++ {
		f = f.next(false, 1, check)
	}
	if quiet < 10 || quiet > 20 {
		t.Errorf("it ended after %d results without a change", quiet)
	}
	if f = f.next(true, 1, check).next(false, 1<<20, check); f.changes != 0 {
		t.Errorf("a million like results leave %b", f.changes)
	}
	all := flapping{}
	for range 40 {
		all = all.next(true, 1, check)
	}
	if p := all.percent(); p < 99.999 || p > 100.001 {
		t.Errorf("a change every time is %.4f %%", p)
	}
	if never := all.next(true, 1, fettle.Check{}); never.is {
		t.Error("a check without thresholds flaps")
	}
}

// TestApplyHolds holds Apply to what it promises, whatever comes.
func TestApplyHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	codes := []string{"ok", "warning", "critical", "unknown"}
	for range 300 {
		check := fettle.Check{Name: "c", Rev: 1, Attempts: 1 + r.IntN(4), FlapLow: 20, FlapHigh: 30, Interval: 60_000}
		var state fettle.CheckState
		now, bad, seq := fettle.Millis(1000), 0, int64(0)
		counts, shown := fettle.CheckStatus(""), fettle.CheckStatus("")
		flaps := false
		for range 60 {
			now, seq = now.Add(60e9), seq+1
			one := result(check, "n", codes[min(r.IntN(8), 3)])
			before := state
			next, tr, taken := Apply(state, one, check, Order{"s", seq}, now)
			if !taken {
				t.Fatal("the next result was not taken")
			}
			said := StatusOf(one)
			if said == fettle.CheckOK {
				bad = 0
			} else {
				bad++
			}
			switch {
			case next.Soft != said:
				t.Fatalf("soft is %s after %s", next.Soft, said)
			case said == fettle.CheckOK && next.Status != fettle.CheckOK:
				t.Fatal("a recovery did not count at once")
			case before.Status == fettle.CheckOK && said != fettle.CheckOK && (next.Status != fettle.CheckOK) != (bad >= check.Attempts):
				t.Fatalf("after %d bad results of %d it counts as %s", bad, check.Attempts, next.Status)
			case next.Status != before.Status && next.Since != now, next.Status == before.Status && next.Since != before.Since:
				t.Fatalf("since %d, it was %d, now is %d", next.Since, before.Since, now)
			case next.Changes>>flapChances != 0:
				t.Fatalf("%b changes", next.Changes)
			}
			if tr != nil {
				if tr.Hard {
					if tr.From != counts {
						t.Fatalf("a transition from %q, and it was %q", tr.From, counts)
					}
					counts = tr.To
				}
				if tr.Flap != fettle.FlapNone {
					flaps = tr.Flap == fettle.FlapBegan
				}
				shown = tr.To
			}
			if counts != next.Status || flaps != next.Flapping || tr == nil && shown != "" && before.Soft != next.Soft {
				t.Fatalf("transitions lead to %s, flapping %v; the state is %s, %v", counts, flaps, next.Status, next.Flapping)
			}
			if again, _, taken := Apply(next, one, check, Order{"s", seq}, now); taken || again.At != next.At {
				t.Fatal("the same result was taken twice")
			}
			state = next
		}
	}
}

func TestAStateThatWasStale(t *testing.T) {
	check := fettle.Check{Name: "c", Rev: 1, Attempts: 1, Interval: 60_000}
	state, _, _ := Apply(fettle.CheckState{}, result(check, "n", "ok"), check, Order{"s", 1}, 1000)
	state.Stale = 500_000
	next, tr, _ := Apply(state, result(check, "n", "ok"), check, Order{"s", 2}, 600_000)
	if tr == nil || !tr.Hard || tr.From != fettle.CheckStale || tr.To != fettle.CheckOK || next.Since != 600_000 || next.Stale != 0 {
		t.Errorf("%+v, %+v", next, tr)
	}
}
