package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// RetryRun does a run again for those of its nodes that failed, were silent or were never asked, with the same options. ErrConflict: it goes on, or
// nobody is left. ErrInvalid: it had secret inputs, which are kept nowhere.
func (s *Server) RetryRun(ctx context.Context, id fettle.RunID, caller string, user Asker) (fettle.Run, error) {
	if r := s.runs.get(id); r != nil {
		if r.snapshot().Ended == 0 {
			return fettle.Run{}, fmt.Errorf("run %s goes on; cancel it, or wait for its end: %w", id, fettle.ErrConflict)
		}
		if err := s.saveRun(ctx, r); err != nil { // it was told that it has ended; that this is not stored yet is nobody's business
			return fettle.Run{}, fmt.Errorf("store the end of run %s: %w", id, err)
		}
	}
	was, err := s.RunByID(ctx, id)
	if err != nil {
		return fettle.Run{}, err
	}
	old, err := s.storedRun(ctx, id)
	if err != nil {
		return fettle.Run{}, err
	}
	if s.hadSecrets(was) {
		return fettle.Run{}, fmt.Errorf("run %s had secret inputs, which are kept nowhere: start it anew: %w", id, fettle.ErrInvalid)
	}
	roster := fettle.Roster{Filter: was.Filter, Nodes: old.unwell()}
	if len(roster.Nodes) == 0 {
		return fettle.Run{}, fmt.Errorf("run %s has nobody left to ask again: %d of %d were ok: %w", id, old.run.Tally.OK, old.run.Tally.Roster, fettle.ErrConflict)
	}
	req := RunRequest{Action: was.Action, Inputs: was.Inputs, Caller: caller, User: user, Timeout: time.Duration(was.Timeout) * time.Millisecond, retryOf: id}
	if was.Pace != nil {
		req.Pace = *was.Pace
		req.Pace.Limit, req.Pace.LimitRandom = "", false // it chose these nodes already
	}
	r, err := s.startRun(ctx, req, roster)
	if err != nil {
		return fettle.Run{}, err
	}
	return r.snapshot(), nil
}

// hadSecrets tells whether an input of the run was masked.
func (s *Server) hadSecrets(run fettle.Run) bool {
	action, err := s.lookUp(run.Action)
	if err != nil {
		return false // startRun will say so
	}
	for _, in := range action.Inputs {
		if _, given := run.Inputs[in.Name]; in.Secret && given {
			return true
		}
	}
	return false
}

// unwell gives the nodes that did not answer ok, sorted.
func (r *liveRun) unwell() []fettle.NodeID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []fettle.NodeID
	for _, id := range r.nodes {
		if r.parts[id].state != partOK {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
