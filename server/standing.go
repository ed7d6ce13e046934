package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/runs"
)

// maxStanding is how many standing runs there may be.
const maxStanding = 1000

// standingBook holds the standing runs, in memory.
type standingBook struct {
	change sync.Mutex // held by whoever changes one, until the change is stored
	mu     sync.Mutex
	byName map[string]*standing // guarded by mu
	wake   chan struct{}        // one is new, or has changed
}

// standing is a standing run and what is made of its words.
type standing struct {
	fettle.Standing
	when runs.When
}

func (b *standingBook) init() { b.byName, b.wake = map[string]*standing{}, make(chan struct{}, 1) }

func (b *standingBook) get(name string) (standing, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if st := b.byName[name]; st != nil {
		return *st, true
	}
	return standing{}, false
}

func (b *standingBook) put(st standing) {
	b.mu.Lock()
	b.byName[st.Name] = &st
	b.mu.Unlock()
	b.poke()
}

func (b *standingBook) drop(name string) {
	b.mu.Lock()
	delete(b.byName, name)
	b.mu.Unlock()
	b.poke()
}

func (b *standingBook) all() []standing {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]standing, 0, len(b.byName))
	for _, name := range slices.Sorted(maps.Keys(b.byName)) {
		out = append(out, *b.byName[name])
	}
	return out
}

// due notes in memory alone when the next round is due.
func (b *standingBook) due(name string, at fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if st := b.byName[name]; st != nil {
		st.Next = at
	}
}

func (b *standingBook) poke() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// StandingOrder asks for a run that comes again and again.
type StandingOrder struct {
	Name string
	RunRequest
	Loop, Every time.Duration
	Cron, Zone  string
}

// Stand keeps a standing run, and starts its first round when that is due: at once, unless cron says otherwise. ErrConflict: there is one of that
// name. ErrInvalid: the action's inputs, the filter, the pace, or when it comes.
func (s *Server) Stand(ctx context.Context, o StandingOrder) (fettle.Standing, error) {
	inputs, secrets, err := s.checkInputs(o.RunRequest)
	if err != nil {
		return fettle.Standing{}, err
	}
	if secrets != nil {
		return fettle.Standing{}, fmt.Errorf("secret inputs are kept nowhere, and a standing run would have to keep them: %w", fettle.ErrInvalid)
	}
	if err := filter.CheckName(o.Name); err != nil {
		return fettle.Standing{}, &fettle.Fault{Key: "name", Reason: "letters, digits, and _ - . within, at most 64"}
	}
	if o.Roster != "" {
		return fettle.Standing{}, fmt.Errorf("a roster is of one moment, and a standing run asks who matches at each round: give a filter: %w", fettle.ErrInvalid)
	}
	if _, err := s.program(ctx, o.Selection); err != nil {
		return fettle.Standing{}, err
	}
	user := o.User.or(o.Caller)
	st := standing{Standing: fettle.Standing{
		Name: o.Name, Action: o.Action, Inputs: inputs, Filter: o.Where, All: o.All, Timeout: s.limit(o.RunRequest).Milliseconds(), Pace: o.Pace,
		Loop: o.Loop.Milliseconds(), Every: o.Every.Milliseconds(), Cron: o.Cron, Zone: o.Zone, Owner: o.Caller, Account: user.Account, Token: user.Token,
		Created: fettle.MillisOf(s.Now()), Rev: 1,
	}}
	if st.when, err = runs.NewWhen(st.Standing); err != nil {
		return fettle.Standing{}, err
	}
	st.Next = st.first()
	s.standing.change.Lock()
	defer s.standing.change.Unlock()
	if _, there := s.standing.get(o.Name); there {
		return fettle.Standing{}, fmt.Errorf("there is a standing run %s; end it first, or take another name: %w", o.Name, fettle.ErrConflict)
	}
	if len(s.standing.all()) >= maxStanding {
		return fettle.Standing{}, fmt.Errorf("there are %d standing runs, and no more are allowed: %w", maxStanding, fettle.ErrConflict)
	}
	if err := s.Audit.Record(ctx, o.Caller, "standing.start", o.Name, standingDetails(st.Standing)); err != nil {
		return fettle.Standing{}, err
	}
	if err := s.Store.NewStanding(ctx, st.Standing); err != nil {
		return fettle.Standing{}, err
	}
	s.standing.put(st)
	s.Log.Info("standing run kept", "run", o.Name, "user", o.Caller)
	return st.Standing, nil
}

// first gives when the first round is due.
func (st *standing) first() fettle.Millis {
	if st.Cron == "" {
		return st.Created
	}
	return millisOrNever(st.when.After(st.Created.Time(), st.Created.Time()))
}

func millisOrNever(t time.Time) fettle.Millis {
	if t.IsZero() {
		return 0
	}
	return fettle.MillisOf(t)
}

func standingDetails(st fettle.Standing) audit.Details {
	d := audit.Details{"action": st.Action, "inputs": st.Inputs, "pace": st.Pace}
	for key, value := range map[string]string{"filter": string(st.Filter), "cron": st.Cron, "zone": st.Zone} {
		if value != "" {
			d[key] = value
		}
	}
	for key, ms := range map[string]int64{"loop": st.Loop, "every": st.Every} {
		if ms != 0 {
			d[key] = (time.Duration(ms) * time.Millisecond).String()
		}
	}
	if st.All {
		d["all"] = true
	}
	return d
}

