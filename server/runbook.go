package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// runBook holds the runs that go on, and those whose end is not stored yet.
type runBook struct {
	mu    sync.Mutex
	going map[fettle.RunID]*liveRun // guarded by mu
	onWay []fettle.TaskID           // guarded by mu; sent, and not yet stored as such
	late  map[fettle.RunID]struct{} // guarded by mu; have ended, and got a result since
	wake  chan struct{}             // something may have ended, or a deadline is new

	turn  sync.Mutex    // held while a run with a pace decides whom it asks, so that what all together may do is not exceeded; taken before mu
	freed signal        // somebody may have a turn who had none
	idle  chan struct{} // there is a run with a pace that nobody drives
	busy  busyNodes
}

func (b *runBook) init() {
	b.going, b.late, b.wake = map[fettle.RunID]*liveRun{}, map[fettle.RunID]struct{}{}, make(chan struct{}, 1)
	b.idle = make(chan struct{}, 1)
	b.freed.init()
}

func (b *runBook) add(r *liveRun) {
	b.mu.Lock()
	b.going[r.run.ID] = r
	b.mu.Unlock()
	b.poke()
	if r.course != nil {
		select {
		case b.idle <- struct{}{}:
		default:
		}
	}
}

func (b *runBook) get(id fettle.RunID) *liveRun {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.going[id]
}

// all gives the runs, the oldest first.
func (b *runBook) all() []*liveRun {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]*liveRun, 0, len(b.going))
	for _, id := range slices.Sorted(maps.Keys(b.going)) {
		out = append(out, b.going[id])
	}
	return out
}

func (b *runBook) drop(id fettle.RunID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.going, id)
}

func (b *runBook) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// sent notes that a task is on its way to a node that has come back.
func (b *runBook) sent(r *liveRun, t fettle.Task) {
	r.sent(t)
	b.mu.Lock()
	b.onWay = append(b.onWay, t.ID)
	b.mu.Unlock()
	b.poke()
}

func (b *runBook) takeOnWay() []fettle.TaskID {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.onWay
	b.onWay = nil
	return out
}

// recount has a run that has ended counted anew.
func (b *runBook) recount(id fettle.RunID) {
	b.mu.Lock()
	b.late[id] = struct{}{}
	b.mu.Unlock()
	b.poke()
}

func (b *runBook) takeLate() []fettle.RunID {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := slices.Sorted(maps.Keys(b.late))
	clear(b.late)
	return out
}

// tidy ends r if it is done, and has its end stored.
func (b *runBook) tidy(r *liveRun, now time.Time) {
	if r.end(now) {
		b.poke()
	}
}

// takeRunResult gives a result that is on disk to the run that it belongs to. The run itself knows what it has counted: a result that the
// store had already may be one of a commit that was tried twice, because its answer was lost. isNew is the store's opinion.
func (s *Server) takeRunResult(res fettle.Result, isNew bool) {
	if res.Run == "" {
		return
	}
	r := s.runs.get(res.Run)
	if r == nil {
		if isNew {
			s.runs.recount(res.Run)
		}
		return
	}
	switch r.take(res, s.Now()) {
	case takenCounted:
		if r.shares() {
			s.runs.freed.notify()
		}
		s.meters.resultSeconds.Update(fettle.MillisOf(s.Now()).Sub(r.snapshot().Created).Seconds())
		s.runs.tidy(r, s.Now())
	case takenTooLate:
		s.runs.recount(res.Run)
	}
}

// markSent stores which tasks were sent, so that a restart can tell silence from absence. A store that is away costs only that.
func (s *Server) markSent(ctx context.Context) {
	ids := s.runs.takeOnWay()
	if len(ids) == 0 {
		return
	}
	if err := s.Store.MarkSent(ctx, ids, fettle.MillisOf(s.Now())); err != nil && ctx.Err() == nil {
		s.Log.Warn("mark tasks as sent", "err", err)
	}
}

// idleLook is how long followRuns sleeps where no run goes on.
const idleLook = time.Minute

// followRuns ends runs at their deadlines and stores how they ended, until ctx ends. A store that is away is asked again.
func (s *Server) followRuns(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.runs.wake:
		case <-timer.C:
		}
		now, next := s.Now(), idleLook
		s.markSent(ctx)
		for _, r := range s.runs.all() {
			if r.end(now); r.snapshot().Ended == 0 {
				next = min(next, r.nextDue(now).Sub(now)+time.Millisecond)
				continue
			}
			if err := s.saveRun(ctx, r); err != nil {
				s.complain(ctx, "store the end of a run", r.run.ID, err)
				next = min(next, retryLast)
			}
			if r.isClosed() {
				s.runs.drop(r.run.ID)
				s.runs.freed.notify()
				s.standing.poke()
			}
		}
		for _, id := range s.runs.takeLate() {
			if err := s.countAnew(ctx, id); err != nil {
				s.complain(ctx, "count a late result of a run", id, err)
				s.runs.recount(id)
				next = min(next, retryLast)
			}
		}
		timer.Reset(max(next, time.Millisecond))
	}
}

