package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
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
		for state, want := range map[string][]fettle.NodeID{"silent": {"n2"}, "never": {"n3"}, "pending": nil, "": {"n2", "n3"}} {
			got, err := f.RunUnanswered(t.Context(), run.ID, state)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%q: %v %s", state, err, diff)
			}
		}
		if _, err := f.RunUnanswered(t.Context(), run.ID, "away"); !errors.Is(err, fettle.ErrInvalid) {
			t.Error(err)
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

// TestATaskThatIsTooLateIsNotSent: a run of thousands on a busy machine may not be sent before its deadline has passed. Nobody has to look at that.
func TestATaskThatIsTooLateIsNotSent(t *testing.T) {
	f := idleFleet(t, DefaultConfig(), storetest.SQLite(t), newClock())
	var log bytes.Buffer
	f.Log = slog.New(slog.NewTextHandler(&log, nil))
	now := fettle.MillisOf(f.Now())
	if f.sendTask(t.Context(), fettle.Task{ID: "t1", Node: "n1", Action: "agent.ping", Expires: now.Add(-time.Millisecond)}) || log.Len() > 0 {
		t.Errorf("it was sent, or the log says something: %s", &log)
	}
	if !f.sendTask(t.Context(), fettle.Task{ID: "t2", Node: "n1", Action: "agent.ping", Expires: now.Add(time.Second)}) {
		t.Error("one that is in time was not sent")
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

// await waits until a run is as a test wants it, in memory and then in the store.
func (f *fleet) await(id fettle.RunID, what string, ok func(fettle.Run) bool) {
	f.t.Helper()
	f.eventually(what, func() bool {
		run, err := f.RunByID(f.t.Context(), id)
		return err == nil && ok(run)
	})
	f.eventually(what+", in the store", func() bool {
		run, err := f.Store.Run(f.t.Context(), id)
		return err == nil && ok(run)
	})
}

func (f *fleet) setAway(node fettle.NodeID, away bool) {
	f.mail.mu.Lock()
	defer f.mail.mu.Unlock()
	f.mail.away[f.dest.Node(node)] = away
}

func TestResultsThatComeLate(t *testing.T) {
	start := func(f *fleet) fettle.Run {
		f.join("n1", `{}`)
		f.join("n2", `{}`)
		run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		f.answer(f.tasks("n2")[0], fettle.StatusOK)
		f.clock.add(time.Minute)
		f.runs.poke()
		f.await(run.ID, "the run ends", func(r fettle.Run) bool { return r.Tally == fettle.Tally{Roster: 2, OK: 1, Silent: 1} && r.Ended != 0 })
		return run
	}
	want := fettle.Tally{Roster: 2, OK: 2}

	t.Run("whoever answers after the deadline is not silent", func(t *testing.T) {
		f := newFleet(t, DefaultConfig())
		run := start(f)
		before, err := f.RunByID(t.Context(), run.ID)
		if err != nil {
			t.Fatal(err)
		}
		f.answer(f.tasks("n1")[0], fettle.StatusOK)
		f.await(run.ID, "the tally is mended", func(r fettle.Run) bool { return r.Tally == want && r.Rev > before.Rev && r.Ended == before.Ended })
		if silent, err := f.RunSilent(t.Context(), run.ID); len(silent) != 0 || err != nil {
			t.Errorf("silent: %v, %v", silent, err)
		}
	})
	t.Run("also when the server was killed between the result and the tally", func(t *testing.T) {
		f := newFleet(t, DefaultConfig())
		run := start(f)
		task := f.tasks("n1")[0]
		result := fettle.Result{Task: task.ID, Node: "n1", Run: run.ID, Action: task.Action}
		if _, err := f.Store.Commit(t.Context(), &store.Batch{Received: 1, Results: []fettle.Result{result}}); err != nil {
			t.Fatal(err)
		}
		f.stop()
		g := openFleet(t, DefaultConfig(), f.dsn, f.clock)
		g.await(run.ID, "the tally is mended", func(r fettle.Run) bool { return r.Tally == want })
	})
}

func TestACommitWhoseAnswerWasLostStillCounts(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.join("n1", `{}`)
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	task := f.tasks("n1")[0]
	result := fettle.Result{Task: task.ID, Node: "n1", Run: run.ID, Action: task.Action}
	if _, err := f.Store.Commit(t.Context(), &store.Batch{Received: 1, Results: []fettle.Result{result}}); err != nil {
		t.Fatal(err)
	}
	f.report(result) // the store has it already, and the run does not know
	f.await(run.ID, "the result is counted", func(r fettle.Run) bool { return r.Tally == fettle.Tally{Roster: 1, OK: 1} && r.Ended != 0 })
}

func TestCancelledRuns(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	for _, id := range []fettle.NodeID{"n1", "n2", "n3"} {
		f.join(id, `{}`)
	}
	f.setAway("n3", true)
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	f.eventually("it is stored which tasks were sent", func() bool {
		n := 0
		err := f.Store.LoadTasks(t.Context(), store.TaskQuery{Run: run.ID}, func(task store.StoredTask) error {
			if task.Sent != 0 {
				n++
			}
			return nil
		})
		return err == nil && n == 2
	})
	now, err := f.CancelRun(t.Context(), run.ID, "test")
	if want := (fettle.Tally{Roster: 3, Never: 1, Pending: 2}); err != nil || now.State != fettle.RunCancelled || now.Tally != want {
		t.Fatalf("cancelled: %+v, %v", now, err)
	}
	f.stop()

	g := openFleet(t, DefaultConfig(), f.dsn, f.clock)
	g.seq = f.seq
	g.await(run.ID, "a restart knows that it was cancelled, and who may still answer", func(r fettle.Run) bool { return r.State == fettle.RunCancelled && r.Ended == 0 })
	if now, err = g.RunByID(t.Context(), run.ID); err != nil || now.Tally != (fettle.Tally{Roster: 3, Never: 1, Pending: 2}) {
		t.Fatalf("after the restart: %+v, %v", now, err)
	}
	g.say("n1", wire.TypeHello, wire.Hello{Session: session})
	g.eventually("a node that comes back is told of the cancel", func() bool { return len(of[wire.Cancel](t, g.mail, "n1", wire.TypeCancel)) == 1 })
	if sent := g.tasks("n1"); len(sent) != 0 {
		t.Errorf("a cancelled task was sent again: %+v", sent)
	}
	g.answer(f.tasks("n1")[0], fettle.StatusCancelled)
	g.answer(f.tasks("n2")[0], fettle.StatusOK)
	g.await(run.ID, "what was on its way is counted", func(r fettle.Run) bool {
		return r.Tally == fettle.Tally{Roster: 3, OK: 1, Failed: 1, Never: 1} && r.Ended != 0
	})
}

func TestACancelStopsTheSending(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	for i := range 50 {
		f.join(fettle.NodeID(fmt.Sprintf("n%02d", i)), `{}`)
	}
	began := make(chan fettle.Task, 1)
	f.mail.onTask = func(task fettle.Task) {
		select {
		case began <- task: // the first one is on its way: cancel the run before the second
			if _, err := f.CancelRun(t.Context(), task.Run, "test"); err != nil {
				t.Error(err)
			}
		default:
		}
	}
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour})
	if err != nil || run.State != fettle.RunCancelled {
		t.Fatalf("%+v, %v", run, err)
	}
	sent := 0
	for i := range 50 {
		sent += len(f.tasks(fettle.NodeID(fmt.Sprintf("n%02d", i))))
	}
	if sent != 1 {
		t.Errorf("%d tasks were sent, 49 of them after the cancel", sent)
	}
}

func TestLargeResultsDoNotFillTheMemory(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	const nodes = 40
	for i := range nodes {
		f.join(fettle.NodeID(fmt.Sprintf("n%02d", i)), `{}`)
	}
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	updates, err := f.WatchRun(t.Context(), run.ID)
	if err != nil {
		t.Fatal(err)
	}
	live := f.runs.get(run.ID)
	large := strings.Repeat("x", 1<<20)
	for i := range nodes {
		node := fettle.NodeID(fmt.Sprintf("n%02d", i))
		task := f.tasks(node)[0]
		f.say(node, wire.TypeResults, wire.Results{Session: session, Seq: 1, Results: []fettle.Result{
			{Task: task.ID, Node: node, Run: run.ID, Action: task.Action, Data: map[string]any{"large": large}},
		}})
	}
	results, _, _ := live.since(0)
	held := 0
	for _, k := range results {
		held += weight(k.Result)
	}
	if held > runMemory+nodes*1000 || held < runMemory/2 || len(results) != nodes {
		t.Errorf("%d results hold %d bytes", len(results), held)
	}
	whole := 0
	for u := range updates {
		if u.Result != nil && u.Result.Data["large"] == large {
			whole++
		}
	}
	if whole != nodes {
		t.Errorf("a watcher was given %d whole results of %d", whole, nodes)
	}
}
