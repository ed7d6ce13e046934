package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// past keeps the inventory of the moment that was asked for last: people ask several questions of one moment.
type past struct {
	mu  sync.Mutex
	at  fettle.Millis        // guarded by mu
	inv *inventory.Inventory // guarded by mu
}

// view gives the inventory that a selection is about, and what its filters see as now.
func (s *Server) view(ctx context.Context, sel Selection, program *filter.Program) (*inventory.Inventory, fettle.Millis, error) {
	now := fettle.MillisOf(s.Now())
	if sel.AsOf == 0 {
		return s.Inventory, now, nil
	}
	if program != nil {
		if err := ofThePast(program, sel.AsOf); err != nil {
			return nil, 0, err
		}
	}
	if sel.AsOf > now {
		return nil, 0, fmt.Errorf("%s has not come yet: %w", stamp(sel.AsOf), fettle.ErrInvalid)
	}
	s.past.mu.Lock()
	defer s.past.mu.Unlock()
	if s.past.at == sel.AsOf {
		return s.past.inv, sel.AsOf, nil
	}
	inv, err := s.inventoryAt(ctx, sel.AsOf)
	if err != nil {
		return nil, 0, err
	}
	s.past.at, s.past.inv = sel.AsOf, inv
	return inv, sel.AsOf, nil
}

func stamp(m fettle.Millis) string { return m.Time().Format(time.RFC3339) }

// ofThePast refuses a filter over what is known of the present only.
func ofThePast(program *filter.Program, at fettle.Millis) error {
	for _, name := range []string{"liveness", "seen", "checks"} {
		if program.Reads().Uses(name) {
			return fmt.Errorf("%s is known of the present only, and the question is about %s: %w", name, stamp(at), fettle.ErrInvalid)
		}
	}
	return nil
}

// inventoryAt takes the facts of the present and undoes what has changed since. Classes, check states and liveness have no such history: nodes
// are given with their present classes, and without the others.
func (s *Server) inventoryAt(ctx context.Context, at fettle.Millis) (*inventory.Inventory, error) {
	nodes, err := s.Inventory.Query(ctx, inventory.Query{Limit: -1, Facts: true})
	if err != nil {
		return nil, err
	}
	undo, err := s.changesSince(ctx, store.ChangeQuery{Since: at})
	if err != nil {
		return nil, err
	}
	inv := inventory.New()
	for _, row := range nodes.Rows {
		if err := putAt(inv, row.Node, at, undo[row.Node.Identity]); err != nil {
			return nil, err
		}
	}
	return inv, nil
}

// changesSince gives what changed in the facts of nodes after a moment, in steps, the last one first. ErrInvalid: the history does not go back so
// far.
func (s *Server) changesSince(ctx context.Context, q store.ChangeQuery) (map[fettle.NodeID][][]wire.Change, error) {
	since, err := s.Store.HistoryFrom(ctx)
	if err != nil {
		return nil, err
	}
	if q.Since != 0 && q.Since < since {
		return nil, fmt.Errorf("the history of facts begins at %s: %w", stamp(since), fettle.ErrInvalid)
	}
	steps := map[fettle.NodeID][][]wire.Change{}
	last := map[fettle.NodeID]fettle.Millis{}
	err = s.Store.UndoFacts(ctx, q, func(c store.FactChange) error {
		path, err := fettle.ParsePath(c.Path)
		if err != nil {
			return err
		}
		change := wire.Change{Path: path, Old: c.Old, New: c.New}
		list := steps[c.Node]
		if n := len(list); n > 0 && last[c.Node] == c.At && !has(list[n-1], path) {
			list[n-1] = append(list[n-1], change)
		} else {
			list = append(list, []wire.Change{change})
		}
		steps[c.Node], last[c.Node] = list, c.At
		return nil
	})
	return steps, err
}

// putAt puts a node into inv as it was at a moment, unless it was not there.
func putAt(inv *inventory.Inventory, n fettle.Node, at fettle.Millis, undo [][]wire.Change) error {
	if n.Enrolled > at {
		return nil
	}
	doc, err := wire.Undo(wire.Document{Raw: n.Facts, Hash: n.Hash}, undo...)
	if err != nil {
		return fmt.Errorf("facts of %s as of %s: %w", n.Identity, stamp(at), err)
	}
	n.Facts, n.Hash, n.Liveness, n.Seen = doc.Raw, doc.Hash, "", 0
	return inv.Put(n)
}

// has tells whether a step changes path already.
func has(step []wire.Change, path fettle.Path) bool {
	key := path.String()
	for _, c := range step {
		if c.Path.String() == key {
			return true
		}
	}
	return false
}

// NodeAt gives one node as it was at a moment: its facts. ErrNotFound: it was not there.
func (s *Server) NodeAt(ctx context.Context, id fettle.NodeID, at fettle.Millis) (NodeDetail, error) {
	inv, _, err := s.view(ctx, Selection{All: true, AsOf: at}, nil)
	if err != nil {
		return NodeDetail{}, err
	}
	n, known := inv.Get(id)
	if !known {
		return NodeDetail{}, fmt.Errorf("node %s at %s: %w", id, stamp(at), fettle.ErrNotFound)
	}
	return NodeDetail{Node: n, Checks: map[string]fettle.CheckState{}}, nil
}

// HistoryQuery asks what changed in a node's facts.
type HistoryQuery struct {
	Node   fettle.NodeID
	Path   fettle.Path // and all below it; empty: all
	Limit  int         // zero: 1000
	Before int64       // Seq of the last one of the page before; zero: from the newest
}

// FactChange is one leaf of a node's facts that changed.
type FactChange = store.FactChange

// History lists what changed in a node's facts, the newest first. ErrNotFound: there is no such node.
func (s *Server) History(ctx context.Context, q HistoryQuery) ([]FactChange, error) {
	if _, known := s.Inventory.Get(q.Node); !known {
		return nil, fmt.Errorf("node %s: %w", q.Node, fettle.ErrNotFound)
	}
	return s.Store.FactChanges(ctx, store.ChangeQuery{Node: q.Node, Path: q.Path.String(), Before: q.Before, Limit: q.Limit})
}
