package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/runs"
)

// How long a gate may take to say what it is, and how long a run waits for a store that is away before it tries again.
const (
	gateAnswer = 15 * time.Second
	storeAgain = time.Second
)

// driveRuns drives every run that has a pace, each by itself, until ctx ends.
func (s *Server) driveRuns(ctx context.Context) error {
	var drivers sync.WaitGroup
	defer drivers.Wait()
	for {
		for _, r := range s.runs.all() {
			if r.course != nil && !r.driven {
				r.driven = true
				drivers.Go(func() { s.drive(ctx, r) })
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.runs.idle:
		}
	}
}

// drive asks the nodes of a run, each in its turn, until nobody is left to ask, or ctx ends.
func (s *Server) drive(ctx context.Context, r *liveRun) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	freed := s.runs.freed.subscribe(ctx)
	timer := time.NewTimer(0)
	defer timer.Stop()
	told := false // that nobody waits for a turn any more
	for {
		_, run, changed := r.since(0)
		if run.Ended != 0 {
			return
		}
		look := s.advance(ctx, r)
		if run.Standing != "" && r.left() == 0 && !told {
			told = true
			s.standing.poke() // the next round may begin
		}
		if wait := look.Sub(s.Now()); look.IsZero() {
			timer.Reset(idleLook)
		} else {
			timer.Reset(max(wait, time.Millisecond))
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-freed:
		case <-timer.C:
		}
	}
}

// advance does all that can be done for a run now, and tells when to look again; zero: when something happens.
func (s *Server) advance(ctx context.Context, r *liveRun) time.Time {
	for ctx.Err() == nil {
		step, nodes := s.decide(ctx, r)
		switch {
		case step.AskGate:
			s.askGate(ctx, r)
		case step.Stop != "":
			s.stopRun(ctx, r, step.Stop)
			return time.Time{}
		case len(nodes) > 0:
			s.call(ctx, r, nodes)
		default:
			return step.Look
		}
	}
	return time.Time{}
}

// decide asks the rules what is to be done, and reserves the nodes that are to be called. One run decides at a time, so that what all together may
// do is not exceeded.
func (s *Server) decide(ctx context.Context, r *liveRun) (runs.Step, []fettle.NodeID) {
	s.runs.turn.Lock()
	defer s.runs.turn.Unlock()
	now := s.Now()
	shared := s.shared(ctx, r, now)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run.Ended != 0 || r.run.State != fettle.RunGoing {
		return runs.Step{}, nil
	}
	r.expire(now)
	k := r.known(now)
	k.Elsewhere, k.Locks, k.Held = shared.elsewhere, shared.locks, shared.held
	if shared.ended {
		return runs.Step{Stop: "standing run " + r.run.Standing + " was ended"}, nil
	}
	step := r.course.plan.Next(k)
	if step.AskGate || step.Stop != "" && k.Left == 0 {
		return step, nil
	}
	r.progress(step.Progress)
	return step, r.reserve(step.Ask)
}

// call sends their tasks to nodes that were reserved, once it is stored that their turn has come. Those that are away or contested are not asked.
func (s *Server) call(ctx context.Context, r *liveRun, nodes []fettle.NodeID) {
	tasks, never := s.fit(r, nodes)
	if len(never) > 0 {
		s.insist(ctx, r, "take back tasks of nodes that are away", func() error {
			_, err := s.Store.CancelTasks(ctx, never)
			return err
		})
	}
	if len(tasks) == 0 {
		return
	}
	ids := make([]fettle.TaskID, len(tasks))
	for i := range tasks {
		ids[i] = tasks[i].ID
	}
	var due time.Time
	s.insist(ctx, r, "store that tasks are sent", func() error {
		now := s.Now()
		due = now.Add(r.timeout + s.slackFor(r.run.Plugin, nodes))
		return s.Store.CallTasks(ctx, ids, fettle.MillisOf(now), fettle.MillisOf(due))
	})
	if ctx.Err() != nil {
		return // they are sent by whoever takes the run up again
	}
	for i := range tasks {
		tasks[i].Expires = fettle.MillisOf(due)
	}
	r.mu.Lock()
	r.wereCalled(tasks, due)
	r.mu.Unlock()
	s.sendTasks(ctx, r, tasks)
	s.runs.poke()
}

