package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/runs"
)

// paced gives the pace of a run as it is kept, and has the roster hold those who are asked, in the order in which that happens. Nil: everybody is
// asked at once.
func (s *Server) paced(ctx context.Context, req RunRequest, roster *fettle.Roster) (*fettle.Pace, error) {
	p := req.Pace
	if !runs.Paced(p) && req.ready == nil {
		return nil, nil
	}
	if p.Seed == 0 && (p.LimitRandom || p.Order == runs.Random) {
		p.Seed = rand.Int64N(1<<53-1) + 1 //nolint:gosec // nobody is kept from guessing it; JSON's readers hold it without loss
	}
	order := p.Order
	if order == runs.Random || order == runs.ByIdentity {
		order = ""
	}
	byOrder, err := s.factOf(ctx, order)
	if err != nil {
		return nil, err
	}
	bySpread, err := s.factOf(ctx, p.SpreadBy)
	if err != nil {
		return nil, err
	}
	if roster.Nodes, err = runs.Order(roster.Nodes, p, byOrder, bySpread); err != nil {
		return nil, err
	}
	return &p, ctx.Err()
}

// factOf reads a fact of nodes, as they are now. Empty text: there is nothing to read.
func (s *Server) factOf(ctx context.Context, text string) (runs.Value, error) {
	if text == "" {
		return func(fettle.NodeID) any { return nil }, nil
	}
	path, err := runs.FactPath(text)
	if err != nil {
		return nil, err
	}
	var cel strings.Builder
	cel.WriteString("facts")
	for _, key := range path {
		cel.WriteString("[" + strconv.Quote(key) + "]")
	}
	program, err := filter.CompileColumn(filter.Node, fettle.Filter(cel.String()))
	if err != nil {
		return nil, fmt.Errorf("fact %s: %w", text, err)
	}
	now := fettle.MillisOf(s.Now())
	return func(id fettle.NodeID) (value any) {
		s.Inventory.Look(id, now, func(names filter.Names) { value, _, _ = program.Value(ctx, names) })
		return value
	}, nil
}

// byReady sorts nodes by when they may be asked, those of whom nothing is said first; equals stay as they are.
func byReady(nodes []fettle.NodeID, ready map[fettle.NodeID]fettle.Millis) {
	slices.SortStableFunc(nodes, func(a, b fettle.NodeID) int { return int(min(1, max(-1, ready[a]-ready[b]))) })
}
