package server

import (
	"context"
	"encoding/json"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// RenameNode gives what is kept of a node to another name, by the word of whoever asks that the two are one machine: its history goes on under the new
// name, and the old one is gone. The new name may be known already, if it was first heard of after the old one fell silent. ErrNotFound: there is
// no such node. ErrConflict: it is alive under its old name, or both were there at the same time, and so are two.
func (s *Server) RenameNode(ctx context.Context, from, to fettle.NodeID, caller string) error {
	if from == to {
		return fmt.Errorf("%s is its name: %w", to, fettle.ErrInvalid)
	}
	s.presence.turn.Lock()
	defer s.presence.turn.Unlock()
	old, known := s.Inventory.Get(from)
	if !known {
		return fmt.Errorf("node %s: %w", from, fettle.ErrNotFound)
	}
	if old.Liveness == fettle.Alive {
		return fmt.Errorf("node %s is alive under that name: give its agent the new one, and start it again: %w", from, fettle.ErrConflict)
	}
	r := store.Rename{From: from, To: to, Node: old}
	r.Node.Identity, r.Node.Rev = to, 0
	if next, exists := s.Inventory.Get(to); exists {
		if old.Seen > next.Enrolled {
			return fmt.Errorf("%s was there when %s was first heard of: they are two nodes: %w", from, to, fettle.ErrConflict)
		}
		var err error
		if r.Node, r.Bridge, err = s.bridge(ctx, old, next); err != nil {
			return err
		}
	}
	r.Events = []fettle.Event{{
		Kind: fettle.EventForgotten, Node: from, At: fettle.MillisOf(s.Now()), Body: json.RawMessage(mustJSON(map[string]string{"by": caller, "renamed": string(to)})),
	}}
	if err := s.Store.RenameNode(ctx, r); err != nil {
		return err
	}
	s.renamed(from, r.Node)
	s.Log.Info("node renamed", "node", from, "to", to, "user", caller)
	return nil
}

// bridge gives a node that takes over the history of another, and what changed between the last facts of the one and the first of the other.
func (s *Server) bridge(ctx context.Context, old, next fettle.Node) (fettle.Node, []store.FactChange, error) {
	at := next.Enrolled
	next.Enrolled = min(next.Enrolled, old.Enrolled)
	if next.Hash == "" { // it has said hello, and its facts are on their way
		next.Facts, next.Hash, next.FactsAt = old.Facts, old.Hash, old.FactsAt
		return next, nil, nil
	}
	if old.Hash == "" {
		return next, nil, nil
	}
	undo, err := s.changesSince(ctx, store.ChangeQuery{Node: next.Identity})
	if err != nil {
		return next, nil, err
	}
	first, err := wire.Undo(wire.Document{Raw: next.Facts, Hash: next.Hash}, undo[next.Identity]...)
	if err != nil {
		return next, nil, fmt.Errorf("first facts of %s: %w", next.Identity, err)
	}
	changes, err := wire.Changes(wire.Document{Raw: old.Facts, Hash: old.Hash}, first)
	if err != nil {
		return next, nil, fmt.Errorf("what changed between %s and %s: %w", old.Identity, next.Identity, err)
	}
	var out []store.FactChange
	for _, c := range changes {
		if !s.volatile.Match(c.Path) {
			out = append(out, store.FactChange{Path: c.Path.String(), At: at, Old: c.Old, New: c.New})
		}
	}
	return next, out, nil
}

// renamed lets a rename take effect in memory. The caller holds presence.turn.
func (s *Server) renamed(from fettle.NodeID, next fettle.Node) {
	now := fettle.MillisOf(s.Now())
	var states []fettle.CheckState
	for _, def := range s.defs.all() {
		state, has := s.Board.State(def.Name, from)
		if _, own := s.Board.State(def.Name, next.Identity); has && !own {
			state.Node = next.Identity
			states = append(states, state)
		}
	}
	next.Rev++
	if err := s.Inventory.Put(next); err != nil { // before the old one goes: who asks meanwhile finds it under both names, and never under none
		s.Log.Error("a stored node does not fit the inventory", "node", next.Identity, "err", err)
	}
	s.Inventory.Remove(from)
	s.Board.Forget(from, now)
	s.presence.forget(from)
	s.defs.forget(from)
	s.presence.load(next)
	s.Board.SetSilent(next.Identity, next.Liveness == fettle.Silent, now)
	s.Board.Restore(states, now)
	for _, state := range states {
		s.Inventory.SetCheck(state)
	}
	s.defs.touch(next.Identity)
	s.past.drop()
	s.changes.notify()
}
