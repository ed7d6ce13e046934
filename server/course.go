package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/runs"
	"github.com/fettle-dev/fettle/store"
)

// course is how far a run with a pace has come. The mu of its run guards all of it.
type course struct {
	plan   runs.Plan
	order  []fettle.NodeID // the roster, in the order in which it is asked
	ready  []time.Time     // when each of order may be asked at the earliest; nil: at any time
	next   int             // nobody before it in order is left
	left   int             // nodes whose turn has not come
	nOut   int             // nodes that were called, and neither answered nor silent
	called []fettle.NodeID // in the order of their dues
	passed int             // so many of called were looked at when their due had come
	quiet  time.Time       // when one of those who were called ended last; zero: nobody has
	gate   *filter.Program // nil: there is none
	gated  runs.GateKnown
	busy   *filter.Program // on which other nodes the action goes; nil: that is not known
}

// ended notes that somebody who was called has ended. There may be no course.
func (c *course) ended(now time.Time) {
	if c != nil {
		c.nOut--
		c.quiet = now
	}
}

// out tells whether the node was called, and has neither answered nor fallen silent.
func (p *part) out() bool { return p.called && (p.state == partWaiting || p.state == partSent) }

// begin puts a run that has a pace on its course: the parts say how far it has come.
func (s *Server) begin(ctx context.Context, r *liveRun, order []fettle.NodeID) error {
	c := &course{order: order}
	var err error
	if c.plan, err = runs.NewPlan(*r.run.Pace, len(order)); err != nil {
		return err
	}
	if r.run.Pace.While != "" {
		if c.gate, err = filter.Compile(filter.Gate, r.run.Pace.While); err != nil {
			return err
		}
	}
	if action, err := s.lookUp(r.run.Action); err == nil && action.Busy != "" {
		if c.busy, err = filter.Compile(filter.Node, fettle.Filter(action.Busy)); err != nil {
			return fmt.Errorf("busy filter of %s: %w", r.run.Action, err)
		}
	}
	r.course = c
	r.recount()
	for _, id := range order {
		if r.parts[id].out() {
			c.called = append(c.called, id)
			r.run.Deadline = max(r.run.Deadline, fettle.MillisOf(r.parts[id].due))
		}
	}
	r.sortCalled()
	if y := r.run.Tally; y.OK+y.Failed+y.Silent > 0 {
		c.quiet = s.Now() // when they ended is not known any more: a sleep begins anew
	}
	return nil
}

// await has nobody called before they are ready. The order is by that.
func (c *course) await(now time.Time, ready map[fettle.NodeID]fettle.Millis) {
	if ready == nil {
		return
	}
	c.ready = make([]time.Time, len(c.order))
	for i, id := range c.order {
		c.ready[i] = now.Add(ready[id].Sub(fettle.MillisOf(now)))
	}
}

// resume puts a run on its course that was taken from the store.
func (s *Server) resume(ctx context.Context, r *liveRun) error {
	if r.run.Pace == nil {
		return nil
	}
	roster, err := s.Store.Roster(ctx, string(r.run.ID))
	if err != nil {
		return err
	}
	if err := s.begin(ctx, r, roster.Nodes); err != nil {
		return err
	}
	if r.run.Standing == "" {
		return nil
	}
	st, there := s.standing.get(r.run.Standing)
	if loop, loops := st.when.Loop(); there && loops {
		ready, err := s.readyAfter(ctx, st, loop, r.run.ID)
		if err != nil {
			return err
		}
		r.course.await(s.Now(), ready)
	}
	return nil
}

// recount counts who is left and who is out from the parts. The caller holds mu, or owns r alone. There may be no course.
func (r *liveRun) recount() {
	c := r.course
	if c == nil {
		return
	}
	c.left, c.nOut = 0, 0
	for _, p := range r.parts {
		switch {
		case p.out():
			c.nOut++
		case p.state == partWaiting:
			c.left++
		}
	}
}

// shares tells whether what happens to this run may give others, or itself, a turn.
func (r *liveRun) shares() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.run.Pace != nil && (len(r.run.Pace.Locks) > 0 || r.run.Pace.Concurrency > 0) || r.course == nil && r.run.Ended == 0
}