// StandingRuns lists the standing runs, by name.
func (s *Server) StandingRuns(context.Context) []fettle.Standing {
	all := s.standing.all()
	out := make([]fettle.Standing, len(all))
	for i := range all {
		out[i] = all[i].Standing
	}
	return out
}

// StandingRun gives one standing run. ErrNotFound, with a suggestion where a name is near: there is none of that name.
func (s *Server) StandingRun(_ context.Context, name string) (fettle.Standing, error) {
	if st, ok := s.standing.get(name); ok {
		return st.Standing, nil
	}
	return fettle.Standing{}, s.noStanding(name)
}

func (s *Server) noStanding(name string) error {
	var names []string
	for _, st := range s.standing.all() {
		names = append(names, st.Name)
	}
	if near := nearest(name, names); near != "" {
		return fmt.Errorf("there is no standing run %s, did you mean %s?: %w", name, near, fettle.ErrNotFound)
	}
	return fmt.Errorf("there is no standing run %s: %w", name, fettle.ErrNotFound)
}

// PauseStanding has a standing run start nothing, and its round that goes ask nobody any more, until it is resumed. What was sent is answered.
func (s *Server) PauseStanding(ctx context.Context, name, caller string) (fettle.Standing, error) {
	return s.changeStanding(ctx, name, func(st *standing) error {
		if st.Paused != "" {
			return fmt.Errorf("standing run %s is paused already, by %s: %w", name, st.Paused, fettle.ErrConflict)
		}
		st.Paused, st.Next = cmp.Or(caller, "somebody"), 0
		return s.Audit.Record(ctx, caller, "standing.pause", name, nil)
	})
}

// ResumeStanding has a standing run go on. What was due meanwhile is not made up for.
func (s *Server) ResumeStanding(ctx context.Context, name, caller string) (fettle.Standing, error) {
	return s.changeStanding(ctx, name, func(st *standing) error {
		if st.Paused == "" {
			return fmt.Errorf("standing run %s is not paused: %w", name, fettle.ErrConflict)
		}
		st.Paused, st.Next = "", fettle.MillisOf(s.Now())
		if _, loops := st.when.Loop(); !loops {
			st.Next = millisOrNever(st.when.After(s.Now(), st.Created.Time()))
		}
		return s.Audit.Record(ctx, caller, "standing.resume", name, nil)
	})
}

// changeStanding changes one in the store and then in memory.
func (s *Server) changeStanding(ctx context.Context, name string, change func(*standing) error) (fettle.Standing, error) {
	s.standing.change.Lock()
	defer s.standing.change.Unlock()
	st, ok := s.standing.get(name)
	if !ok {
		return fettle.Standing{}, s.noStanding(name)
	}
	if err := change(&st); err != nil {
		return st.Standing, err
	}
	rev, err := s.Store.UpdateStanding(ctx, st.Standing)
	if err != nil {
		return st.Standing, err
	}
	st.Rev = rev
	s.standing.put(st)
	s.runs.freed.notify() // a round that goes may be held, or be let go
	return st.Standing, nil
}

// EndStanding takes a standing run away. Its round that goes asks nobody any more.
func (s *Server) EndStanding(ctx context.Context, name, caller string) error {
	s.standing.change.Lock()
	defer s.standing.change.Unlock()
	if _, ok := s.standing.get(name); !ok {
		return s.noStanding(name)
	}
	if err := s.Audit.Record(ctx, caller, "standing.end", name, nil); err != nil {
		return err
	}
	if err := s.Store.DeleteStanding(ctx, name); err != nil && !errors.Is(err, fettle.ErrNotFound) {
		return err
	}
	s.standing.drop(name)
	s.runs.freed.notify()
	s.Log.Info("standing run ended", "run", name, "user", caller)
	return nil
}

// catchRound notes the last round, should the server have been killed between its start and the note of it: it is not started again.
func (s *Server) catchRound(ctx context.Context, st *standing) error {
	list, err := s.Store.RunsOf(ctx, st.Name, 1)
	if err != nil || len(list) == 0 || list[0].ID == st.Last || list[0].Created < st.Created {
		return err
	}
	st.Last, st.Rounds = list[0].ID, st.Rounds+1
	if _, loops := st.when.Loop(); !loops && st.Paused == "" && st.Next <= list[0].Created {
		st.Next = millisOrNever(st.when.After(list[0].Created.Time(), st.Created.Time()))
	}
	st.Rev, err = s.Store.UpdateStanding(ctx, st.Standing)
	return err
}

// loadStanding reads the standing runs from the store.
func (s *Server) loadStanding(ctx context.Context) error {
	for after := ""; ; {
		page, err := s.Store.Standing(ctx, after, 0)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, one := range page {
			when, err := runs.NewWhen(one)
			if err != nil {
				return fmt.Errorf("standing run %s: %w", one.Name, err)
			}
			st := standing{Standing: one, when: when}
			if err := s.catchRound(ctx, &st); err != nil {
				return err
			}
			s.standing.put(st)
		}
		after = page[len(page)-1].Name
	}
}
