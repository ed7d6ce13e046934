package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/store"
)

// Bounds of a preview.
const (
	previewBack   = 7 * 24 * time.Hour
	previewReads  = 20_000 // transitions that are looked at, the newest first
	previewPasts  = 500    // of them, for which the facts of their moment are made
	previewShown  = 100    // states and transitions that are given
	previewCounts = 50     // checks that are counted apart
)

// SilencePreview says what a silence would do.
type SilencePreview struct {
	Nodes     int // for which its filter is true
	Undefined int // for which it is undefined: they are not silenced
	Now       HiddenNow
	Before    HiddenBefore
}

// HiddenNow is what a silence would hide if it held now.
type HiddenNow struct {
	Count   int
	ByCheck map[string]int      // at most previewCounts
	States  []fettle.CheckState // at most previewShown, the worst first
}

// HiddenBefore is what a silence would have hidden: hard changes to a state that it is about, while it would have held.
type HiddenBefore struct {
	Since       fettle.Millis // how far back was looked
	Count       int
	ByCheck     map[string]int
	Transitions []store.Transition // at most previewShown, the newest first
	Present     int                // of Count, how many were judged by the facts of today, because those of their moment cannot be told
	More        bool               // there are older ones that were not looked at
}

// PreviewSilence tells what a silence would hide now, and what it would have hidden in the last seven days: if it had held all the time, or in its
// windows, where it has some. Nothing is changed.
func (s *Server) PreviewSilence(ctx context.Context, one fettle.Silence, caller string) (SilencePreview, error) {
	now := fettle.MillisOf(s.Now())
	one.Author = caller
	one.Starts = orDefault(one.Starts, now)
	var err error
	if one.Filter, err = silenceFilter(one.Filter); err != nil {
		return SilencePreview{}, fmt.Errorf("filter: %w", err)
	}
	k, err := s.readSilence(ctx, one)
	if err != nil {
		return SilencePreview{}, err
	}
	roster, err := s.Inventory.Roster(ctx, s.query(k.program, now))
	if err != nil {
		return SilencePreview{}, err
	}
	p := SilencePreview{Nodes: len(roster.Nodes), Undefined: roster.Undefined}
	p.Now = s.hiddenNow(k, roster.Nodes, now)
	p.Before, err = s.hiddenBefore(ctx, k, now)
	return p, err
}

func (s *Server) hiddenNow(k *keptSilence, nodes []fettle.NodeID, now fettle.Millis) HiddenNow {
	h := HiddenNow{ByCheck: map[string]int{}}
	for _, state := range s.Board.Bad(nodes, now) {
		if !k.isAbout(state.Check, state.Status) {
			continue
		}
		h.Count++
		h.States = append(h.States, state)
		countCheck(h.ByCheck, state.Check)
	}
	slices.SortFunc(h.States, func(a, b fettle.CheckState) int {
		return cmp.Or(checks.CompareStatus(b.Status, a.Status), cmp.Compare(a.Check, b.Check), cmp.Compare(a.Node, b.Node))
	})
	h.States = h.States[:min(len(h.States), previewShown)]
	return h
}

func countCheck(by map[string]int, check string) {
	if _, known := by[check]; known || len(by) < previewCounts {
		by[check]++
	}
}

// isAbout tells whether a silence is about a check with a status; a stale one is unknown.
func (k *keptSilence) isAbout(check string, status fettle.CheckStatus) bool {
	if status == fettle.CheckStale {
		status = fettle.CheckUnknown
	}
	return status != fettle.CheckOK && checks.CoversCheck(k.Checks, check) && (len(k.Statuses) == 0 || slices.Contains(k.Statuses, status))
}

func (s *Server) hiddenBefore(ctx context.Context, k *keptSilence, now fettle.Millis) (HiddenBefore, error) {
	h := HiddenBefore{Since: now.Add(-previewBack), ByCheck: map[string]int{}}
	windows := k.windows.Always()
	past := &pastJudge{s: s, k: k, now: now, left: previewPasts}
	if err := past.begin(ctx, h.Since); err != nil {
		return h, err
	}
	q := store.TransitionQuery{Since: h.Since}
	for looked := 0; ; {
		page, err := s.Store.Transitions(ctx, q)
		if err != nil {
			return h, err
		}
		for _, t := range page {
			looked++
			if holds, _, _ := windows.At(t.At); !holds || !t.Hard || !k.isAbout(t.Check, t.To) {
				continue
			}
			is, present, err := past.matched(ctx, t.Node, t.At)
			if err != nil {
				return h, err
			}
			if !is {
				continue
			}
			if h.Count++; present {
				h.Present++
			}
			countCheck(h.ByCheck, t.Check)
			if len(h.Transitions) < previewShown {
				h.Transitions = append(h.Transitions, t)
			}
		}
		if len(page) == 0 {
			return h, nil
		}
		if q.Before = page[len(page)-1].Seq; looked >= previewReads {
			h.More = true
			return h, nil
		}
	}
}

// pastJudge tells whether a filter was true for a node at a moment.
type pastJudge struct {
	s       *Server
	k       *keptSilence
	now     fettle.Millis
	left    int                    // pasts that may yet be made
	changed map[fettle.NodeID]bool // whose facts have changed since; nil: the past cannot be asked by this filter
}

func (p *pastJudge) begin(ctx context.Context, since fettle.Millis) error {
	if ofThePast(p.k.program, since) != nil {
		return nil
	}
	list, err := p.s.Store.ChangedNodes(ctx, since)
	if err != nil {
		return err
	}
	p.changed = make(map[fettle.NodeID]bool, len(list))
	for _, id := range list {
		p.changed[id] = true
	}
	return nil
}

// matched tells whether the filter was true; present: by the facts of today, as far as that is known. A node that is gone is not judged.
func (p *pastJudge) matched(ctx context.Context, id fettle.NodeID, at fettle.Millis) (is, present bool, err error) {
	inv := p.s.Inventory
	switch {
	case p.changed == nil:
		present = true
	case p.changed[id] && p.left == 0:
		present = true
	case p.changed[id]:
		p.left--
		past, err := p.pastOf(ctx, id, at)
		if err != nil && !errors.Is(err, fettle.ErrInvalid) {
			return false, false, err
		}
		if present = past == nil; !present {
			inv = past
		}
	}
	truth, _, err := inv.Match(ctx, p.k.program, id, at)
	if errors.Is(err, fettle.ErrNotFound) {
		return false, false, nil
	}
	return truth == filter.True, present, err
}

// pastOf gives an inventory of one node as it was. ErrInvalid: the history does not go back so far.
func (p *pastJudge) pastOf(ctx context.Context, id fettle.NodeID, at fettle.Millis) (*inventory.Inventory, error) {
	n, known := p.s.Inventory.Get(id)
	if !known {
		return nil, fmt.Errorf("node %s: %w", id, fettle.ErrNotFound)
	}
	undo, err := p.s.changesSince(ctx, store.ChangeQuery{Node: id, Since: at})
	if err != nil {
		return nil, err
	}
	inv := inventory.New()
	return inv, putAt(inv, n, at, undo[id])
}
