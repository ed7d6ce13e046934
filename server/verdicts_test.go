package server

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// play answers every task of a check command with a code, as agents do.
func (f *fleet) play(codes map[fettle.NodeID]fettle.CheckCode) {
	done := make(map[fettle.TaskID]bool)
	stop := make(chan struct{})
	ended := make(chan struct{})
	f.t.Cleanup(func() { close(stop); <-ended })
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-f.mail.came:
			}
			for node, code := range codes {
				for _, task := range f.tasks(node) {
					if done[task.ID] {
						continue
					}
					done[task.ID] = true
					m, err := wire.Seal(wire.Envelope{Type: wire.TypeResults, From: string(node), At: fettle.MillisOf(f.clock.Now())}, wire.Results{
						Session: session, Seq: int64(len(done)), Results: []fettle.Result{{
							Task: task.ID, Node: node, Run: task.Run, Action: task.Action, Output: &fettle.CheckOutput{Code: code, Line: "line of " + string(node)},
						}},
					}, nil)
					if err != nil {
						f.t.Error(err)
						return
					}
					f.Collect(Incoming{Destination: f.dest.Results(), Message: m, Sender: node, Done: func(error) {}})
				}
			}
		}
	}()
}

func TestLiveVerdicts(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{"role":"web"}`, "check_load")
	f.join("n2", `{"role":"web"}`, "check_load")
	f.join("n3", `{"role":"db"}`, "check_load")
	f.join("n4", `{"role":"web"}`)
	f.play(map[fettle.NodeID]fettle.CheckCode{"n1": fettle.CodeOK, "n2": fettle.CodeWarning}) // n3 never answers

	t.Run("over the nodes that have it, the silent one is unknown", func(t *testing.T) {
		ended := make(chan struct{})
		go func() { // the deadline is by the server's clock
			defer close(ended)
			f.eventually("two have answered", func() bool { return f.meters.results.Get() == 2 })
			f.clock.add(time.Minute)
			f.runs.poke()
		}()
		v, err := f.Verdict(t.Context(), VerdictQuery{Check: "check_load"})
		<-ended
		want := fettle.CheckTally{Total: 3, OK: 1, Warning: 1, Unknown: 1, Silent: 1}
		if diff := cmp.Diff(want, v.Tally); err != nil || v.Status != fettle.CheckUnknown || diff != "" {
			t.Errorf("%s, %v %s", v.Status, err, diff)
		}
	})
	for name, row := range map[string]struct {
		q    VerdictQuery
		want fettle.CheckStatus
		tly  fettle.CheckTally
	}{
		"over a filter": {
			VerdictQuery{Check: "check_load", Selection: Selection{Where: `identity in ["n1", "n2"]`}},
			fettle.CheckWarning,
			fettle.CheckTally{Total: 2, OK: 1, Warning: 1},
		},
		"a node without the command is unknown": {
			VerdictQuery{Check: "check_load", Selection: Selection{Where: `facts.role == "web"`}},
			fettle.CheckUnknown,
			fettle.CheckTally{Total: 3, OK: 1, Warning: 1, Unknown: 1},
		},
		"thresholds over the number": {
			VerdictQuery{Check: "check_load", Selection: Selection{Where: `identity in ["n1", "n2"]`}, Warning: "1", Critical: "2"},
			fettle.CheckOK,
			fettle.CheckTally{Total: 2, OK: 1, Warning: 1},
		},
		"thresholds in CEL": {
			VerdictQuery{Check: "check_load", Selection: Selection{Where: `identity in ["n1", "n2"]`}, Critical: "warning * 2 >= total"},
			fettle.CheckCritical,
			fettle.CheckTally{Total: 2, OK: 1, Warning: 1},
		},
		"what is undefined stands beside": {
			VerdictQuery{Check: "check_load", Selection: Selection{Where: `identity == "n1" || facts.nosuch == 1`}},
			fettle.CheckOK,
			fettle.CheckTally{Total: 1, OK: 1, Undefined: 3},
		},
		"nobody matches": {
			VerdictQuery{Check: "check_load", Selection: Selection{Where: `facts.role == "mail"`}},
			fettle.CheckUnknown,
			fettle.CheckTally{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := f.Verdict(t.Context(), row.q)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.tly, v.Tally); v.Status != row.want || diff != "" {
				t.Errorf("status %s, want %s; tally %s", v.Status, row.want, diff)
			}
		})
	}
	t.Run("a command that nobody has is no check", func(t *testing.T) {
		if _, err := f.Verdict(t.Context(), VerdictQuery{Check: "check_nothing"}); !errors.Is(err, fettle.ErrNotFound) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a threshold that is none is refused", func(t *testing.T) {
		if _, err := f.Verdict(t.Context(), VerdictQuery{Check: "check_load", Critical: "nonsense >"}); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

func TestChecksThatNodesKeep(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Beat = time.Second
	cfg.Checks = []CheckConfig{{Name: "load", Command: "check_load", Interval: time.Minute, Filter: `facts.role == "web"`}}
	f := newFleet(t, cfg)
	f.join("n1", `{"role":"web"}`, "check_load")
	f.join("n2", `{"role":"db"}`, "check_load")
	f.join("n3", `{}`, "check_load")

	var set wire.Checks
	f.eventually("the definition is sent to the node that it is for", func() bool {
		sets := of[wire.Checks](t, f.mail, "n1", wire.TypeChecks)
		if len(sets) > 0 {
			set = sets[len(sets)-1]
		}
		return len(set.Checks) == 1
	})
	check := set.Checks[0]
	if check.Name != "load" || check.Rev != 1 || set.Hash == "" {
		t.Fatalf("set %+v", set)
	}
	result := func(rev int64, code fettle.CheckCode) {
		f.say("n1", wire.TypeResults, wire.Results{Session: session, Seq: f.next("n1"), Results: []fettle.Result{{
			Task: fettle.TaskID(wire.NewID()), Node: "n1", Action: check.Action, Check: "load", CheckRev: rev, Output: &fettle.CheckOutput{Code: code, Line: "x"},
		}}})
	}
	verdict := func() fettle.Verdict {
		t.Helper()
		v, err := f.Verdict(t.Context(), VerdictQuery{Check: "load"})
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	f.clock.add(2100 * time.Millisecond) // past settling
	result(1, fettle.CodeCritical)
	if v := verdict(); v.Status != fettle.CheckCritical || v.Tally != (fettle.CheckTally{Total: 1, Critical: 1, Undefined: 1}) || v.Live {
		t.Errorf("verdict %+v", v)
	}
	result(7, fettle.CodeOK) // of another rev
	if v := verdict(); v.Status != fettle.CheckCritical {
		t.Errorf("a result of another rev was folded: %+v", v)
	}
	result(1, fettle.CodeOK)
	if v := verdict(); v.Status != fettle.CheckOK {
		t.Errorf("verdict %+v", v)
	}
	n, err := f.Node(t.Context(), "n1")
	if err != nil || n.Checks["load"].Status != fettle.CheckOK {
		t.Errorf("node: %+v, %v", n.Checks, err)
	}
	if f.matched(`checks.load.status == "ok"`) != 1 {
		t.Error("a filter does not see the state")
	}
	f.stop()

	g := openFleet(t, cfg, f.dsn, f.clock)
	v, err := g.Verdict(t.Context(), VerdictQuery{Check: "load"})
	if err != nil || v.Status != fettle.CheckOK || !v.Settling {
		t.Errorf("after a restart: %+v, %v", v, err)
	}
	g.clock.add(2100 * time.Millisecond)
	g.clock.add(10 * time.Minute)
	if v, err = g.Verdict(t.Context(), VerdictQuery{Check: "load"}); err != nil || v.Status != fettle.CheckUnknown || v.Tally.Stale+v.Tally.Silent != 1 {
		t.Errorf("a state that is too old: %+v, %v", v, err)
	}
}
