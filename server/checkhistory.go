package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/store"
)

// Transition is a change of a check's state on one node.
type Transition = store.Transition

// Spent is how long a check had each status.
type Spent = checks.Spent

// TransitionQuery says which transitions are asked for.
type TransitionQuery = store.TransitionQuery

// Bounds of what is reckoned from history.
const (
	maxReckoned      = 1_000_000 // transitions
	reckonedPage     = 10_000
	maxAvailableSpan = 400 * 24 * time.Hour
)

// CheckHistory lists the transitions of a check, the newest first; also of one that is not defined any more. ErrNotFound: nothing is known of it.
func (s *Server) CheckHistory(ctx context.Context, q TransitionQuery) ([]Transition, error) {
	list, err := s.Store.Transitions(ctx, q)
	if err != nil || len(list) > 0 {
		return list, err
	}
	if _, defined := s.definition(q.Check); !defined && q.Before == 0 && q.Since == 0 {
		return nil, s.noCheck(q.Check)
	}
	return list, nil
}

// AvailabilityQuery asks how long a check had which status.
type AvailabilityQuery struct {
	Check       string
	Node        fettle.NodeID // empty: all
	From, Until fettle.Millis // Until zero: now
}

// Availability is how long a check had which status over a span.
type Availability struct {
	From, Until fettle.Millis
	All         checks.Spent // over all nodes together
	Nodes       []NodeSpent  // sorted
}

// NodeSpent is the same for one node.
type NodeSpent struct {
	Node  fettle.NodeID
	Spent checks.Spent
}

// Availability reckons how long a check had each status over a span, from its hard transitions backwards. ErrNotFound: it is not defined. ErrInvalid:
// the span. ErrUnavailable: too much has changed in it to be reckoned at once.
func (s *Server) Availability(ctx context.Context, q AvailabilityQuery) (Availability, error) {
	if _, defined := s.definition(q.Check); !defined {
		return Availability{}, s.noCheck(q.Check)
	}
	now := fettle.MillisOf(s.Now())
	q.Until = min(cmp.Or(q.Until, now), now)
	if span := q.Until.Sub(q.From); span <= 0 || span > maxAvailableSpan {
		return Availability{}, fmt.Errorf("the span from %s to %s is not between nothing and 400 days: %w", stamp(q.From), stamp(q.Until), fettle.ErrInvalid)
	}
	lines := map[fettle.NodeID]*checks.Timeline{}
	for _, state := range s.Board.StatesOf(q.Check) {
		if q.Node == "" || q.Node == state.Node {
			lines[state.Node] = checks.NewTimeline(q.From, q.Until, state)
		}
	}
	if err := s.tellTimelines(ctx, q, lines); err != nil {
		return Availability{}, err
	}
	out := Availability{From: q.From, Until: q.Until, All: checks.Spent{}}
	for node, line := range lines {
		spent := line.Spent()
		out.All.Add(spent)
		out.Nodes = append(out.Nodes, NodeSpent{node, spent})
	}
	slices.SortFunc(out.Nodes, func(a, b NodeSpent) int { return cmp.Compare(a.Node, b.Node) })
	return out, nil
}

// tellTimelines tells the timelines what has changed since the beginning of the span, to this day.
func (s *Server) tellTimelines(ctx context.Context, q AvailabilityQuery, lines map[fettle.NodeID]*checks.Timeline) error {
	ask := TransitionQuery{Check: q.Check, Node: q.Node, Since: q.From, Hard: true, Limit: reckonedPage}
	for told := 0; ; {
		page, err := s.Store.Transitions(ctx, ask)
		if err != nil {
			return err
		}
		for _, tr := range page {
			line := lines[tr.Node]
			if line == nil {
				line = checks.NewTimeline(q.From, q.Until, fettle.CheckState{})
				lines[tr.Node] = line
			}
			line.Tell(tr.At, tr.From, tr.To)
		}
		if told += len(page); len(page) < reckonedPage {
			return nil
		}
		if told >= maxReckoned {
			return fmt.Errorf("more than %d changes since %s; ask about a shorter span, or one node: %w", maxReckoned, stamp(q.From), fettle.ErrUnavailable)
		}
		ask.Before = page[len(page)-1].Seq
	}
}
