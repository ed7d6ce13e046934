package server

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// How often nodes are looked at for the checks that they ought to keep: those whose facts changed, and all of them where a filter is about
// more than facts. Changes in between coalesce.
const (
	spreadEvery   = time.Second
	restlessEvery = 10 * time.Second
)

// touch says that a node may have to keep other checks than before.
func (d *definitions) touch(id fettle.NodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.touched[id] = true
}

// compare notes the set that a node says it has, and has the node looked at where that is news, or where it has not taken what it was sent.
func (d *definitions) compare(id fettle.NodeID, hash string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sent, waiting := d.told[id]
	if waiting && sent.hash == hash {
		delete(d.told, id)
		waiting = false
	}
	if waiting || d.has[id] != hash || hash == "" && len(d.byName) > 0 {
		d.touched[id] = true
	}
	d.has[id] = hash
}

// greet is compare for a node that says hello: what it was sent before may have been lost.
func (d *definitions) greet(id fettle.NodeID, hash string) {
	d.mu.Lock()
	delete(d.told, id)
	d.mu.Unlock()
	d.compare(id, hash)
}

func (d *definitions) takeTouched() map[fettle.NodeID]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[fettle.NodeID]string, len(d.touched))
	for id := range d.touched {
		out[id] = d.has[id]
	}
	clear(d.touched)
	return out
}

// tell notes that a node is sent a set, and tells whether it is to be: not again, while it has not had the time to say that it has it.
func (d *definitions) tell(id fettle.NodeID, hash string, now fettle.Millis, patience time.Duration) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t, waiting := d.told[id]; waiting && t.hash == hash && now.Sub(t.at) < patience {
		return false
	}
	d.told[id] = told{hash, now}
	return true
}

// restless tells whether some check's filter may change its mind about a node while the node's facts stay: it is about the time, liveness or
// the states of checks.
func (d *definitions) restless() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, def := range d.byName {
		if def.program != nil && (def.program.Reads().Restless() || def.program.Reads().Uses("checks")) {
			return true
		}
	}
	return false
}

// reaches tells whether the filter of a check is about the state of another, directly or by way of others. The caller holds mu, or owns d alone.
func (d *definitions) reaches(from, to string, seen map[string]bool) bool {
	def := d.byName[from]
	if def.program == nil || seen[from] {
		return false
	}
	seen[from] = true
	names, all := def.program.Reads().Checks()
	if all {
		names = slices.Collect(maps.Keys(d.byName))
	}
	return slices.ContainsFunc(names, func(name string) bool { return name == to || d.reaches(name, to, seen) })
}

// spreadChecks sends nodes the checks that they ought to keep, where they have others, until ctx ends.
func (s *Server) spreadChecks(ctx context.Context) error {
	tick, restless := time.NewTicker(spreadEvery), time.NewTicker(restlessEvery)
	defer tick.Stop()
	defer restless.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.spread(ctx)
		case <-restless.C:
			s.markStale(ctx)
			s.lookAgain()
		}
	}
}

// lookAgain has all nodes looked at, if there is a filter that is about more than facts.
func (s *Server) lookAgain() {
	if !s.defs.restless() && !s.restlessCuts() {
		return
	}
	for _, id := range s.presence.identities() {
		s.defs.touch(id)
	}
}

// spread looks at the nodes of which something has changed.
func (s *Server) spread(ctx context.Context) {
	touched := s.defs.takeTouched()
	if len(touched) == 0 {
		return
	}
	look := s.newSpreading(ctx)
	defer func() { s.leave(ctx, look.left) }()
	for id, has := range touched {
		s.placeInCuts(ctx, id)
		s.placeInSilences(ctx, id)
		set, err := look.checksOf(ctx, id)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, fettle.ErrNotFound): // forgotten meanwhile
		case err != nil:
			s.Log.Error("checks of a node", "node", id, "err", err)
		case set.Hash != has && s.defs.tell(id, set.Hash, fettle.MillisOf(s.Now()), lateBeats*s.cfg.Beat):
			s.send(ctx, id, wire.TypeChecks, set)
		}
	}
}
