package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/runs"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// answerSlack is what a node gets beyond an action's timeout to say that it timed out.
const answerSlack = 500 * time.Millisecond

// RunRequest asks an action of the nodes of a selection.
type RunRequest struct {
	Action string
	Inputs map[string]any // text is converted to what the manifest declares
	Selection
	Timeout time.Duration // for the action on each node; zero: what its manifest has
	Caller  string
	User    Asker // who the caller is, for policies; the zero Asker is the caller's name alone
	Pace    fettle.Pace
	ID      fettle.RunID // that it is to have, so that it is started once whatever happens: ErrConflict if there is one. Empty: a new one
	Remedy  string       // the check of whose state it is the remedy; empty: it is none

	retryOf  fettle.RunID                    // the run that is done again
	standing string                          // the standing run of which this is a round
	ready    map[fettle.NodeID]fettle.Millis // when each node may be asked at the earliest; nil: at any time
}

// StartRun fixes the roster, stores the run with its tasks, and then sends them. It returns when all is on its way; WatchRun follows it.
// Nodes that have been silent are counted as never: there is nothing to wait for. An empty roster gives a run that has ended.
// ErrNotFound: no such action. ErrInvalid: the filter or the inputs, every bad one named.
func (s *Server) StartRun(ctx context.Context, req RunRequest) (fettle.Run, error) {
	if _, _, err := s.checkInputs(req); err != nil {
		return fettle.Run{}, err // before the roster is looked for, so that a wrong input is the first thing said
	}
	if req.Pace.While != "" {
		if err := s.checkGate(ctx, req.Pace.While); err != nil {
			return fettle.Run{}, err
		}
	}
	roster, err := s.roster(ctx, req.Selection)
	if err != nil {
		return fettle.Run{}, err
	}
	r, err := s.startRun(ctx, req, roster)
	if err != nil {
		return fettle.Run{}, err
	}
	return r.snapshot(), nil
}

// checkInputs gives the inputs as the action's manifest wants them, and the secret ones among them apart.
func (s *Server) checkInputs(req RunRequest) (public, secrets map[string]any, err error) {
	action, err := s.lookUp(req.Action)
	if err != nil {
		return nil, nil, err
	}
	inputs, err := plugins.Validate(action, req.Inputs)
	if err := errors.Join(err, runs.Check(req.Pace)); err != nil {
		return nil, nil, err
	}
	public, secrets = split(action, inputs)
	return public, secrets, nil
}

// limit is how long the action may take on each node: what is asked for, or what its manifest has.
func (s *Server) limit(req RunRequest) time.Duration {
	action, err := s.lookUp(req.Action)
	if err != nil || req.Timeout != 0 {
		return orDefault(req.Timeout, fettle.DefaultTimeout)
	}
	return action.Limit()
}

