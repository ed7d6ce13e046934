package server

import (
	"context"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// RunQuery says which runs are listed.
type RunQuery = store.RunQuery

// FindRuns lists runs, the newest first, and gives the cursor of the next page; empty: these are all.
func (s *Server) FindRuns(ctx context.Context, q RunQuery) ([]fettle.Run, string, error) {
	runs, err := s.Store.FindRuns(ctx, q)
	if err != nil || len(runs) == 0 || len(runs) < q.Limit {
		return s.withGoing(runs), "", err
	}
	return s.withGoing(runs), string(runs[len(runs)-1].ID), nil
}

// RunUnanswered gives the nodes of a run's roster that have given no result, sorted: those that the tally counts as silent, never or pending, or
// with an empty state all of them.
func (s *Server) RunUnanswered(ctx context.Context, id fettle.RunID, state string) ([]fettle.NodeID, error) {
	r := s.runs.get(id)
	if r == nil {
		var err error
		if r, err = s.storedRun(ctx, id); err != nil {
			return nil, err
		}
	}
	if state == "" {
		return r.unanswered(), nil
	}
	var t fettle.Tally
	counter := map[string]*int{"silent": &t.Silent, "never": &t.Never, "pending": &t.Pending}[state]
	if counter == nil {
		return nil, fmt.Errorf("state %q is none of silent, never, pending: %w", state, fettle.ErrInvalid)
	}
	return r.countedBy(&t, counter), nil
}

// countedBy gives the nodes that one of t's numbers counts, sorted.
func (r *liveRun) countedBy(t *fettle.Tally, number *int) (out []fettle.NodeID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range r.nodes {
		if r.parts[id].state.counter(t) == number {
			out = append(out, id)
		}
	}
	return out
}
