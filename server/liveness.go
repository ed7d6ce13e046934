package server

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// Silence, in beats, after which a node is late and silent; and for how long after a start nothing is judged.
const (
	lateBeats   = 2
	silentBeats = 5
	settleBeats = 2
	seenEvery   = time.Minute // how often the moments at which nodes were seen are stored, while their liveness stays
)

// presence knows when each node was last heard of. Silence is the node's and not ours: only time in which the server listened and kept up
// counts.
type presence struct {
	mu       sync.Mutex
	last     map[fettle.NodeID]*sighting // guarded by mu
	since    time.Time                   // guarded by mu; from when on silence counts
	began    time.Time                   // guarded by mu; when listening began, zero before
	pausedAt time.Time                   // guarded by mu; zero: not paused
	dropped  map[fettle.NodeID]bool      // guarded by mu; nodes whose connection went since the last look
}

type sighting struct {
	at       time.Time // zero: not since the start
	liveness fettle.Liveness
	seen     fettle.Millis // as stored
}

func (p *presence) init() {
	p.last, p.dropped = map[fettle.NodeID]*sighting{}, map[fettle.NodeID]bool{}
}

// load notes a node as it is stored.
func (p *presence) load(n fettle.Node) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.last[n.Identity]
	if s == nil {
		s = &sighting{}
		p.last[n.Identity] = s
	}
	s.liveness, s.seen = n.Liveness, n.Seen
}

func (p *presence) listen(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.since, p.began = now, now
}

// pause stops the clock of silence while the server does not keep up; resume lets it run on.
func (p *presence) pause(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pausedAt.IsZero() {
		p.pausedAt = now
	}
}

func (p *presence) resume(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.pausedAt.IsZero() {
		p.pausedAt, p.since = time.Time{}, now
	}
}

func (p *presence) heard(id fettle.NodeID, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.last[id]; s != nil && !now.Before(s.at) {
		s.at = now
		delete(p.dropped, id)
	}
}

// identities gives every node there is, sorted.
func (p *presence) identities() []fettle.NodeID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.last))
}

// liveness gives what was judged of a node last; a node that is not known is silent.
func (p *presence) liveness(id fettle.NodeID) fettle.Liveness {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.last[id]; s != nil {
		return s.liveness
	}
	return fettle.Silent
}

// judged is a node whose liveness changed, or whose sighting is due to be stored.
type judged struct {
	id   fettle.NodeID
	from fettle.Liveness
	to   fettle.Liveness
	seen fettle.Millis
}

// judge gives what changed. A node that never spoke since the start is measured from the start on.
func (p *presence) judge(now time.Time, beat time.Duration) (out []judged) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began.IsZero() || !p.pausedAt.IsZero() || now.Sub(p.began) < settleBeats*beat {
		return nil
	}
	for id, s := range p.last {
		to := p.livenessOf(id, s, now, beat)
		seen := s.seen
		if !s.at.IsZero() {
			seen = max(seen, fettle.MillisOf(s.at))
		}
		if to != s.liveness || seen.Sub(s.seen) >= seenEvery {
			out = append(out, judged{id, s.liveness, to, seen})
		}
	}
	return out
}

func (p *presence) livenessOf(id fettle.NodeID, s *sighting, now time.Time, beat time.Duration) fettle.Liveness {
	from := s.at
	if from.Before(p.since) {
		from = p.since
	}
	silence := now.Sub(from)
	switch {
	case silence >= silentBeats*beat || s.liveness == fettle.Silent && s.at.Before(p.since):
		return fettle.Silent
	case silence >= lateBeats*beat || p.dropped[id]:
		return fettle.Late
	case s.at.Before(p.since):
		return s.liveness // not heard of yet, and not yet due
	}
	return fettle.Alive
}

// Settling tells whether the server has started so lately that it judges nobody yet.
func (s *Server) Settling() bool {
	p := &s.presence
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.began.IsZero() || s.Now().Sub(p.began) < settleBeats*s.cfg.Beat
}

// Disconnected says that the broker lost the connection of a node: it is late at once.
func (s *Server) Disconnected(id fettle.NodeID) {
	s.presence.mu.Lock()
	s.presence.dropped[id] = true
	s.presence.mu.Unlock()
}

// Connected says that the broker has a connection of a node.
func (s *Server) Connected(id fettle.NodeID) { s.presence.heard(id, s.Now()) }

// watchLiveness judges all nodes again and again, until ctx ends.
func (s *Server) watchLiveness(ctx context.Context) error {
	tick := time.NewTicker(max(min(s.cfg.Beat/4, 2*time.Second), 20*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if s.Heard != nil {
			s.Heard(func(id fettle.NodeID, at time.Time) { s.presence.heard(id, at) })
		}
		if found := s.presence.judge(s.Now(), s.cfg.Beat); len(found) > 0 {
			s.settle(ctx, found)
		}
	}
}

// settle stores what was judged, and lets it take effect then. A store that is away leaves things as they were: they are judged again.
func (s *Server) settle(ctx context.Context, found []judged) {
	var b store.Batch
	now := fettle.MillisOf(s.Now())
	for _, j := range found {
		b.Seen = append(b.Seen, store.Seen{Node: j.id, Liveness: j.to, At: j.seen})
		if j.from != j.to {
			b.Events = append(b.Events, fettle.Event{Kind: fettle.EventKind(j.to), Node: j.id, At: now})
		}
	}
	if _, err := s.Store.Commit(ctx, &b); err != nil {
		if ctx.Err() == nil {
			s.Log.Error("store liveness", "err", err)
		}
		return
	}
	changed := false
	for _, j := range found {
		s.Inventory.Touch(j.id, j.to, j.seen)
		s.Board.SetSilent(j.id, j.to == fettle.Silent, now)
		s.presence.mu.Lock()
		if p := s.presence.last[j.id]; p != nil {
			p.liveness, p.seen = j.to, j.seen
		}
		s.presence.mu.Unlock()
		changed = changed || j.from != j.to
	}
	if changed {
		s.changes.notify()
	}
}
