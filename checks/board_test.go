package checks

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	fettle "github.com/fettle-dev/fettle"
)

func noFault(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func TestBoardLife(t *testing.T) {
	check := fettle.Check{Name: "c", Rev: 1, Interval: 60_000, Timeout: 10_000}
	b := NewBoard()
	status := func(when string, now fettle.Millis, want fettle.CheckStatus, tally fettle.CheckTally) {
		t.Helper()
		v, err := b.Verdict("c", now)
		if err != nil || v.Status != want || v.Tally != tally {
			t.Errorf("%s: got %s %+v, %v", when, v.Status, v.Tally, err)
		}
	}
	if _, err := b.Verdict("c", 0); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("an unknown check: %v", err)
	}
	b.Define(check, Thresholds{}, minute)
	status("nobody is a member", minute, fettle.CheckUnknown, fettle.CheckTally{})
	if err := b.PutAll("c", []fettle.NodeID{"n1", "n2"}, []fettle.NodeID{"u"}, minute); err != nil {
		t.Fatal(err)
	}
	status("no result yet", minute, fettle.CheckUnknown, fettle.CheckTally{Total: 2, Unknown: 2, Undefined: 1})
	b.Take(result(check, "n1", "ok"), Order{"s", 1}, minute)
	_, tr, taken := b.Take(result(check, "n2", "ok"), Order{"s", 1}, 2*minute)
	if tr == nil || !taken {
		t.Error("the first result is a transition")
	}
	status("both are well", 2*minute, fettle.CheckOK, fettle.CheckTally{Total: 2, OK: 2, Undefined: 1})
	status("n1 has become stale", 4*minute, fettle.CheckUnknown, fettle.CheckTally{Total: 2, OK: 1, Unknown: 1, Stale: 1, Undefined: 1})
	if got := b.States("n1", 4*minute)["c"].Status; got != fettle.CheckStale {
		t.Errorf("state of n1: %s", got)
	}
	b.SetSilent("n1", true, 4*minute)
	status("n1 is silent", 4*minute, fettle.CheckUnknown, fettle.CheckTally{Total: 2, OK: 1, Unknown: 1, Silent: 1, Undefined: 1})
	b.SetSilent("n1", false, 4*minute)
	b.Take(result(check, "n1", "critical"), Order{"s", 2}, 4*minute)
	status("n1 is back, and critical", 4*minute, fettle.CheckCritical, fettle.CheckTally{Total: 2, OK: 1, Critical: 1, Undefined: 1})
	if err := b.Put("c", "n1", Outside, 4*minute); err != nil {
		t.Fatal(err)
	}
	status("n1 is no member any more", 4*minute, fettle.CheckOK, fettle.CheckTally{Total: 1, OK: 1, Undefined: 1})
	check.Rev, check.Undefined = 2, fettle.CheckUnknown
	b.Define(check, Thresholds{}, 4*minute)
	status("a new rev counts the undefined", 4*minute, fettle.CheckUnknown, fettle.CheckTally{Total: 2, OK: 1, Unknown: 1})
	b.Forget("u", 4*minute)
	b.Forget("n2", 4*minute)
	status("nobody is left", 4*minute, fettle.CheckUnknown, fettle.CheckTally{})
	b.Remove("c", 4*minute)
	if names := b.Names(); len(names) != 0 {
		t.Errorf("checks: %v", names)
	}
}

func TestBoardSettles(t *testing.T) {
	check := fettle.Check{Name: "c", Interval: 60_000}
	b := NewBoard()
	b.Define(check, Thresholds{}, minute)
	noFault(t, b.PutAll("c", []fettle.NodeID{"n1"}, nil, minute))
	b.Settle(2*minute, map[string]Held{"c": {fettle.CheckWarning, 7}})
	v, _ := b.Verdict("c", minute)
	if !v.Settling || v.Status != fettle.CheckWarning || v.Since != 7 {
		t.Errorf("while settling: %+v", v)
	}
	v, _ = b.Verdict("c", 2*minute)
	if v.Settling || v.Status != fettle.CheckUnknown || v.Since != 2*minute {
		t.Errorf("afterwards: %+v", v)
	}
}

func TestBoardRestores(t *testing.T) {
	check := fettle.Check{Name: "c", Interval: 60_000, Timeout: 10_000}
	b := NewBoard()
	b.Define(check, Thresholds{}, 9*minute)
	noFault(t, b.PutAll("c", []fettle.NodeID{"n1", "n2"}, nil, 9*minute))
	b.Restore([]fettle.CheckState{
		{Check: "c", Node: "n2", Status: fettle.CheckOK, Soft: fettle.CheckOK, At: 9 * minute, Session: "s", Seq: 5},
		{Check: "c", Node: "n1", Status: fettle.CheckOK, Soft: fettle.CheckOK, At: 6 * minute},
		{Check: "gone", Node: "n1", Status: fettle.CheckOK, Soft: fettle.CheckOK, At: 6 * minute},
	}, 9*minute)
	v, _ := b.Verdict("c", 9*minute)
	if v.Tally != (fettle.CheckTally{Total: 2, OK: 1, Unknown: 1, Stale: 1}) {
		t.Errorf("tally %+v", v.Tally)
	}
	if _, _, taken := b.Take(result(check, "n2", "critical"), Order{"s", 5}, 9*minute); taken {
		t.Error("a result that was taken before the restart is taken again")
	}
}

