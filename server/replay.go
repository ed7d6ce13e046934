package server

import (
	"cmp"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// Bounds of what is believed of messages that only make sense now, and of what is remembered of sessions.
const (
	freshFor     = 5 * time.Minute // a beat that was sent earlier than this says nothing of now; nodes carry the server's clock
	swapWindow   = 10 * time.Minute
	swapsAllowed = 2 // back to a session that was there before; agents that start again have new ones
	sessionsKept = 4 // of a node
)

// said is the last of what a session of a node said, by id: ids of one process grow. What was signed once can be sent again by whoever saw it,
// and is known by that. Hellos and beats stand apart, because they may overtake each other on their way.
type said struct{ session, hello, beat string }

// repeated tells whether a hello or a beat is one that came before, and notes it where it is not. Memory learns of it when the batch is committed.
func (b *batch) repeated(from fettle.NodeID, session string, env wire.Envelope) bool {
	list, noted := b.said[from]
	if !noted {
		list = b.s.presence.saidBy(from)
	}
	at := slices.IndexFunc(list, func(s said) bool { return s.session == session })
	if at < 0 {
		list, at = append(list, said{session: session}), len(list)
	}
	last := &list[at].beat
	if env.Type == wire.TypeHello {
		last = &list[at].hello
	}
	if env.ID <= *last {
		b.replays++
		return true
	}
	*last = env.ID
	if len(list) > sessionsKept {
		list = list[1:]
	}
	b.said[from] = list
	return false
}

// saidBy gives what was said last, in a few sessions. It belongs to the caller.
func (p *presence) saidBy(id fettle.NodeID) []said {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.last[id]; s != nil {
		return slices.Clone(s.said)
	}
	return nil
}

// note lets take effect what was said in a batch.
func (p *presence) note(all map[fettle.NodeID][]said) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, what := range all {
		if s := p.last[id]; s != nil {
			s.said = what
		}
	}
}

// sessions are those that a node had lately.
type sessions struct {
	last  string
	older []string    // the latest last
	swaps []time.Time // when an older one came back
	told  bool        // that they take turns
}

// swapped notes the session of which a message came, after the one that is known, and tells whether sessions take turns: then two agents use one key. An agent that starts
// again has a new session, and its old one is silent for ever.
func (p *presence) swapped(id fettle.NodeID, known, session string, at time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	node := p.last[id]
	if node == nil {
		return false
	}
	s := &node.sessions
	if s.last = cmp.Or(s.last, known); s.last == session {
		return false
	}
	back := slices.Contains(s.older, session)
	s.older = slices.DeleteFunc(s.older, func(old string) bool { return old == session })
	if s.last != "" {
		s.older = append(s.older, s.last)
	}
	if len(s.older) > sessionsKept {
		s.older = slices.Delete(s.older, 0, 1)
	}
	s.last = session
	if !back {
		return false
	}
	s.swaps = append(slices.DeleteFunc(s.swaps, func(t time.Time) bool { return at.Sub(t) > swapWindow }), at)
	if len(s.swaps) <= swapsAllowed {
		return false
	}
	s.swaps = s.swaps[len(s.swaps)-swapsAllowed:]
	s.told = true
	return true
}

// cleared begins to count anew for a node that is contested no more: an operator has said so.
func (p *presence) cleared(id fettle.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if node := p.last[id]; node != nil && node.sessions.told {
		node.sessions.swaps, node.sessions.told = nil, false
	}
}

// watchSession notes a session, and has the node contested where two take turns.
func (b *batch) watchSession(from fettle.NodeID, session string) {
	if b.s.Enroller == nil {
		return
	}
	node, _ := b.brief(from)
	known := node.Session
	if b.s.Enroller.Contested(from) == "" {
		b.s.presence.cleared(from)
	}
	if b.s.presence.swapped(from, known, session, b.at) {
		b.s.Enroller.Contest(from, "two agents have its key and take turns; nothing is asked of it until one has a key of its own, and then fettle enrol clear "+string(from))
	}
}

// stale tells whether a message was sent too long ago to say anything of now.
func (b *batch) stale(env wire.Envelope) bool { return b.now.Sub(env.At) > freshFor }
