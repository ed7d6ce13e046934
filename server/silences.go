package server

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// Bounds and times of silences.
const (
	maxSilences   = 2000 // that are not over
	silencesKept  = 30 * 24 * time.Hour
	followSilence = time.Second // how often it is looked whether one begins or ends
	keepVerdicts  = 2 * time.Second
)

// SilencePhase says where a silence stands.
type SilencePhase string

// The values of SilencePhase.
const (
	SilenceHolds SilencePhase = "holds"
	SilenceWaits SilencePhase = "waits" // for its start, or its next window
	SilenceOver  SilencePhase = "over"
)

// SilenceView is a silence and where it stands.
type SilenceView struct {
	fettle.Silence
	Phase SilencePhase
	Until fettle.Millis // when it holds: the end of this window
	Next  fettle.Millis // when it waits: the next beginning
	Nodes int           // when it holds: how many nodes it is about
}

// silenceBook is all silences that are kept, in memory.
type silenceBook struct {
	turn sync.Mutex // held by whoever changes what silences there are, and which nodes they are about
	mu   sync.RWMutex
	byID map[string]*keptSilence // guarded by mu
}

// keptSilence is a silence that can be asked. Fields below windows are guarded by silenceBook.turn.
type keptSilence struct {
	fettle.Silence
	program *filter.Program
	windows checks.Windows
	holds   bool
	until   fettle.Millis
	nodes   map[fettle.NodeID]bool
}

func (b *silenceBook) init() { b.byID = map[string]*keptSilence{} }

func (b *silenceBook) all() []*keptSilence {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.SortedFunc(maps.Values(b.byID), func(x, y *keptSilence) int { return cmp.Compare(x.ID, y.ID) })
}

// holding gives those that hold now.
func (b *silenceBook) holding() []*keptSilence {
	return slices.DeleteFunc(b.all(), func(k *keptSilence) bool { return !k.holds })
}

func (b *silenceBook) put(k *keptSilence) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.byID[k.ID] = k
}

// loadSilences reads the silences from the store, and has those hold that do now. One that this program does not understand silences nothing.
func (s *Server) loadSilences(ctx context.Context, at fettle.Millis) error {
	for after := ""; ; {
		page, err := s.Store.Silences(ctx, 0, after, 0)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, row := range page {
			var one fettle.Silence
			err := json.Unmarshal(row.Body, &one)
			if err == nil {
				var k *keptSilence
				if k, err = s.readSilence(ctx, one); err == nil {
					s.silences.put(k)
				}
			}
			if err != nil {
				s.Log.Error("a silence silences nothing", "silence", row.ID, "err", err)
			}
		}
		after = page[len(page)-1].ID
	}
	s.followSilences(ctx, at)
	return nil
}

func (s *Server) readSilence(ctx context.Context, one fettle.Silence) (*keptSilence, error) {
	k := &keptSilence{Silence: one}
	var err error
	if k.windows, err = checks.ReadSilence(one); err != nil {
		return nil, err
	}
	k.program, err = s.compile(ctx, one.Filter)
	return k, err
}

// silenceFilter gives the filter of a silence in CEL.
func silenceFilter(text fettle.Filter) (fettle.Filter, error) {
	if strings.TrimSpace(string(text)) == "" {
		return "", nil
	}
	return checks.WrittenFilter(text)
}

// AddSilence has bad states left out of verdicts, from its start on. What is left open: it starts now. ErrInvalid: its words; ErrConflict: there
// are too many.
func (s *Server) AddSilence(ctx context.Context, one fettle.Silence, caller string) (SilenceView, error) {
	now := fettle.MillisOf(s.Now())
	one.ID, one.Author, one.Created, one.Ended, one.EndedBy = wire.NewID(), caller, now, 0, ""
	if one.Starts == 0 {
		one.Starts = now
	}
	var err error
	if one.Filter, err = silenceFilter(one.Filter); err != nil {
		return SilenceView{}, fmt.Errorf("filter: %w", err)
	}
	k, err := s.readSilence(ctx, one)
	if err != nil {
		return SilenceView{}, err
	}
	if holds, _, next := k.windows.At(now); !holds && next == 0 {
		return SilenceView{}, &fettle.Fault{Key: "expires", Reason: "it would be over before it begins"}
	}
	s.silences.turn.Lock()
	defer s.silences.turn.Unlock()
	if n := len(slices.DeleteFunc(s.silences.all(), func(k *keptSilence) bool { return s.phase(k).Phase == SilenceOver })); n >= maxSilences {
		return SilenceView{}, fmt.Errorf("there are %d silences, and no more are allowed: %w", n, fettle.ErrConflict)
	}
	if err := s.storeSilence(ctx, one); err != nil {
		return SilenceView{}, err
	}
	s.silences.put(k)
	s.Log.Info("silence added", "silence", one.ID, "filter", one.Filter, "user", caller)
	return s.phaseAfter(ctx, k), nil
}

