package server

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/wire"
)

// parade is a fleet of nodes n0, n1… with facts i and rack, and what it takes to follow a run that has a pace.
type parade struct {
	*fleet
}

func newParade(t *testing.T, n int) parade {
	t.Helper()
	f := newFleet(t, DefaultConfig())
	for i := range n {
		f.join(fettle.NodeID(fmt.Sprintf("n%d", i)), fmt.Sprintf(`{"i":%d,"rack":"r%d"}`, i, i/2))
	}
	return parade{f}
}

func (p parade) run(req RunRequest) fettle.Run {
	p.t.Helper()
	if req.Action == "" {
		req.Action = "agent.ping"
	}
	if req.Selection == (Selection{}) {
		req.All = true
	}
	if req.Timeout == 0 {
		req.Timeout = time.Minute
	}
	req.Caller = "ann"
	run, err := p.StartRun(p.t.Context(), req)
	if err != nil {
		p.t.Fatal(err)
	}
	return run
}

func (p parade) now(run fettle.Run) fettle.Run {
	p.t.Helper()
	now, err := p.RunByID(p.t.Context(), run.ID)
	if err != nil {
		p.t.Fatal(err)
	}
	return now
}

// asked gives the tasks of a run that were sent so far, by node.
func (p parade) asked(run fettle.Run) map[fettle.NodeID]fettle.Task {
	p.t.Helper()
	out := map[fettle.NodeID]fettle.Task{}
	for _, id := range p.presence.identities() {
		for _, task := range p.tasks(id) {
			if task.Run == run.ID {
				out[id] = task
			}
		}
	}
	return out
}

// until waits until so many nodes were asked.
func (p parade) until(run fettle.Run, n int) map[fettle.NodeID]fettle.Task {
	p.t.Helper()
	p.eventually(fmt.Sprintf("%d nodes are asked", n), func() bool { return len(p.asked(run)) >= n })
	asked := p.asked(run)
	if len(asked) != n {
		p.t.Fatalf("%d nodes were asked, want %d", len(asked), n)
	}
	return asked
}

// waits waits until a run waits for something, and tells for what.
func (p parade) waits(run fettle.Run, what string) {
	p.t.Helper()
	p.eventually("it waits for "+what, func() bool { return strings.Contains(p.now(run).WaitingFor, what) })
}

// pass lets time pass.
func (p parade) pass(d time.Duration) {
	p.clock.add(d)
	p.runs.poke()
	p.runs.freed.notify()
	p.standing.poke()
}

func (p parade) ended(run fettle.Run, want fettle.Tally) fettle.Run {
	p.t.Helper()
	p.eventually("the run ends", func() bool { return p.now(run).Ended != 0 })
	now := p.now(run)
	if diff := cmp.Diff(want, now.Tally); diff != "" {
		p.t.Fatalf("%s\n%+v", diff, now)
	}
	return now
}

func TestBatches(t *testing.T) {
	p := newParade(t, 5)
	run := p.run(RunRequest{Pace: fettle.Pace{Batch: "2"}})
	first := p.until(run, 2)
	p.answer(first["n0"], fettle.StatusOK)
	p.waits(run, "batch 1: 1 have not answered yet")
	if now := p.now(run); now.Batch != 1 || now.Batches != 3 || now.Tally != (fettle.Tally{Roster: 5, OK: 1, Pending: 4}) {
		t.Errorf("%+v", now)
	}
	p.pass(time.Minute + time.Second) // n1 is silent, by its own time
	second := p.until(run, 4)
	if now := p.now(run); now.Tally != (fettle.Tally{Roster: 5, OK: 1, Silent: 1, Pending: 3}) {
		t.Errorf("%+v", now.Tally)
	}
	if first["n0"].Expires >= second["n2"].Expires {
		t.Error("the tasks of the second batch expire as early as those of the first")
	}
	p.answer(first["n1"], fettle.StatusFailed) // late, and it counts
	p.answer(second["n2"], fettle.StatusOK)
	p.answer(second["n3"], fettle.StatusOK)
	third := p.until(run, 5)
	p.answer(third["n4"], fettle.StatusOK)
	p.ended(run, fettle.Tally{Roster: 5, OK: 4, Failed: 1})
}