func (s *Server) startRun(ctx context.Context, req RunRequest, roster fettle.Roster) (*liveRun, error) {
	inputs, secrets, err := s.checkInputs(req)
	if err != nil {
		return nil, err
	}
	timeout := s.limit(req)
	if timeout < 0 || timeout > fettle.MaxExpiry-time.Minute {
		return nil, fmt.Errorf("timeout %s is not between 0 and %s: %w", timeout, fettle.MaxExpiry-time.Minute, fettle.ErrInvalid)
	}
	ref, err := s.pluginOf(req.Action, inputs)
	if err != nil {
		return nil, err
	}
	due := s.Now().Add(timeout + s.slackFor(ref, roster.Nodes))
	now, deadline := fettle.MillisOf(s.Now()), fettle.MillisOf(due)
	pace, err := s.paced(ctx, req, &roster)
	if err != nil {
		return nil, err
	}
	r := newLiveRun(fettle.Run{
		ID: cmp.Or(req.ID, fettle.RunID(wire.NewID())), Action: req.Action, Inputs: inputs, Filter: roster.Filter, All: req.All, Caller: req.Caller,
		State: fettle.RunGoing, Undefined: roster.Undefined, Created: now, Deadline: deadline, Rev: 1, Timeout: timeout.Milliseconds(),
		RetryOf: req.retryOf, Standing: req.standing, Remedy: req.Remedy, Pace: pace, Plugin: ref,
	}, roster.Nodes, due)
	r.timeout = timeout
	judge, err := s.policyJudge(PolicyQuestion{User: req.User.or(req.Caller), Action: req.Action, Inputs: inputs})
	if err != nil {
		return nil, err
	}
	if req.ready != nil {
		byReady(roster.Nodes, req.ready)
	}
	roster.ID, roster.Created = string(r.run.ID), now
	tasks := s.tasksFor(r, secrets, func(id fettle.NodeID) string { return judge.reason(ctx, id) })
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("make the tasks of a run: %w", err) // what policies said meanwhile was not to the end
	}
	if err := s.putDownRun(ctx, req, r); err != nil {
		return nil, err // what cannot be put down is not done
	}
	sent := now
	if pace != nil {
		sent = 0
		if err := s.begin(ctx, r, roster.Nodes); err != nil {
			return nil, err
		}
		r.course.await(s.Now(), req.ready)
	}
	if err := s.Store.SaveRun(ctx, store.NewRun{Run: r.run, Roster: &roster, Tasks: tasks, Sent: sent}); err != nil {
		return nil, err
	}
	s.meters.runsStarted.Inc()
	s.runs.add(r)
	if pace == nil {
		s.sendTasks(ctx, r, tasks)
	}
	s.runs.tidy(r, s.Now())
	return r, nil
}

// putDownRun puts down that a run starts, and what it asks of how many nodes. ErrUnavailable: the audit log takes nothing.
func (s *Server) putDownRun(ctx context.Context, req RunRequest, r *liveRun) error {
	details := audit.Details{"action": req.Action, "inputs": r.run.Inputs, "roster": len(r.nodes), "undefined": r.run.Undefined}
	if r.run.Filter != "" {
		details["filter"] = r.run.Filter
	}
	if r.run.Pace != nil {
		details["pace"] = r.run.Pace
	}
	if r.run.RetryOf != "" {
		details["retry_of"] = r.run.RetryOf
	}
	if r.run.Standing != "" {
		details["standing"] = r.run.Standing
	}
	if req.Remedy != "" {
		details["remedy_of"] = req.Remedy
	}
	if req.All {
		details["all"] = true
	}
	refused := map[string]int{}
	for _, one := range r.run.Refused {
		refused[one.Reason] = one.Count
	}
	if len(refused) > 0 {
		details["refused"] = refused
	}
	return s.Audit.Record(ctx, req.Caller, "run.start", string(r.run.ID), details)
}

// tasksFor makes the tasks of a run, and none for a node that has been silent or that something forbids to ask. Secrets are sealed into each.
func (s *Server) tasksFor(r *liveRun, secrets map[string]any, forbids func(fettle.NodeID) string) []fettle.Task {
	tasks, refused := make([]fettle.Task, 0, len(r.parts)), refusals{}
	for _, id := range r.nodes {
		p := r.parts[id]
		if why := forbids(id); why != "" {
			p.state = partNever
			refused[why] = append(refused[why], id)
			continue
		}
		now := r.run.Pace == nil // of the others that is asked when their turn comes
		if now && s.presence.liveness(id) == fettle.Silent {
			p.state = partNever
			continue
		}
		if now && s.contested(id) != "" {
			p.state = partNever
			refused[contestedReason] = append(refused[contestedReason], id)
			continue
		}
		p.task = fettle.TaskID(wire.NewID())
		if secrets != nil {
			sealed, err := s.sealFor(fettle.Task{ID: p.task, Node: id}, r.run.Inputs, secrets)
			if err != nil {
				p.state = partNever
				refused[unsealedReason] = append(refused[unsealedReason], id)
				continue
			}
			p.inputs = sealed
		}
		tasks = append(tasks, r.task(id, p.task))
	}
	r.run.Refused = append(r.run.Refused, refused.list()...)
	r.run.Tally = r.tally()
	return tasks
}

