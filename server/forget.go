package server

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// Bounds of forgetting nodes that have been silent for long.
const (
	minForgetAfter = time.Hour      // a machine that reboots is not forgotten
	forgetHeard    = 24 * time.Hour // a server that was away waits for so long before it forgets: agents have to find it again
	forgetAtOnce   = 500            // nodes that go in one commit
)

// ForgetNode takes a node away, with its facts, their history and the states of its checks; what it answered in runs stays. A node that says
// something again is enrolled again, under the same identity. ErrNotFound: there is none. ErrConflict: it is alive, and would be back at once.
func (s *Server) ForgetNode(ctx context.Context, id fettle.NodeID, caller string) error {
	s.presence.turn.Lock()
	defer s.presence.turn.Unlock()
	n, known := s.Inventory.Get(id)
	if !known {
		return fmt.Errorf("node %s: %w", id, fettle.ErrNotFound)
	}
	if n.Liveness == fettle.Alive {
		return fmt.Errorf("node %s is alive and would be back at once, stop its agent first: %w", id, fettle.ErrConflict)
	}
	return s.forget(ctx, []fettle.NodeID{id}, caller)
}

// forget takes nodes away. The caller holds presence.turn.
func (s *Server) forget(ctx context.Context, ids []fettle.NodeID, caller string) error {
	now := fettle.MillisOf(s.Now())
	b := store.Batch{Forget: ids}
	body := json.RawMessage(mustJSON(map[string]string{"by": caller}))
	for _, id := range ids {
		b.Events = append(b.Events, fettle.Event{Kind: fettle.EventForgotten, Node: id, At: now, Body: body})
	}
	if _, err := s.Store.Commit(ctx, &b); err != nil {
		return fmt.Errorf("forget nodes: %w", err)
	}
	for _, id := range ids {
		s.Inventory.Remove(id)
		s.Board.Forget(id, now)
		s.presence.forget(id)
		s.defs.forget(id)
		s.Log.Info("node forgotten", "node", id, "user", caller)
	}
	s.past.drop()
	s.changes.notify()
	return nil
}

// forgetSilent takes those nodes away that have been silent for longer than the setting says.
func (s *Server) forgetSilent(ctx context.Context) error {
	after := s.cfg.ForgetAfter
	if after == 0 {
		return nil
	}
	s.presence.turn.Lock()
	defer s.presence.turn.Unlock()
	for gone := range slices.Chunk(s.presence.silentFor(after, s.Now()), forgetAtOnce) {
		if err := s.forget(ctx, gone, identity); err != nil {
			return err
		}
	}
	return nil
}

// silentFor gives the nodes that have been silent for a span. A server that has not listened for as long as nodes take to find it gives none.
func (p *presence) silentFor(span time.Duration, now time.Time) (ids []fettle.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.deaf || p.began.IsZero() || p.paused != 0 || now.Sub(p.since) < min(span, forgetHeard) {
		return nil
	}
	cutoff := fettle.MillisOf(now.Add(-span))
	for id, s := range p.last {
		if s.liveness == fettle.Silent && s.seen < cutoff && s.at.Before(cutoff.Time()) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func (p *presence) forget(id fettle.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.last, id)
}

func (d *definitions) forget(id fettle.NodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.touched, id)
	delete(d.has, id)
}

// drop forgets the inventory of the moment that was asked for last.
func (p *past) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.inv = 0, nil
}