func TestAStoppedRun(t *testing.T) {
	p := newParade(t, 6)
	run := p.run(RunRequest{Pace: fettle.Pace{Concurrency: 2, MaxFailed: "0"}})
	first := p.until(run, 2)
	p.answer(first["n0"], fettle.StatusFailed)
	p.eventually("it is stopped", func() bool { return p.now(run).Stopped != "" })
	p.answer(first["n1"], fettle.StatusOK)
	now := p.ended(run, fettle.Tally{Roster: 6, OK: 1, Failed: 1, Never: 4})
	if now.Stopped != "1 failed, and 0 may" || now.State != fettle.RunEnded || now.Phase != "" {
		t.Errorf("%+v", now)
	}
	p.eventually("its end is stored", func() bool { stored, err := p.Store.Run(t.Context(), run.ID); return err == nil && stored.Ended != 0 })
	if stored, err := p.Store.Run(t.Context(), run.ID); err != nil || stored.Stopped != now.Stopped || stored.Tally != now.Tally {
		t.Errorf("%+v, %v", stored, err)
	}

	t.Run("it can be retried with the same options", func(t *testing.T) {
		again, err := p.RetryRun(t.Context(), run.ID, "bob", Asker{})
		if err != nil {
			t.Fatal(err)
		}
		if again.RetryOf != run.ID || again.Caller != "bob" || again.Tally.Roster != 5 || again.Pace.MaxFailed != "0" || again.Timeout != run.Timeout {
			t.Errorf("%+v", again)
		}
		for done := 0; done < 5; {
			for id, task := range p.until(again, min(5, done+2)) {
				if id == "n1" {
					t.Error("n1 did well, and is asked again")
				}
				p.answer(task, fettle.StatusOK)
			}
			done = p.now(again).Tally.OK
		}
		p.ended(again, fettle.Tally{Roster: 5, OK: 5})
		p.eventually("its end is stored", func() bool { return p.runs.get(again.ID) == nil })
		if _, err := p.RetryRun(t.Context(), again.ID, "bob", Asker{}); !errors.Is(err, fettle.ErrConflict) {
			t.Errorf("all did well, and it is retried: %v", err)
		}
	})
}

// Whoever read that a run has ended may retry it at once, though its end is still on its way to the disk.
func TestRetryBeforeTheEndIsStored(t *testing.T) {
	p := newParade(t, 1)
	run := p.run(RunRequest{})
	tasks := p.until(run, 1)
	r := p.runs.get(run.ID)
	r.saving.Lock() // a slow disk
	p.answer(tasks["n0"], fettle.StatusFailed)
	p.ended(run, fettle.Tally{Roster: 1, Failed: 1})
	retried := make(chan error)
	go func() { _, err := p.RetryRun(t.Context(), run.ID, "bob", Asker{}); retried <- err }()
	r.saving.Unlock()
	if err := <-retried; err != nil {
		t.Error(err)
	}
}

func TestCancelAPacedRun(t *testing.T) {
	p := newParade(t, 4)
	run := p.run(RunRequest{Pace: fettle.Pace{Batch: "1"}})
	first := p.until(run, 1)
	if _, err := p.CancelRun(t.Context(), run.ID, "ann"); err != nil {
		t.Fatal(err)
	}
	p.answer(first["n0"], fettle.StatusCancelled)
	if now := p.ended(run, fettle.Tally{Roster: 4, Failed: 1, Never: 3}); now.State != fettle.RunCancelled {
		t.Errorf("%+v", now)
	}
}

func TestAwayWhenItsTurnComes(t *testing.T) {
	p := newParade(t, 3)
	run := p.run(RunRequest{Pace: fettle.Pace{Batch: "1"}})
	first := p.until(run, 1)
	p.mail.mu.Lock()
	p.mail.away[p.dest.Node("n1")] = true
	p.mail.mu.Unlock()
	p.answer(first["n0"], fettle.StatusOK)
	p.waits(run, "batch 2")
	t.Run("it gets its task when it comes back in its time", func(t *testing.T) {
		p.mail.mu.Lock()
		delete(p.mail.away, p.dest.Node("n1"))
		p.mail.mu.Unlock()
		p.say("n1", wire.TypeHello, wire.Hello{Session: session})
		p.answer(p.until(run, 2)["n1"], fettle.StatusOK)
	})
	p.until(run, 3)
	p.say("n0", wire.TypeHello, wire.Hello{Session: session})
	p.pass(2 * time.Minute)
	p.ended(run, fettle.Tally{Roster: 3, OK: 2, Silent: 1})
}