// fit gives the tasks of those nodes that can be asked, and makes the others never: they take no part in the pace.
func (s *Server) fit(r *liveRun, nodes []fettle.NodeID) (tasks []fettle.Task, never []fettle.TaskID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	refused := refusals{}
	for _, id := range nodes {
		p := r.parts[id]
		contested := s.contested(id) != ""
		switch {
		case p.state != partWaiting: // cancelled meanwhile
			continue
		case contested:
			refused[contestedReason] = append(refused[contestedReason], id)
			fallthrough
		case s.presence.liveness(id) == fettle.Silent:
			never = append(never, p.task)
			r.move(p, partNever)
			r.course.nOut--
		default:
			tasks = append(tasks, r.task(id, p.task))
		}
	}
	r.run.Refused = append(r.run.Refused, refused.list()...)
	if len(never) > 0 {
		r.version++
		r.tell()
	}
	return tasks, never
}

// insist does something with the store until that has worked, or ctx ends: what is sent without being stored would not be known after a restart.
func (s *Server) insist(ctx context.Context, r *liveRun, what string, do func() error) {
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return
		}
		s.complain(ctx, what, r.run.ID, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(storeAgain):
		}
	}
}

// stopRun has nobody asked any more. The run ends when those who were have answered.
func (s *Server) stopRun(ctx context.Context, r *liveRun, why string) {
	r.mu.Lock()
	r.stop(why)
	r.mu.Unlock()
	s.Log.Info("run stopped", "run", r.run.ID, "err", why)
	s.insist(ctx, r, "take back the tasks of a stopped run", func() error {
		_, err := s.Store.CancelUncalled(ctx, r.run.ID)
		return err
	})
	s.insist(ctx, r, "store the stop of a run", func() error { return s.saveRun(ctx, r) })
	if err := s.Audit.Record(ctx, identity, "run.stop", string(r.run.ID), audit.Details{"reason": why}); err != nil {
		s.complain(ctx, "put down the stop of a run", r.run.ID, err)
	}
	s.runs.tidy(r, s.Now())
	s.runs.poke()
}

// askGate asks the gate of a run, and notes what it is.
func (s *Server) askGate(ctx context.Context, r *liveRun) {
	limited, cancel := context.WithTimeout(ctx, gateAnswer)
	defer cancel()
	truth, why, err := r.course.gate.Open(limited, fettle.MillisOf(s.Now()), func(ctx context.Context, check string, where fettle.Filter) (fettle.Verdict, error) {
		return s.Verdict(ctx, VerdictQuery{Check: check, Selection: Selection{Where: where}, Caller: r.run.Caller})
	})
	if truth == filter.False {
		why = string(r.course.gate.Text()) + " is false"
	} else if err != nil && truth == filter.Undefined {
		why = err.Error()
	}
	now := s.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	g := &r.course.gated
	switch was := *g; {
	case truth == filter.True:
		*g = runs.GateKnown{Asked: now, Open: true}
	case was.Asked.IsZero() || was.Open:
		*g = runs.GateKnown{Asked: now, Why: why, Since: now}
	default:
		g.Asked, g.Why = now, why
	}
}

// checkGate refuses a gate that could never open: it does not compile, or is about checks and filters that do not exist.
func (s *Server) checkGate(ctx context.Context, text fettle.Filter) error {
	program, err := filter.Compile(filter.Gate, text)
	if err != nil {
		return err
	}
	_, _, err = program.Open(ctx, fettle.MillisOf(s.Now()), func(ctx context.Context, check string, where fettle.Filter) (fettle.Verdict, error) {
		if where != "" {
			if _, err := s.compile(ctx, where); err != nil {
				return fettle.Verdict{}, err
			}
		}
		if _, defined := s.definition(check); !defined && len(s.Inventory.Offering(check)) == 0 {
			return fettle.Verdict{}, fmt.Errorf("it is not defined, and no node offers a command of that name: %w", fettle.ErrNotFound)
		}
		return fettle.Verdict{Status: fettle.CheckOK}, nil
	})
	if err != nil {
		return fmt.Errorf("the gate: %w", err)
	}
	return nil
}