// expires gives when the task of a node expires. The caller holds mu, or owns r alone.
func (r *liveRun) expires(id fettle.NodeID) fettle.Millis {
	if r.run.Pace == nil {
		return r.run.Deadline
	}
	if p := r.parts[id]; p != nil && !p.due.IsZero() {
		return fettle.MillisOf(p.due)
	}
	return store.NotCalled
}

// dueOf gives when a node is silent; the zero time, which is over, for one that is not called. The caller holds mu.
func (r *liveRun) dueOf(p *part) time.Time {
	if r.run.Pace == nil {
		return r.due
	}
	return p.due
}

// expire counts those as silent whose own time is over, or as never where nothing reached them. The caller holds mu. There may be no course.
func (r *liveRun) expire(now time.Time) {
	c := r.course
	if c == nil {
		return
	}
	before := r.run.Tally
	for c.passed < len(c.called) {
		p := r.parts[c.called[c.passed]]
		if now.Before(p.due) {
			break
		}
		c.passed++
		if !p.out() {
			continue
		}
		c.ended(now)
		if p.state == partSent {
			r.move(p, partSilent)
		} else {
			r.move(p, partNever)
		}
	}
	if r.run.Tally != before {
		r.tell()
	}
}

// nextDue gives when the run has to be looked at again, should nothing happen before.
func (r *liveRun) nextDue(now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.course
	switch {
	case c == nil:
		return r.due
	case c.passed < len(c.called):
		return r.parts[c.called[c.passed]].due
	}
	return now.Add(idleLook)
}

// known gives what the rules want to know of the run by itself. The caller holds mu.
func (r *liveRun) known(now time.Time) runs.Known {
	c, y := r.course, r.run.Tally
	k := runs.Known{Now: now, Left: c.left, Ready: c.left, Out: c.nOut, OK: y.OK, Failed: y.Failed, Silent: y.Silent, Quiet: c.quiet, Gate: c.gated}
	if c.ready == nil {
		return k
	}
	k.Ready = 0
	for i := c.next; i < len(c.order); i++ {
		if p := r.parts[c.order[i]]; p.called || p.state != partWaiting {
			continue
		}
		if now.Before(c.ready[i]) {
			k.NextReady = c.ready[i]
			break
		}
		k.Ready++
	}
	return k
}

// reserve takes the next n nodes: they are out, and not sent to yet. The caller holds mu.
func (r *liveRun) reserve(n int) (nodes []fettle.NodeID) {
	c := r.course
	for ; n > 0 && c.next < len(c.order); c.next++ {
		id := c.order[c.next]
		if p := r.parts[id]; p.state == partWaiting && !p.called {
			p.called = true
			c.left--
			c.nOut++
			nodes = append(nodes, id)
			n--
		}
	}
	return nodes
}

// left tells how many nodes still wait for their turn.
func (r *liveRun) left() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.course == nil || r.run.Ended != 0 {
		return 0
	}
	return r.course.left
}

// wereCalled notes that it is stored that the turn of tasks has come. The caller holds mu.
func (r *liveRun) wereCalled(tasks []fettle.Task, due time.Time) {
	for i := range tasks {
		r.parts[tasks[i].Node].due = due
		r.course.called = append(r.course.called, tasks[i].Node)
	}
	r.sortCalled()
	r.run.Deadline = max(r.run.Deadline, fettle.MillisOf(due))
}

// sortCalled has those whose due comes first stand first: some get more time than others, to fetch what they are to run. The caller holds mu, or
// owns r alone.
func (r *liveRun) sortCalled() {
	byDue := func(a, b fettle.NodeID) int { return r.parts[a].due.Compare(r.parts[b].due) }
	if waiting := r.course.called[r.course.passed:]; !slices.IsSortedFunc(waiting, byDue) {
		slices.SortStableFunc(waiting, byDue)
	}
}

// progress notes what the run does, and tells whoever watches if that is news. The caller holds mu.
func (r *liveRun) progress(p fettle.Progress) {
	if p.Stopped == "" {
		p.Stopped = r.run.Stopped
	}
	if r.run.Ended == 0 && r.run.Progress != p {
		r.run.Progress = p
		r.tell()
	}
}

// stop has nobody called any more. The caller holds mu.
func (r *liveRun) stop(why string) {
	for _, p := range r.parts {
		if p.state == partWaiting && !p.called {
			p.state = partNever
		}
	}
	r.run.Tally = r.tally()
	r.run.Stopped = why
	r.recount()
	r.version++
	r.tell()
}