func TestLocksHoldAcrossRuns(t *testing.T) {
	p := newParade(t, 4)
	lock := fettle.Pace{Locks: map[string]int{"puppet": 2}}
	one := p.run(RunRequest{Selection: Selection{Where: "facts.i < 3"}, Pace: lock})
	first := p.until(one, 2)
	two := p.run(RunRequest{Selection: Selection{Where: "facts.i == 3"}, Pace: lock})
	p.waits(two, "lock puppet: 2 of 2 are held, by run "+string(one.ID)+" of ann")
	p.answer(first["n0"], fettle.StatusOK)
	p.eventually("one of them has what is free", func() bool { return len(p.asked(one))+len(p.asked(two)) == 3 })
	p.pass(2 * time.Minute) // what holds the lock expires
	p.eventually("the other has its turn", func() bool { return len(p.asked(one))+len(p.asked(two)) == 4 })
	p.pass(2 * time.Minute)
	p.ended(one, fettle.Tally{Roster: 3, OK: 1, Silent: 2})
	p.ended(two, fettle.Tally{Roster: 1, Silent: 1})
}

func TestConcurrencyCountsOthers(t *testing.T) {
	p := newParade(t, 4)
	other := p.run(RunRequest{Selection: Selection{Where: "facts.i == 0"}})
	run := p.run(RunRequest{Selection: Selection{Where: "facts.i > 0"}, Pace: fettle.Pace{Concurrency: 2}})
	first := p.until(run, 1)
	p.waits(run, "2 nodes at once: 1 are at work here, and 1 elsewhere")
	p.answer(p.until(other, 1)["n0"], fettle.StatusOK)
	p.until(run, 2)
	p.answer(first["n1"], fettle.StatusOK)
	for _, task := range p.until(run, 3) {
		p.answer(task, fettle.StatusOK)
	}
	p.ended(run, fettle.Tally{Roster: 3, OK: 3})
}

// TestConcurrencyCountsWhatGoesByItself has the busy filter of an action say on which nodes it goes without anybody here having begun it.
func TestConcurrencyCountsWhatGoesByItself(t *testing.T) {
	p := newParade(t, 4)
	p.lookUp = func(name string) (plugins.Action, error) {
		action, err := plugins.Lookup(name)
		action.Busy = "facts.i >= 2"
		return action, err
	}
	run := p.run(RunRequest{Selection: Selection{Where: "facts.i < 2"}, Pace: fettle.Pace{Concurrency: 2}})
	p.waits(run, "2 nodes at once: 0 are at work here, and 2 elsewhere")
	doc, err := wire.Canonical([]byte(`{"i":1}`))
	if err != nil {
		t.Fatal(err)
	}
	p.say("n3", wire.TypeFacts, wire.Facts{Session: session, Seq: p.next("n3"), Full: doc.Raw, Hash: doc.Hash})
	p.pass(time.Second)
	p.until(run, 1)
}

// TestConcurrencyCountsWhatNodesSay has an agent say in its beats that the action goes there, until a result says that it is over.
func TestConcurrencyCountsWhatNodesSay(t *testing.T) {
	p := newParade(t, 3)
	beat := func(running ...string) {
		p.say("n2", wire.TypeBeat, wire.Beat{Session: session, Running: running})
	}
	beat("puppet.runonce")
	if n := p.matched(`"puppet.runonce" in agent.running`); n != 1 {
		t.Fatalf("%d nodes run Puppet", n)
	}
	run := p.run(RunRequest{Action: "puppet.runonce", Selection: Selection{Where: "facts.i < 2"}, Pace: fettle.Pace{Concurrency: 1}})
	p.waits(run, "1 nodes at once: 0 are at work here, and 1 elsewhere")
	beat()
	task := p.until(run, 1)["n0"]
	p.say("n0", wire.TypeBeat, wire.Beat{Session: session, Running: []string{"puppet.runonce"}})
	p.answer(task, fettle.StatusOK)
	if n := p.matched(`"puppet.runonce" in agent.running`); n != 0 {
		t.Errorf("%d nodes run Puppet, after the result", n)
	}
	p.answer(p.until(run, 2)["n1"], fettle.StatusOK)
	p.ended(run, fettle.Tally{Roster: 2, OK: 2})
}

func TestOrderOfARun(t *testing.T) {
	p := newParade(t, 6)
	run := p.run(RunRequest{Pace: fettle.Pace{Batch: "3", SpreadBy: "facts.rack"}})
	asked := p.until(run, 3)
	for _, id := range []fettle.NodeID{"n0", "n2", "n4"} {
		if _, is := asked[id]; !is {
			t.Errorf("%s of a rack of its own is not among the first: %v", id, asked)
		}
	}
	limited := p.run(RunRequest{Pace: fettle.Pace{Limit: "50%", LimitRandom: true}})
	if asked := p.until(limited, 3); limited.Tally.Roster != 3 || limited.Pace.Seed == 0 {
		t.Errorf("%+v, %v", limited, asked)
	}
}