// TestBoardAgreesWithFold does things by chance, and holds the kept verdict to the one that is folded from nothing.
func TestBoardAgreesWithFold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	check := fettle.Check{Name: "c", Rev: 1, Interval: 60_000, Timeout: 10_000, Attempts: 2}
	b := NewBoard()
	b.Define(check, Thresholds{}, 0)
	places := map[fettle.NodeID]Place{}
	states := map[fettle.NodeID]fettle.CheckState{}
	silent := map[fettle.NodeID]bool{}
	now := minute
	words := []string{"ok", "ok", "ok", "warning", "critical", "unknown"}
	for i := range 5000 {
		now += fettle.Millis(rng.IntN(2000))
		node := fettle.NodeID(fmt.Sprintf("n%d", rng.IntN(40)))
		switch rng.IntN(10) {
		case 0:
			places[node] = Place(rng.IntN(3))
			if err := b.Put("c", node, places[node], now); err != nil {
				t.Fatal(err)
			}
			if places[node] == Outside {
				delete(states, node)
			}
		case 1:
			silent[node] = rng.IntN(2) == 0
			b.SetSilent(node, silent[node], now)
		case 2:
			if rng.IntN(20) == 0 {
				check.Interval, check.Undefined = int64(30_000+rng.IntN(90_000)), []fettle.CheckStatus{"", fettle.CheckUnknown}[rng.IntN(2)]
				b.Define(check, Thresholds{}, now)
			}
		default:
			r := result(check, node, words[rng.IntN(len(words))])
			order := Order{"s", int64(i)}
			next, _, _ := Apply(states[node], r, check, order, now)
			states[node] = next
			if got, _, _ := b.Take(r, order, now); !cmp.Equal(got, next) {
				t.Fatalf("step %d: the board has %+v, want %+v", i, got, next)
			}
			if places[node] == Outside {
				b.Forget(node, now)
				delete(states, node)
				silent[node] = false
			}
		}
		g := States{Check: check, Now: now}
		for node, place := range places {
			switch place {
			case Member:
				g.Members = append(g.Members, NodeState{Node: node, State: states[node], Silent: silent[node]})
			case Undefined:
				g.Undefined = append(g.Undefined, node)
			}
		}
		want := Fold(g)
		got, err := b.Verdict("c", now)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(fettle.Verdict{}, "Since")); diff != "" {
			t.Fatalf("step %d (-folded +kept):\n%s", i, diff)
		}
		var members []fettle.NodeID
		for _, m := range g.Members {
			members = append(members, m.Node)
		}
		if over, _ := b.Over("c", members, g.Undefined, Thresholds{}, now); !cmp.Equal(want, over) {
			t.Fatalf("step %d: over the same nodes it is %+v", i, over)
		}
		if c := got.Tally; c.Total != c.OK+c.Warning+c.Critical+c.Unknown || c.Silent+c.Stale > c.Unknown {
			t.Fatalf("tally %+v", c)
		}
	}
}

func TestBoardConcurrently(t *testing.T) {
	check := fettle.Check{Name: "c", Interval: 60_000}
	b := NewBoard()
	b.Define(check, Thresholds{}, 0)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				node := fettle.NodeID(fmt.Sprintf("n%d", i))
				noFault(t, b.Put("c", node, Member, minute))
				b.Take(result(check, node, "critical"), Order{"s", int64(w)}, minute)
				if v, err := b.Verdict("c", minute); err != nil || len(v.Nodes[fettle.CheckCritical]) != v.Tally.Critical {
					t.Errorf("verdict %+v, %v", v.Tally, err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkTake20kNodes(b *testing.B) {
	check := fettle.Check{Name: "c", Interval: 60_000, Attempts: 3}
	board := NewBoard()
	board.Define(check, Thresholds{}, 0)
	nodes := make([]fettle.NodeID, 20_000)
	for i := range nodes {
		nodes[i] = fettle.NodeID(fmt.Sprintf("web%05d.acme.net", i))
	}
	noFault(b, board.PutAll("c", nodes, nil, 0))
	r := result(check, "", "ok")
	for _, node := range nodes {
		r.Node = node
		board.Take(r, Order{"s", 0}, 0)
	}
	for i := 1; b.Loop(); i++ {
		r.Node = nodes[i%len(nodes)]
		board.Take(r, Order{"s", int64(i)}, 0)
		if _, err := board.Verdict("c", 0); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTakeStale(t *testing.T) {
	check := fettle.Check{Name: "c", Rev: 1, Interval: 1000, Timeout: 1000, Attempts: 1}
	b := NewBoard()
	b.Define(check, Thresholds{}, 0)
	if err := b.PutAll("c", []fettle.NodeID{"a", "b"}, nil, 0); err != nil {
		t.Fatal(err)
	}
	result := func(node fettle.NodeID, seq int64, now fettle.Millis) {
		r := fettle.Result{Node: node, Check: "c", CheckRev: 1, Output: &fettle.CheckOutput{Code: fettle.CodeCritical}}
		if _, _, taken := b.Take(r, Order{"s", seq}, now); !taken {
			t.Fatal("not taken")
		}
	}
	result("a", 1, 1000)
	result("b", 1, 3000)
	if got := b.TakeStale(9, 4000); len(got) != 0 {
		t.Errorf("at 4 s: %+v", got)
	}
	if got := b.TakeStale(9, 4001); len(got) != 1 || got[0].Node != "a" || got[0].Stale != 4001 {
		t.Errorf("after three seconds: %+v", got)
	}
	if got := b.TakeStale(9, 4002); len(got) != 0 {
		t.Errorf("told twice: %+v", got)
	}
	if _, err := b.Verdict("c", 7000); err != nil { // which expires the other one
		t.Fatal(err)
	}
	result("b", 2, 7000)
	if got := b.TakeStale(9, 7001); len(got) != 0 {
		t.Errorf("one that has a result since: %+v", got)
	}
}
