package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// keepsLoad is a fleet with one check that node n1 keeps, past settling.
func keepsLoad(t *testing.T, attempts int) *fleet {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Beat = time.Second
	cfg.Checks = []CheckConfig{{Name: "load", Command: "check_load", Interval: time.Minute, Attempts: attempts}}
	f := newFleet(t, cfg)
	f.join("n1", `{}`, "check_load")
	f.clock.add(2100 * time.Millisecond)
	return f
}

// checked is a result of the check load.
func checked(code fettle.CheckCode) fettle.Result {
	return fettle.Result{
		Task: fettle.TaskID(wire.NewID()), Node: "n1", Action: actionCheck, Check: "load", CheckRev: 1, Output: &fettle.CheckOutput{Code: code, Line: "line"},
	}
}

// report has n1 send results in one message.
func (f *fleet) report(results ...fettle.Result) {
	f.t.Helper()
	f.say("n1", wire.TypeResults, wire.Results{Session: session, Seq: f.next("n1"), Results: results})
}

func (f *fleet) state() fettle.CheckState {
	f.t.Helper()
	state, _ := f.Board.State("load", "n1")
	return state
}

func TestCheckResultsAreFoldedOnce(t *testing.T) {
	t.Run("all results of one message count, in their order", func(t *testing.T) {
		f := keepsLoad(t, 1)
		f.report(checked(fettle.CodeCritical), checked(fettle.CodeOK))
		if got := f.state(); got.Status != fettle.CheckOK {
			t.Errorf("the state is %s, and the last result said ok", got.Status)
		}
		list, err := f.Store.Transitions(t.Context(), store.TransitionQuery{Check: "load"})
		if err != nil || len(list) != 2 || list[0].To != fettle.CheckOK || list[1].To != fettle.CheckCritical {
			t.Errorf("transitions %+v, %v", list, err)
		}
	})
	t.Run("a result that is sent again, because its receipt was lost, is no second attempt", func(t *testing.T) {
		f := keepsLoad(t, 3)
		f.report(checked(fettle.CodeOK))
		first, second := checked(fettle.CodeCritical), checked(fettle.CodeCritical)
		f.report(first, second)
		f.report(first, second) // in another message, with a later number
		if got := f.state(); got.Status != fettle.CheckOK || got.Attempt != 2 {
			t.Errorf("status %s, attempt %d; want a soft critical, 2 of 3", got.Status, got.Attempt)
		}
	})
	t.Run("nor after a restart of the server", func(t *testing.T) {
		f := keepsLoad(t, 3)
		first := checked(fettle.CodeOK)
		second := checked(fettle.CodeCritical)
		f.report(first)
		f.report(second)
		f.stop()
		g := openFleet(t, f.cfg, f.dsn, f.clock)
		g.seq = f.seq
		g.report(second)
		if got := g.state(); got.Attempt != 1 {
			t.Errorf("attempt %d, want 1 of 3", got.Attempt)
		}
	})
}

func TestFiltersSeeThatAStateIsStale(t *testing.T) {
	f := keepsLoad(t, 1)
	f.report(checked(fettle.CodeOK))
	f.clock.add(151 * time.Second) // two intervals and the timeout are 150 s
	f.markStale(t.Context())       // as every ten seconds
	if n := f.matched(`checks.load.status == "stale"`); n != 1 {
		t.Errorf("%d nodes are found as stale", n)
	}
	f.report(checked(fettle.CodeOK))
	f.markStale(t.Context())
	if n := f.matched(`checks.load.status == "ok"`); n != 1 {
		t.Errorf("%d nodes are found as ok after a result", n)
	}
}

func TestOneBadResultCostsItself(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{}`)
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	task := f.tasks("n1")[0]
	good := fettle.Result{Task: task.ID, Node: "n1", Run: run.ID, Action: task.Action, Message: "pong"}
	f.report(fettle.Result{Task: "future", Node: "n1", Status: 77}, good)
	if now, err := f.RunByID(t.Context(), run.ID); err != nil || now.Tally.OK != 1 {
		t.Errorf("the good result beside it is lost: %+v, %v", now.Tally, err)
	}
	letters, err := f.Store.DeadLetters(t.Context(), store.LetterQuery{})
	if err != nil || len(letters) != 1 || !strings.Contains(letters[0].Reason, "77") {
		t.Errorf("dead letters: %+v, %v", letters, err)
	}
}

func TestNumbersOfResultsKeepTheirDigits(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{}`)
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	task := f.tasks("n1")[0]
	updates, err := f.WatchRun(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	f.report(fettle.Result{Task: task.ID, Node: "n1", Run: run.ID, Action: task.Action, Data: map[string]any{"bytes": json.Number("9007199254740993")}})
	stored, err := f.Store.Result(t.Context(), task.ID)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := json.Marshal(stored.Data); err != nil || string(raw) != `{"bytes":9007199254740993}` {
		t.Errorf("stored %s, %v", raw, err)
	}
	for u := range updates {
		if u.Result == nil {
			continue
		}
		if raw, err := json.Marshal(u.Result.Data); err != nil || string(raw) != `{"bytes":9007199254740993}` {
			t.Errorf("watched %s, %v", raw, err)
		}
	}
}