func (s *Server) complain(ctx context.Context, what string, run fettle.RunID, err error) {
	if ctx.Err() == nil {
		s.Log.Error(what, "run", run, "err", err) //nolint:sloglint // one of a few constants
	}
}

// saveRun stores a run as it stands, if it has changed since.
func (s *Server) saveRun(ctx context.Context, r *liveRun) error {
	r.saving.Lock()
	defer r.saving.Unlock()
	run, version, dirty := r.toSave()
	if !dirty {
		return nil
	}
	rev, err := s.Store.UpdateRun(ctx, run)
	if errors.Is(err, fettle.ErrConflict) { // a commit of ours whose answer was lost
		var stored fettle.Run
		if stored, err = s.Store.Run(ctx, run.ID); err == nil {
			run.Rev = stored.Rev
			rev, err = s.Store.UpdateRun(ctx, run)
		}
	}
	if err != nil && !errors.Is(err, fettle.ErrNotFound) { // not found: it was pruned
		return err
	}
	r.stored(version, rev)
	return nil
}

// countAnew mends the tally of a run that got a result after its end: whoever answered late is not silent.
func (s *Server) countAnew(ctx context.Context, id fettle.RunID) error {
	r, err := s.storedRun(ctx, id)
	if errors.Is(err, fettle.ErrNotFound) {
		return nil // pruned, or never ours
	}
	if err != nil {
		return err
	}
	was, err := s.Store.Run(ctx, id)
	if err != nil || was.Ended == 0 || was.Tally == r.run.Tally {
		return err
	}
	was.Tally = r.run.Tally
	_, err = s.Store.UpdateRun(ctx, was)
	return err
}

// loadRuns takes up the runs that went on when the server stopped: what was answered is known from the store, the rest is sent again to
// whoever says hello before the deadline. Runs that ended, and got a result that was not counted any more, are counted anew.
func (s *Server) loadRuns(ctx context.Context) error {
	going, err := s.Store.GoingRuns(ctx)
	if err != nil {
		return err
	}
	for _, run := range going {
		r, err := s.storedRun(ctx, run.ID)
		if err != nil {
			return err
		}
		if err := s.resume(ctx, r); err != nil {
			return fmt.Errorf("run %s: %w", run.ID, err)
		}
		s.runs.add(r)
		s.Log.Info("run taken up again", "run", run.ID, "pending", r.snapshot().Tally.Pending)
	}
	miscounted, err := s.Store.MiscountedRuns(ctx, fettle.MillisOf(s.Now()).Add(-2*fettle.MaxExpiry))
	if err != nil {
		return err
	}
	for _, id := range miscounted {
		s.runs.recount(id)
	}
	return nil
}

// storedRun puts a run together from what is stored of it. One that has ended has the tally that it ought to have.
func (s *Server) storedRun(ctx context.Context, id fettle.RunID) (*liveRun, error) {
	run, err := s.Store.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	roster, err := s.Store.Roster(ctx, string(id))
	if err != nil {
		return nil, err
	}
	now := s.Now()
	r := newLiveRun(run, roster.Nodes, now.Add(run.Deadline.Sub(fettle.MillisOf(now))))
	r.timeout = time.Duration(run.Timeout) * time.Millisecond
	for _, p := range r.parts {
		p.state = partNever
	}
	if err := s.Store.LoadTasks(ctx, store.TaskQuery{Run: id}, func(t store.StoredTask) error {
		if p := r.parts[t.Node]; p != nil {
			p.task, r.timeout = t.ID, time.Duration(t.Timeout)*time.Millisecond
			if p.called = t.Expires != store.NotCalled; p.called {
				p.due = now.Add(t.Expires.Sub(fettle.MillisOf(now)))
			}
			if hasSealed(t.Inputs) {
				p.inputs = t.Inputs
			}
			switch {
			case t.Sent != 0:
				p.state = partSent
			case t.State != store.TaskCancelled:
				p.state = partWaiting
			}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	r.run.Tally = r.tally()
	for cursor := ""; ; {
		results, next, err := s.RunResults(ctx, id, resultsPage, cursor)
		if err != nil {
			return nil, err
		}
		for _, res := range results {
			r.take(res, now)
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	if run.Ended != 0 {
		r.giveUp()
		r.closed = true
	}
	return r, nil
}

// resultsPage is how many results are read from the store at a time.
const resultsPage = 1000
