package server

import (
	"context"

	fettle "github.com/fettle-dev/fettle"
)

// RunUpdate is one thing that happened to a run: a result came, or the run's own state changed. The last one of a stream has Run.Ended.
type RunUpdate struct {
	Result *fettle.Result
	Run    *fettle.Run
}

// WatchRun gives everything that has come so far, and then what comes. The channel is closed after the end of the run, or when ctx ends. A
// reader that is slow holds nobody but himself.
func (s *Server) WatchRun(ctx context.Context, id fettle.RunID) (<-chan RunUpdate, error) {
	r := s.runs.get(id)
	if r == nil {
		return s.replayRun(ctx, id)
	}
	out := make(chan RunUpdate)
	go func() { // ends with ctx or the run, which ends at its deadline
		defer close(out)
		for n := 0; ; {
			results, run, changed := r.since(n)
			for _, k := range results {
				res := s.whole(ctx, k)
				if !offer(ctx, out, RunUpdate{Result: &res}) {
					return
				}
			}
			n += len(results)
			if !offer(ctx, out, RunUpdate{Run: &run}) || run.Ended != 0 {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	}()
	return out, nil
}

// whole gives a result as it came. What was cut is read from the store; a store that is away leaves it without.
func (s *Server) whole(ctx context.Context, k kept) fettle.Result {
	if !k.cut {
		return k.Result
	}
	stored, err := s.Store.Result(ctx, k.Task)
	if err != nil {
		s.complain(ctx, "read a large result", k.Run, err)
		return k.Result
	}
	return stored.Result
}

// replayRun gives the stream of a run that has ended.
func (s *Server) replayRun(ctx context.Context, id fettle.RunID) (<-chan RunUpdate, error) {
	run, err := s.Store.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make(chan RunUpdate)
	go func() { // ends with ctx or the last page
		defer close(out)
		for cursor := ""; ; {
			results, next, err := s.RunResults(ctx, id, resultsPage, cursor)
			if err != nil {
				s.Log.Error("results of a run", "run", id, "err", err)
				return
			}
			for i := range results {
				if !offer(ctx, out, RunUpdate{Result: &results[i]}) {
					return
				}
			}
			if cursor = next; cursor == "" {
				offer(ctx, out, RunUpdate{Run: &run})
				return
			}
		}
	}()
	return out, nil
}

func offer(ctx context.Context, out chan<- RunUpdate, u RunUpdate) bool {
	select {
	case out <- u:
		return true
	case <-ctx.Done():
		return false
	}
}
