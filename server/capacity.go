package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/runs"
)

// shared is what a run has to know beside itself.
type shared struct {
	elsewhere int // nodes on which the action goes, and that are not out in this run
	locks     []runs.LockKnown
	held      string // why nothing may go out; empty: it may
	ended     bool   // the standing run of which it is a round is no more
}

// shared looks at the other runs, and at the fleet. The caller holds the turn.
func (s *Server) shared(ctx context.Context, r *liveRun, now time.Time) (out shared) {
	pace := r.run.Pace // never changed
	if len(pace.Locks) == 0 && pace.Concurrency == 0 && r.run.Standing == "" {
		return out
	}
	if name := r.run.Standing; name != "" {
		st, there := s.standing.get(name)
		if out.ended = !there; st.Paused != "" {
			out.held = fmt.Sprintf("standing run %s is paused by %s", name, st.Paused)
		}
	}
	all := s.runs.all()
	for _, name := range slices.Sorted(maps.Keys(pace.Locks)) {
		out.locks = append(out.locks, s.lockKnown(r, all, name))
	}
	if pace.Concurrency > 0 {
		out.elsewhere = s.elsewhere(ctx, r, all, now)
	}
	return out
}

// lockKnown counts who holds a lock: the nodes that are out in a run which takes it. So it is free again when a task has ended or expired, and
// a restart changes nothing.
func (s *Server) lockKnown(r *liveRun, all []*liveRun, name string) runs.LockKnown {
	l := runs.LockKnown{Name: name, Capacity: r.run.Pace.Locks[name]}
	others, by := 0, ""
	for _, other := range all {
		held := other.holds(name)
		if l.Holders += held; held == 0 || other == r {
			continue
		}
		if others++; others == 1 {
			by = fmt.Sprintf("run %s of %s", other.run.ID, other.run.Caller)
		}
	}
	if l.By = by; others > 1 {
		l.By = fmt.Sprintf("%s and %d more", by, others-1)
	}
	return l
}

// holds tells how many nodes hold a lock by this run.
func (r *liveRun) holds(name string) int {
	if r.run.Pace == nil || r.run.Pace.Locks[name] == 0 {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.course == nil {
		return 0
	}
	return r.course.nOut
}

// elsewhere counts the nodes on which the action of a run goes, and that are not out in it: those that another run asked, and those of which the
// action's busy filter is true, whoever began it there.
func (s *Server) elsewhere(ctx context.Context, r *liveRun, all []*liveRun, now time.Time) int {
	nodes := map[fettle.NodeID]bool{}
	for _, other := range all {
		if other != r && other.run.Action == r.run.Action {
			other.eachOut(func(id fettle.NodeID) { nodes[id] = true })
		}
	}
	if r.course.busy != nil {
		for _, id := range s.runs.busy.of(ctx, s, r.run.Action, r.course.busy, now) {
			nodes[id] = true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for id := range nodes {
		if p := r.parts[id]; p == nil || !p.out() {
			n++
		}
	}
	return n
}

// eachOut goes over the nodes that were asked and have not answered.
func (r *liveRun) eachOut(do func(fettle.NodeID)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run.Tally.Pending == 0 {
		return
	}
	if c := r.course; c != nil && c.nOut == 0 {
		return
	}
	for id, p := range r.parts {
		if p.state == partSent || r.course != nil && p.out() {
			do(id)
		}
	}
}

// busyFresh is for how long it is believed which nodes are busy: many runs may ask, and each after every result.
const busyFresh = 500 * time.Millisecond

// busyNodes remembers on which nodes actions go.
type busyNodes struct {
	mu       sync.Mutex
	byAction map[string]busyAnswer // guarded by mu
}

type busyAnswer struct {
	nodes []fettle.NodeID
	at    time.Time
}

// forget has the fleet asked anew.
func (b *busyNodes) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.byAction)
}

// of gives the nodes on which an action goes. A fleet that cannot be asked now is taken as it was.
func (b *busyNodes) of(ctx context.Context, s *Server, action string, program *filter.Program, now time.Time) []fettle.NodeID {
	b.mu.Lock()
	defer b.mu.Unlock()
	known, there := b.byAction[action]
	if there && now.Sub(known.at) < busyFresh {
		return known.nodes
	}
	found, err := s.Inventory.Roster(ctx, inventory.Query{Program: program, Now: fettle.MillisOf(now)})
	if err != nil {
		return known.nodes
	}
	if b.byAction == nil {
		b.byAction = map[string]busyAnswer{}
	}
	b.byAction[action] = busyAnswer{found.Nodes, now}
	return found.Nodes
}
