package server

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/google/go-cmp/cmp"
)

func TestRuns(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	for i := range 4 {
		f.join(fettle.NodeID(fmt.Sprintf("n%d", i)), fmt.Sprintf(`{"i":%d}`, i))
	}
	start := func(where fettle.Filter) fettle.Run {
		t.Helper()
		run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{Where: where}, Timeout: time.Second, Caller: "test"})
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	taskOf := func(run fettle.Run, node fettle.NodeID) fettle.Task {
		t.Helper()
		for _, task := range f.tasks(node) {
			if task.Run == run.ID {
				return task
			}
		}
		t.Fatalf("%s was not asked", node)
		return fettle.Task{}
	}

	t.Run("it ends when the roster has answered, each answer counted once", func(t *testing.T) {
		run := start(`facts.i < 2`)
		updates, err := f.WatchRun(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		f.answer(taskOf(run, "n0"), fettle.StatusOK)
		f.answer(taskOf(run, "n0"), fettle.StatusFailed) // again, with another story
		f.answer(taskOf(run, "n1"), fettle.StatusFailed)
		var results int
		var last fettle.Run
		for u := range updates {
			if u.Result != nil {
				results++
			} else {
				last = *u.Run
			}
		}
		want := fettle.Tally{Roster: 2, OK: 1, Failed: 1}
		if results != 2 || last.Ended == 0 || last.Tally != want {
			t.Errorf("%d results, %+v", results, last)
		}
		f.eventually("its end is stored", func() bool {
			stored, err := f.Store.Run(t.Context(), run.ID)
			return err == nil && stored.Ended != 0 && stored.Tally == want
		})
		again, err := f.WatchRun(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		results = 0
		for u := range again {
			if u.Result != nil {
				results++
			}
		}
		if results != 2 {
			t.Errorf("watched again: %d results", results)
		}
	})
	t.Run("silence and absence are counted", func(t *testing.T) {
		f.mail.mu.Lock()
		f.mail.away[f.dest.Node("n3")] = true
		f.mail.mu.Unlock()
		run := start(`facts.i >= 2`)
		f.clock.add(10 * time.Second)
		f.runs.poke()
		f.eventually("the run ends at its deadline", func() bool {
			now, err := f.RunByID(t.Context(), run.ID)
			return err == nil && now.Ended != 0
		})
		now, err := f.RunByID(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fettle.Tally{Roster: 2, Silent: 1, Never: 1}, now.Tally); diff != "" {
			t.Error(diff)
		}
		silent, err := f.RunSilent(t.Context(), run.ID)
		if diff := cmp.Diff([]fettle.NodeID{"n2", "n3"}, silent); err != nil || diff != "" {
			t.Error(err, diff)
		}
		f.mail.mu.Lock()
		delete(f.mail.away, f.dest.Node("n3"))
		f.mail.mu.Unlock()
	})
	t.Run("a node that comes back in time gets its task on its hello", func(t *testing.T) {
		f.mail.mu.Lock()
		f.mail.away[f.dest.Node("n3")] = true
		f.mail.mu.Unlock()
		run := start(`facts.i == 3`)
		f.mail.mu.Lock()
		delete(f.mail.away, f.dest.Node("n3"))
		f.mail.mu.Unlock()
		f.say("n3", wire.TypeHello, wire.Hello{Session: session})
		f.eventually("the task is sent", func() bool {
			for _, task := range f.tasks("n3") {
				if task.Run == run.ID {
					return true
				}
			}
			return false
		})
		f.answer(taskOf(run, "n3"), fettle.StatusOK)
		now, err := f.RunByID(t.Context(), run.ID)
		if err != nil || now.Tally.OK != 1 {
			t.Errorf("%+v, %v", now, err)
		}
	})
	t.Run("what cannot be run is refused before anything is sent", func(t *testing.T) {
		for _, req := range []RunRequest{
			{Action: "no.such", Selection: Selection{All: true}},
			{Action: "agent.ping"},
			{Action: "agent.ping", Selection: Selection{Where: "facts."}},
			{Action: "nrpe.check", Selection: Selection{All: true}},
			{Action: "agent.ping", Selection: Selection{All: true}, Inputs: map[string]any{"nonsense": 1}},
		} {
			if _, err := f.StartRun(t.Context(), req); !errors.Is(err, fettle.ErrInvalid) && !errors.Is(err, fettle.ErrNotFound) {
				t.Errorf("%+v: %v", req, err)
			}
		}
	})
	t.Run("nobody is a run that has ended", func(t *testing.T) {
		if run := start(`facts.i == 77`); run.Ended == 0 || run.Tally != (fettle.Tally{}) {
			t.Errorf("%+v", run)
		}
	})
	t.Run("a preview runs exactly what was seen", func(t *testing.T) {
		r, err := f.Preview(t.Context(), Selection{Where: `facts.i == 0`})
		if err != nil {
			t.Fatal(err)
		}
		f.join("n9", `{"i":0}`)
		run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{Roster: r.ID}})
		if err != nil || run.Tally.Roster != 1 {
			t.Errorf("%+v, %v", run, err)
		}
	})
	t.Run("a cancelled run counts what was not done", func(t *testing.T) {
		run := start(`facts.i == 1`)
		if _, err := f.CancelRun(t.Context(), run.ID, "test"); err != nil {
			t.Fatal(err)
		}
		if got := of[wire.Cancel](t, f.mail, "n1", wire.TypeCancel); len(got) != 1 || got[0].Tasks[0] != taskOf(run, "n1").ID {
			t.Errorf("cancels: %+v", got)
		}
	})
}

func TestRunsSurviveTheServer(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{}`)
	f.join("n2", `{}`)
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	f.answer(f.tasks("n1")[0], fettle.StatusOK)
	f.stop()

	g := openFleet(t, DefaultConfig(), f.dsn, f.clock)
	g.seq = f.seq
	now, err := g.RunByID(t.Context(), run.ID)
	if err != nil || now.Tally != (fettle.Tally{Roster: 2, OK: 1, Pending: 1}) {
		t.Fatalf("after the restart: %+v, %v", now, err)
	}
	g.say("n2", wire.TypeHello, wire.Hello{Session: session})
	g.eventually("the unanswered task is sent again", func() bool { return len(g.tasks("n2")) == 1 })
	if n := len(g.tasks("n1")); n != 0 {
		t.Errorf("the answered task was sent again %d times", n)
	}
	g.answer(g.tasks("n2")[0], fettle.StatusOK)
	if now, err = g.RunByID(t.Context(), run.ID); err != nil || now.Tally != (fettle.Tally{Roster: 2, OK: 2}) || now.Ended == 0 {
		t.Errorf("at the end: %+v, %v", now, err)
	}
}

func TestAWatcherThatStopsReadingHoldsNobody(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{}`)
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	updates, err := f.WatchRun(ctx, run.ID) // and nobody reads
	if err != nil {
		t.Fatal(err)
	}
	f.answer(f.tasks("n1")[0], fettle.StatusOK)
	if now, err := f.RunByID(t.Context(), run.ID); err != nil || now.Ended == 0 {
		t.Errorf("%+v, %v", now, err)
	}
	cancel()
	for range updates { // it is closed
	}
}
