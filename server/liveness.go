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
	// turn is held while what was received or judged of nodes is committed and takes effect in memory: the two would overwrite each other.
	// It is taken before every other lock.
	turn sync.Mutex

	mu     sync.Mutex
	last   map[fettle.NodeID]*sighting // guarded by mu
	since  time.Time                   // guarded by mu; from when on silence counts
	began  time.Time                   // guarded by mu; when listening began, zero before
	paused paused                      // guarded by mu; why silence is not counted at the moment
	deaf   bool                        // guarded by mu; the server has stopped listening
}

type sighting struct {
	at       time.Time // when a byte was last received; zero: not since the start
	spoke    time.Time // when the session that is known said something that only it can say; zero: not since the start
	dropped  time.Time // when its connection was lost, with nothing received after it; zero: it was not
	liveness fettle.Liveness
	seen     fettle.Millis // as stored
	said     []said        // in the last sessions
	sessions sessions
}

func (p *presence) init() { p.last = map[fettle.NodeID]*sighting{} }

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

// paused is why the clock of silence stands still; the reasons add up.
type paused uint8

const (
	storeAway  paused = 1 << iota // what is received cannot be committed
	brokerAway                    // nothing is received: a broker that is not ours has no connection to us
)

// pause stops the clock of silence while the server does not keep up; resume lets it run on when the last reason is gone, from now.
func (p *presence) pause(why paused) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused |= why
}

func (p *presence) resume(why paused, now time.Time) (resumed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused&why == 0 {
		return false
	}
	if p.paused &^= why; p.paused == 0 {
		p.since = now
	}
	return p.paused == 0
}

// isPaused tells whether the clock of silence stands still.
func (p *presence) isPaused() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused != 0
}

// deafen stops the clocks of silence and of staleness, and listen lets them run on when the last reason is gone.
func (s *Server) deafen(why paused) {
	s.presence.pause(why)
	s.Board.Deafen()
}

func (s *Server) listen(why paused) {
	if s.presence.resume(why, s.Now()) {
		s.Board.Listen(fettle.MillisOf(s.Now()))
	}
}

// heard notes that a byte of a node was received at a moment.
func (p *presence) heard(id fettle.NodeID, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.last[id]
	if s == nil || at.Before(s.at) {
		return
	}
	s.at = at
	if !at.Before(s.dropped) {
		s.dropped = time.Time{}
	}
}

// spoke notes that a node's known session is there.
func (p *presence) spoke(id fettle.NodeID, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.last[id]; s != nil && at.After(s.spoke) {
		s.spoke = at
	}
}

// spokeSince tells whether a node's known session spoke within a span before now. A server that has not listened for so long cannot deny it.
func (p *presence) spokeSince(id fettle.NodeID, span time.Duration, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	from := p.since
	if s := p.last[id]; s != nil && s.spoke.After(from) {
		from = s.spoke
	}
	return now.Sub(from) < span
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
	if p.deaf || p.began.IsZero() || p.paused != 0 || now.Sub(p.began) < settleBeats*beat {
		return nil
	}
	for id, s := range p.last {
		to := p.livenessOf(s, now, beat)
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

func (p *presence) livenessOf(s *sighting, now time.Time, beat time.Duration) fettle.Liveness {
	from := s.at
	if from.Before(p.since) {
		from = p.since
	}
	silence := now.Sub(from)
	switch {
	case silence >= silentBeats*beat || s.liveness == fettle.Silent && s.at.Before(p.since):
		return fettle.Silent
	case silence >= lateBeats*beat || !s.dropped.IsZero():
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
	defer s.presence.mu.Unlock()
	if p := s.presence.last[id]; p != nil {
		p.dropped = s.Now()
	}
}

// StopListening says that the server is about to close its doors: connections that are lost from now on, and silence, are no longer the
// nodes' own. What they have sent is still collected, until Run's context ends.
func (s *Server) StopListening() {
	s.presence.mu.Lock()
	defer s.presence.mu.Unlock()
	s.presence.deaf = true
}

// Connected says that the broker has a connection of a node.
func (s *Server) Connected(id fettle.NodeID) { s.presence.heard(id, s.Now()) }

// watchLiveness judges all nodes again and again, until ctx ends.
func (s *Server) watchLiveness(ctx context.Context) error {
	tick := time.NewTicker(max(min(s.cfg.Beat/4, 2*time.Second), 20*time.Millisecond))
	defer tick.Stop()
	for last := s.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		last = s.watchClock(ctx, last)
		if s.Heard != nil {
			s.Heard(func(id fettle.NodeID, at time.Time) { s.presence.heard(id, at) })
		}
		s.judge(ctx)
	}
}

// judge stores what is to be said of nodes, and lets it take effect then. A store that is away leaves things as they were: they are judged
// again.
func (s *Server) judge(ctx context.Context) {
	s.presence.turn.Lock()
	defer s.presence.turn.Unlock()
	found := s.presence.judge(s.Now(), s.cfg.Beat)
	if len(found) == 0 {
		return
	}
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
