package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of the standing runs' own pace.
const (
	roundLook  = time.Minute      // how often a standing run looks for members that are new, and again after something went wrong
	roundGap   = 10 * time.Second // between the beginnings of rounds of a loop, at least, or its span: where nobody can be asked it does not spin
	roundsBack = 3                // rounds in which it is looked up when a node ended last: the one before, and stragglers of those before that
)

// standRuns starts the rounds of standing runs when they are due, until ctx ends.
func (s *Server) standRuns(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.standing.wake:
		case <-timer.C:
		}
		next := roundLook
		for _, st := range s.standing.all() {
			if st.Paused != "" {
				continue
			}
			due, err := s.round(ctx, st)
			if err != nil && ctx.Err() == nil {
				s.Log.Warn("round of a standing run", "run", st.Name, "err", err)
			}
			if !due.IsZero() {
				next = min(next, due.Sub(s.Now())+time.Millisecond)
			}
		}
		timer.Reset(max(next, 10*time.Millisecond))
	}
}

// round starts a round of a standing run if one is due, and tells when the next may be; zero: when something happens.
func (s *Server) round(ctx context.Context, st standing) (time.Time, error) {
	if loop, loops := st.when.Loop(); loops {
		return s.loopRound(ctx, st, loop)
	}
	now := fettle.MillisOf(s.Now())
	if st.Next == 0 || st.Next > now {
		if st.Next == 0 {
			return time.Time{}, nil
		}
		return st.Next.Time(), nil
	}
	var why error
	var run fettle.Run
	if going, is := s.going(st.Name); is {
		why = fmt.Errorf("run %s still goes, with %d nodes pending: %w", going.ID, going.Tally.Pending, fettle.ErrConflict)
	} else {
		run, why = s.startRound(ctx, st, nil, nil)
	}
	if errors.Is(why, fettle.ErrUnavailable) {
		return s.Now().Add(storeAgain), why // it is tried again, and is not left out
	}
	noted, err := s.noteRound(ctx, st.Name, run, why)
	return noted.Next.Time(), err
}

// noteRound notes that a round was started, or why not, and when the next is due: one of those that were missed is made up for, not all. A store that
// is away is waited for, or else the round would be started again.
func (s *Server) noteRound(ctx context.Context, name string, run fettle.Run, why error) (fettle.Standing, error) {
	for {
		st, err := s.tryNote(ctx, name, run, why)
		if !errors.Is(err, fettle.ErrUnavailable) || ctx.Err() != nil {
			return st, err
		}
		s.Log.Warn("note a round of a standing run", "run", name, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(storeAgain):
		}
	}
}

func (s *Server) tryNote(ctx context.Context, name string, run fettle.Run, why error) (fettle.Standing, error) {
	return s.changeStanding(ctx, name, func(st *standing) error {
		now := s.Now()
		if why != nil {
			st.Skipped, st.SkippedAt = Plainly(why), fettle.MillisOf(now)
		} else {
			st.Last, st.Rounds = run.ID, st.Rounds+1
		}
		if _, loops := st.when.Loop(); loops {
			st.Next = 0 // it is known when the round is over
		} else if st.Paused == "" {
			st.Next = millisOrNever(st.when.After(now, st.Created.Time()))
		}
		return nil
	})
}

// going gives a round of a standing run that has not ended. One whose time is up has, though nobody may have noticed yet: after a server was away, its
// runs end and its rounds begin in whatever order.
func (s *Server) going(name string) (fettle.Run, bool) {
	for _, r := range s.runs.all() {
		if run := r.snapshot(); run.Standing != name || run.Ended != 0 {
			continue
		}
		if r.end(s.Now()) {
			s.runs.poke() // the end is stored
		}
		if run := r.snapshot(); run.Ended == 0 {
			return run, true
		}
	}
	return fettle.Run{}, false
}

// loopRound starts a round of a loop as soon as the first of its members is due and nobody waits for a turn in the round before. In it each member
// has its turn when it itself is due; those that are still at work in the round before are left to the next.
//
// Whether it is due is asked of the moment before it was looked who is there and who is at work: else time could pass in between, and a round begin
// that lacks who came meanwhile, or is free again.
func (s *Server) loopRound(ctx context.Context, st standing, loop time.Duration) (time.Time, error) {
	now := fettle.MillisOf(s.Now())
	out := map[fettle.NodeID]bool{}
	for _, r := range s.runs.all() {
		if r.run.Standing != st.Name {
			continue
		}
		if r.left() > 0 {
			return time.Time{}, nil
		}
		r.eachOut(func(id fettle.NodeID) { out[id] = true })
	}
	roster, err := s.roster(ctx, Selection{Where: st.Filter, All: st.All})
	if err != nil {
		return time.Time{}, s.skipLoop(ctx, st, err)
	}
	roster.Nodes = slices.DeleteFunc(slices.Clone(roster.Nodes), func(id fettle.NodeID) bool { return out[id] })
	ready, err := s.readyAfter(ctx, st, loop, "")
	if err != nil {
		return time.Time{}, err
	}
	first := s.firstReady(roster.Nodes, ready)
	if first < 0 {
		return time.Time{}, nil // nobody is there
	}
	if last, err := s.Store.Run(ctx, st.Last); err == nil {
		first = max(first, last.Created.Add(min(loop, roundGap)))
	}
	if first > now {
		s.standing.due(st.Name, first)
		return first.Time(), nil
	}
	run, err := s.startRound(ctx, st, &roster, ready)
	if err != nil {
		return time.Time{}, s.skipLoop(ctx, st, err)
	}
	_, err = s.noteRound(ctx, st.Name, run, nil)
	return time.Time{}, err
}