func TestAPaceThatCannotBe(t *testing.T) {
	p := newParade(t, 1)
	for _, pace := range []fettle.Pace{
		{Batch: "x"},
		{While: "verdict("},
		{While: `verdict("check_nothing") == "ok"`},
		{While: `verdict("check_nothing", "facts.") == "ok"`},
	} {
		_, err := p.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Pace: pace})
		if !errors.Is(err, fettle.ErrInvalid) && !errors.Is(err, fettle.ErrNotFound) {
			t.Errorf("%+v: %v", pace, err)
		}
	}
}

// TestAPacedRunSurvivesTheServer stops the server in the middle of a batch: nobody is asked twice, nobody is left out, and the tally is exact.
func TestAPacedRunSurvivesTheServer(t *testing.T) {
	p := newParade(t, 6)
	run := p.run(RunRequest{Pace: fettle.Pace{Batch: "2", Locks: map[string]int{"l": 5}}, Timeout: time.Hour})
	first := p.until(run, 2)
	p.answer(first["n0"], fettle.StatusOK)
	p.answer(first["n1"], fettle.StatusFailed)
	second := p.until(run, 4)
	p.answer(second["n2"], fettle.StatusOK)
	p.stop()

	q := parade{openFleet(t, DefaultConfig(), p.dsn, p.clock)}
	q.seq = p.seq
	if now := q.now(run); now.Tally != (fettle.Tally{Roster: 6, OK: 2, Failed: 1, Pending: 3}) {
		t.Fatalf("after the restart: %+v", now)
	}
	q.waits(run, "batch 2: 1 have not answered yet")
	if again := q.asked(run); len(again) != 0 {
		t.Errorf("asked before anybody said hello: %v", again)
	}
	q.say("n3", wire.TypeHello, wire.Hello{Session: session})
	if task := q.until(run, 1)["n3"]; task.ID != second["n3"].ID || task.Expires != second["n3"].Expires {
		t.Errorf("it is another task: %+v, %+v", task, second["n3"])
	}
	q.answer(second["n3"], fettle.StatusOK)
	third := q.until(run, 3)
	q.answer(third["n4"], fettle.StatusOK)
	q.answer(third["n5"], fettle.StatusOK)
	q.ended(run, fettle.Tally{Roster: 6, OK: 5, Failed: 1})
}

// TestAGate has batches wait for the verdict of a check, and gives up when it stays bad.
func TestAGate(t *testing.T) {
	f := newFleet(t, keeping(CheckConfig{Name: "load", Command: "check_load", Interval: time.Hour, Timeout: time.Minute, Attempts: 1}))
	p := parade{f}
	for i := range 3 {
		p.join(fettle.NodeID(fmt.Sprintf("n%d", i)), fmt.Sprintf(`{"i":%d}`, i), "check_load")
	}
	report := func(code fettle.CheckCode) {
		for _, id := range p.presence.identities() {
			p.say(id, wire.TypeResults, wire.Results{Session: session, Seq: p.next(id), Results: []fettle.Result{{
				Task: fettle.TaskID(wire.NewID()), Node: id, Check: "load", CheckRev: p.rev("load"), Action: actionCheck, Output: &fettle.CheckOutput{Code: code, Line: "load"},
			}}})
		}
	}
	p.eventually("the check has its nodes", func() bool { return p.verdict(VerdictQuery{Check: "load"}).Tally.Total == 3 })
	report(fettle.CodeOK)
	p.clock.add(2*f.cfg.Beat + time.Second) // it has settled
	run := p.run(RunRequest{Pace: fettle.Pace{Batch: "1", While: `verdict("load") == "ok"`, WhileTimeout: time.Hour.Milliseconds()}, Timeout: 3 * time.Hour})
	first := p.until(run, 1)
	report(fettle.CodeCritical)
	p.pass(2 * time.Second)
	p.answer(first["n0"], fettle.StatusOK)
	p.waits(run, `the gate: verdict("load") == "ok" is false`)
	report(fettle.CodeOK)
	p.pass(3 * time.Second)
	second := p.until(run, 2)
	report(fettle.CodeCritical)
	p.pass(2 * time.Second)
	p.answer(second["n1"], fettle.StatusOK)
	p.waits(run, "the gate")
	p.clock.add(50 * time.Minute)
	report(fettle.CodeCritical) // it is not stale
	p.pass(11 * time.Minute)
	if now := p.ended(run, fettle.Tally{Roster: 3, OK: 2, Never: 1}); !strings.HasPrefix(now.Stopped, "the gate was closed for 1h0m0s") {
		t.Errorf("%+v", now)
	}
}

func (p parade) rev(check string) int64 {
	def, _ := p.definition(check)
	return def.Rev
}