func (s *Server) storeSilence(ctx context.Context, one fettle.Silence) error {
	over := one.Expires
	if one.Ended != 0 {
		over = min(over, one.Ended)
	}
	return s.Store.SaveSilence(ctx, store.SilenceRow{ID: one.ID, Body: json.RawMessage(mustJSON(one)), Over: over})
}

// phaseAfter lets a silence take effect, and tells where it stands then. The caller holds silences.turn.
func (s *Server) phaseAfter(ctx context.Context, k *keptSilence) SilenceView {
	if err := s.follow(ctx, k, fettle.MillisOf(s.Now())); err != nil {
		s.Log.Error("a silence does not hold yet", "silence", k.ID, "err", err)
	}
	return s.phase(k)
}

// EndSilence ends a silence before its time. ErrNotFound: there is none; ErrConflict: it is over.
func (s *Server) EndSilence(ctx context.Context, id, caller string) (SilenceView, error) {
	s.silences.turn.Lock()
	defer s.silences.turn.Unlock()
	k, err := s.silence(id)
	if err != nil {
		return SilenceView{}, err
	}
	if s.phase(k).Phase == SilenceOver {
		return SilenceView{}, fmt.Errorf("silence %s is over already: %w", id, fettle.ErrConflict)
	}
	one := k.Silence
	one.Ended, one.EndedBy = fettle.MillisOf(s.Now()), caller
	if err := s.storeSilence(ctx, one); err != nil {
		return SilenceView{}, err
	}
	next := *k
	next.Silence = one
	next.windows = k.windows.Until(one.Ended)
	s.silences.put(&next)
	s.Log.Info("silence ended", "silence", id, "user", caller)
	return s.phaseAfter(ctx, &next), nil
}

func (s *Server) silence(id string) (*keptSilence, error) {
	s.silences.mu.RLock()
	defer s.silences.mu.RUnlock()
	k := s.silences.byID[id]
	if k == nil {
		return nil, fmt.Errorf("there is no silence %s: %w", id, fettle.ErrNotFound)
	}
	return k, nil
}

// phase tells where a silence stands.
func (s *Server) phase(k *keptSilence) SilenceView {
	v := SilenceView{Silence: k.Silence, Phase: SilenceOver}
	holds, until, next := k.windows.At(fettle.MillisOf(s.Now()))
	switch {
	case holds:
		v.Phase, v.Until, v.Nodes = SilenceHolds, until, len(k.nodes)
	case next != 0:
		v.Phase, v.Next = SilenceWaits, next
	}
	return v
}

// Silences lists the silences that are not over, or with over set all that are kept, the latest first.
func (s *Server) Silences(_ context.Context, over bool) []SilenceView {
	s.silences.turn.Lock()
	defer s.silences.turn.Unlock()
	var out []SilenceView
	for _, k := range s.silences.all() {
		if v := s.phase(k); over || v.Phase != SilenceOver {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b SilenceView) int { return cmp.Compare(b.ID, a.ID) })
	return out
}

// Silence gives one silence. ErrNotFound: there is none.
func (s *Server) Silence(_ context.Context, id string) (SilenceView, error) {
	s.silences.turn.Lock()
	defer s.silences.turn.Unlock()
	k, err := s.silence(id)
	if err != nil {
		return SilenceView{}, err
	}
	return s.phase(k), nil
}

// Silenced tells whether a silence holds for a check on a node, and which: what would be told of it, or done about it, is to wait. It costs the same
// however many silences and nodes there are.
func (s *Server) Silenced(check string, node fettle.NodeID) (fettle.SilencedBy, bool) {
	return s.Board.SilencedBy(check, node)
}