// firstReady gives when the first of the nodes that are there is due; below zero: none is.
func (s *Server) firstReady(nodes []fettle.NodeID, ready map[fettle.NodeID]fettle.Millis) fettle.Millis {
	first := fettle.Millis(-1)
	for _, id := range nodes {
		if at := ready[id]; s.presence.liveness(id) != fettle.Silent && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// skipLoop notes why a loop has no round; it is tried again in a while. The same reason is noted once.
func (s *Server) skipLoop(ctx context.Context, st standing, why error) error {
	if errors.Is(why, fettle.ErrUnavailable) || st.Skipped == Plainly(why) {
		return why
	}
	_, err := s.noteRound(ctx, st.Name, fettle.Run{}, why)
	return errors.Join(why, err)
}

// readyAfter gives when each node may be asked again: a span after its last end in the rounds before one; empty: before a new one. Who was
// not asked there because he was away need not wait.
func (s *Server) readyAfter(ctx context.Context, st standing, loop time.Duration, before fettle.RunID) (map[fettle.NodeID]fettle.Millis, error) {
	list, err := s.Store.RunsOf(ctx, st.Name, roundsBack+1)
	if err != nil {
		return nil, err
	}
	var ids []fettle.RunID
	ready := map[fettle.NodeID]fettle.Millis{}
	for _, run := range list {
		if before != "" && run.ID >= before || len(ids) == roundsBack {
			continue
		}
		ids = append(ids, run.ID)
		if err := s.waitOn(ctx, run, loop, ready); err != nil {
			return nil, err
		}
	}
	ends, err := s.Store.LastEnds(ctx, ids)
	for id, at := range ends {
		ready[id] = max(ready[id], at.Add(loop))
	}
	return ready, err
}

// waitOn has those wait for a span whom a round did not ask because it was stopped, cancelled, or something forbade it.
func (s *Server) waitOn(ctx context.Context, run fettle.Run, loop time.Duration, ready map[fettle.NodeID]fettle.Millis) error {
	until := max(run.Created, run.Ended).Add(loop)
	if run.Stopped != "" || run.State == fettle.RunCancelled {
		roster, err := s.Store.Roster(ctx, string(run.ID))
		if err != nil {
			return err
		}
		for _, id := range roster.Nodes {
			ready[id] = until
		}
	}
	for _, refusal := range run.Refused {
		for _, id := range refusal.Nodes {
			ready[id] = until
		}
	}
	return nil
}

// startRound starts a round with the rights that the owner has now. A nil roster is made of who matches now.
func (s *Server) startRound(ctx context.Context, st standing, roster *fettle.Roster, ready map[fettle.NodeID]fettle.Millis) (fettle.Run, error) {
	user, err := s.rights(ctx, Asker{Name: st.Owner, Account: st.Account, Token: st.Token})
	if err != nil {
		return fettle.Run{}, err
	}
	req := RunRequest{
		Action: st.Action, Inputs: st.Inputs, Selection: Selection{Where: st.Filter, All: st.All}, Timeout: time.Duration(st.Timeout) * time.Millisecond,
		Caller: st.Owner, User: user, Pace: st.Pace, standing: st.Name, ready: ready,
	}
	if roster == nil {
		found, err := s.roster(ctx, req.Selection)
		if err != nil {
			return fettle.Run{}, err
		}
		if len(found.Nodes) == 0 {
			return fettle.Run{}, fmt.Errorf("no node matches: %w", fettle.ErrConflict)
		}
		roster = &found
	}
	r, err := s.startRun(ctx, req, *roster)
	if err != nil {
		return fettle.Run{}, err
	}
	return r.snapshot(), nil
}

// Plainly gives the first line of an error as it is shown to people, without the name of its kind.
func Plainly(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	for _, kind := range []error{fettle.ErrNotFound, fettle.ErrInvalid, fettle.ErrConflict, fettle.ErrDenied, fettle.ErrUnavailable} {
		text = strings.TrimSuffix(text, ": "+kind.Error())
	}
	return text
}
