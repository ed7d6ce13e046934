package server

import (
	"context"
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/store"
)

// becameTrue gives what keeps, of the nodes for which a filter is true in inv, those for which it was not true at q.BecameTrueSince: it was false or
// undefined, or there was no such node. The past is made of those nodes alone that can have changed their truth: it costs what has changed since.
func (s *Server) becameTrue(ctx context.Context, q FindQuery, program *filter.Program, inv *inventory.Inventory, now fettle.Millis) (func(fettle.NodeID) bool, error) {
	since := q.BecameTrueSince
	if program == nil {
		return nil, fmt.Errorf("every node has always been one; say with a filter what became true: %w", fettle.ErrInvalid)
	}
	if since >= now {
		return nil, fmt.Errorf("what became true since %s is asked of a moment after it, not of %s: %w", stamp(since), stamp(now), fettle.ErrInvalid)
	}
	if err := ofThePast(program, since); err != nil {
		return nil, err
	}
	past, suspects, err := s.pastOf(ctx, program, since)
	if err != nil {
		return nil, err
	}
	was, err := past.Roster(ctx, s.query(program, since))
	if err != nil {
		return nil, err
	}
	for _, id := range was.Nodes {
		suspects[id] = false
	}
	came, err := cameAfter(ctx, inv, since, now)
	if err != nil {
		return nil, err
	}
	return func(id fettle.NodeID) bool { return suspects[id] || came[id] }, nil
}

// pastOf gives the nodes for which a filter may have changed its truth since a moment, and an inventory of them as they were: of those whose facts
// have changed, or of all where the filter looks at the clock.
func (s *Server) pastOf(ctx context.Context, program *filter.Program, since fettle.Millis) (*inventory.Inventory, map[fettle.NodeID]bool, error) {
	suspects := map[fettle.NodeID]bool{}
	if program.Reads().Uses("now") {
		for _, id := range s.presence.identities() {
			suspects[id] = true
		}
		past, err := s.inventoryAt(ctx, since)
		return past, suspects, err
	}
	changed, err := s.Store.ChangedNodes(ctx, since)
	if err != nil {
		return nil, nil, err
	}
	var nodes []fettle.Node
	for _, id := range changed {
		suspects[id] = true
		if n, known := s.Inventory.Get(id); known {
			nodes = append(nodes, n)
		}
	}
	undo, err := s.changesSince(ctx, store.ChangeQuery{Since: since}) // after the documents were taken: a change that is not in them is undone twice, which does no harm
	if err != nil {
		return nil, nil, err
	}
	past := inventory.New()
	for _, n := range nodes {
		if err := putAt(past, n, since, undo[n.Identity]); err != nil {
			return nil, nil, err
		}
	}
	return past, suspects, nil
}

// cameAfter gives the nodes that were first heard of after a moment.
func cameAfter(ctx context.Context, inv *inventory.Inventory, since, now fettle.Millis) (map[fettle.NodeID]bool, error) {
	program, err := filter.Compile(filter.Node, fettle.Filter(fmt.Sprintf("enrolled > timestamp(%q)", since.Time().UTC().Format(time.RFC3339Nano))))
	if err != nil {
		return nil, err
	}
	found, err := inv.Roster(ctx, inventory.Query{Program: program, Now: now})
	if err != nil {
		return nil, err
	}
	came := make(map[fettle.NodeID]bool, len(found.Nodes))
	for _, id := range found.Nodes {
		came[id] = true
	}
	return came, nil
}