// watchSilences has silences begin and end, and keeps what verdicts are, until ctx ends.
func (s *Server) watchSilences(ctx context.Context) error {
	tick, keep := time.NewTicker(followSilence), time.NewTicker(keepVerdicts)
	defer tick.Stop()
	defer keep.Stop()
	held := map[string]checks.Held{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.followSilences(ctx, fettle.MillisOf(s.Now()))
		case <-keep.C:
			s.keepHeld(ctx, held)
		}
	}
}

// followSilences looks at each silence, and has the board count as of a moment.
func (s *Server) followSilences(ctx context.Context, at fettle.Millis) {
	s.silences.turn.Lock()
	defer s.silences.turn.Unlock()
	for _, k := range s.silences.all() {
		if err := s.follow(ctx, k, at); err != nil && ctx.Err() == nil {
			s.Log.Error("a silence does not follow its hours", "silence", k.ID, "err", err)
		}
	}
}

// follow has a silence begin or end, if it is time. The caller holds silences.turn.
func (s *Server) follow(ctx context.Context, k *keptSilence, at fettle.Millis) error {
	now := fettle.MillisOf(s.Now())
	holds, until, _ := k.windows.At(now)
	if holds == k.holds && until == k.until {
		return nil
	}
	if !holds {
		k.holds, k.until, k.nodes = false, 0, nil
		s.Board.EndSilence(k.ID, at)
		s.changes.notify()
		return nil
	}
	roster, err := s.Inventory.Roster(ctx, s.query(k.program, now))
	if err != nil {
		return err
	}
	k.holds, k.until, k.nodes = true, until, make(map[fettle.NodeID]bool, len(roster.Nodes))
	for _, id := range roster.Nodes {
		k.nodes[id] = true
	}
	s.Board.BeginSilence(checks.Quiet{
		SilencedBy: fettle.SilencedBy{ID: k.ID, Reason: k.Reason, Author: k.Author, Until: until}, Checks: k.Checks, Statuses: k.Statuses,
	}, roster.Nodes, at)
	s.changes.notify()
	return nil
}

// placeInSilences looks at a node of which something has changed.
func (s *Server) placeInSilences(ctx context.Context, id fettle.NodeID) {
	s.silences.turn.Lock()
	defer s.silences.turn.Unlock()
	now := fettle.MillisOf(s.Now())
	for _, k := range s.silences.holding() {
		truth, _, err := s.Inventory.Match(ctx, k.program, id, now)
		is := err == nil && truth == filter.True
		if is == k.nodes[id] {
			continue
		}
		if is {
			k.nodes[id] = true
		} else {
			delete(k.nodes, id)
		}
		s.Board.PutSilenced(k.ID, id, is, now)
	}
}

// keepHeld stores what has changed in what verdicts are. A store that is away is told the next time.
func (s *Server) keepHeld(ctx context.Context, was map[string]checks.Held) {
	var rows []store.VerdictRow
	is := s.Board.Held(fettle.MillisOf(s.Now()))
	for name, h := range is {
		if was[name] != h {
			rows = append(rows, store.VerdictRow{Name: name, Status: h.Status, Since: h.Since})
		}
	}
	if err := s.Store.SaveVerdicts(ctx, rows); err != nil {
		if ctx.Err() == nil {
			s.Log.Error("store verdicts", "err", err)
		}
		return
	}
	for _, row := range rows {
		was[row.Name] = checks.Held{Status: row.Status, Since: row.Since}
	}
}

// heldBefore gives what verdicts were when the server was last there: their status as the last states have it, since when it was that.
func (s *Server) heldBefore(ctx context.Context, at fettle.Millis) (map[string]checks.Held, error) {
	rows, err := s.Store.Verdicts(ctx)
	if err != nil {
		return nil, err
	}
	held := s.Board.Held(at)
	for _, row := range rows {
		if h, ok := held[row.Name]; ok && h.Status == row.Status {
			held[row.Name] = checks.Held{Status: row.Status, Since: row.Since}
		}
	}
	return held, nil
}

// pruneSilences drops silences that have been over for long.
func (s *Server) pruneSilences(ctx context.Context, now fettle.Millis) error {
	before := now.Add(-silencesKept)
	if _, err := s.Store.PruneSilences(ctx, before); err != nil {
		return err
	}
	s.silences.mu.Lock()
	defer s.silences.mu.Unlock()
	maps.DeleteFunc(s.silences.byID, func(_ string, k *keptSilence) bool { return k.Expires < before || k.Ended != 0 && k.Ended < before })
	return nil
}