// Why nodes are not asked, as a run tells it.
const (
	contestedReason = "contested: two agents have the key of the node, see fettle enrol list --contested"
	unsealedReason  = "the node has no key with which a secret input could be sealed"
)

// RunByID gives a run as it stands. ErrNotFound: there is none.
func (s *Server) RunByID(ctx context.Context, id fettle.RunID) (fettle.Run, error) {
	if r := s.runs.get(id); r != nil {
		return r.snapshot(), nil
	}
	run, err := s.Store.Run(ctx, id)
	if errors.Is(err, fettle.ErrNotFound) {
		return run, fmt.Errorf("there is no run %s: %w", id, fettle.ErrNotFound) // the store's words name the database
	}
	return run, err
}

// Runs lists runs, the latest first, from the cursor on.
func (s *Server) Runs(ctx context.Context, limit int, cursor string) ([]fettle.Run, string, error) {
	runs, err := s.Store.Runs(ctx, fettle.RunID(cursor), limit)
	if err != nil || len(runs) == 0 || len(runs) < limit {
		return s.withGoing(runs), "", err
	}
	return s.withGoing(runs), string(runs[len(runs)-1].ID), nil
}

// withGoing puts what is known now in the place of what was stored of runs that go on.
func (s *Server) withGoing(runs []fettle.Run) []fettle.Run {
	for i := range runs {
		if r := s.runs.get(runs[i].ID); r != nil {
			runs[i] = r.snapshot()
		}
	}
	return runs
}

// RunResults lists the results of a run in the order in which they came, from the cursor on.
func (s *Server) RunResults(ctx context.Context, id fettle.RunID, limit int, cursor string) ([]fettle.Result, string, error) {
	after, err := strconv.ParseInt(cmp.Or(cursor, "0"), 10, 64)
	if err != nil {
		return nil, "", fmt.Errorf("cursor %q is none of ours: %w", cursor, fettle.ErrInvalid)
	}
	stored, err := s.Store.RunResults(ctx, id, after, limit)
	if err != nil {
		return nil, "", err
	}
	out := make([]fettle.Result, len(stored))
	for i := range stored {
		out[i] = stored[i].Result
	}
	if len(stored) == 0 || limit > 0 && len(stored) < limit {
		return out, "", nil
	}
	return out, strconv.FormatInt(stored[len(stored)-1].Seq, 10), nil
}

// RunSilent gives the nodes of a run's roster that have given no result, sorted: pending, silent and never alike.
func (s *Server) RunSilent(ctx context.Context, id fettle.RunID) ([]fettle.NodeID, error) {
	if r := s.runs.get(id); r != nil {
		return r.unanswered(), nil
	}
	r, err := s.storedRun(ctx, id)
	if err != nil {
		return nil, err
	}
	return r.unanswered(), nil
}

// CancelRun takes back what is not sent, and asks the nodes to stop what is, those that are away when they come back. The run ends when they
// have answered, or at its deadline.
func (s *Server) CancelRun(ctx context.Context, id fettle.RunID, caller string) (fettle.Run, error) {
	r := s.runs.get(id)
	if r == nil {
		run, err := s.Store.Run(ctx, id)
		if err != nil {
			return fettle.Run{}, err
		}
		return run, fmt.Errorf("run %s has ended: %w", id, fettle.ErrConflict)
	}
	if err := s.Audit.Record(ctx, caller, "run.cancel", string(id), nil); err != nil {
		return fettle.Run{}, err
	}
	if _, err := s.Store.CancelRunTasks(ctx, id); err != nil {
		return fettle.Run{}, err
	}
	sent := r.cancel()
	if err := s.saveRun(ctx, r); err != nil {
		return fettle.Run{}, err
	}
	s.Log.Info("run cancelled", "run", id, "user", caller)
	for node, task := range sent {
		s.sendUntil(ctx, node, wire.TypeCancel, wire.Cancel{Tasks: []fettle.TaskID{task}}, r.snapshot().Deadline)
	}
	s.runs.tidy(r, s.Now())
	return r.snapshot(), nil
}
