package server

import (
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// liveRun is a run that goes on, in memory.
type liveRun struct {
	nodes []fettle.NodeID // the roster, sorted; never changed

	mu      sync.Mutex
	run     fettle.Run              // guarded by mu
	parts   map[fettle.NodeID]*part // guarded by mu; its keys are never changed
	results []fettle.Result         // guarded by mu; in the order in which they came, only ever appended to
	changed chan struct{}           // guarded by mu; closed and made anew at each change
}

// part is what became of one node of the roster.
type part struct {
	task  fettle.TaskID
	state partState
}

type partState int

const (
	partWaiting partState = iota // not sent yet
	partSent
	partOK
	partFailed
	partSilent
	partNever
)

func newLiveRun(run fettle.Run, nodes []fettle.NodeID) *liveRun {
	r := &liveRun{run: run, nodes: nodes, parts: make(map[fettle.NodeID]*part, len(nodes)), changed: make(chan struct{})}
	for _, id := range nodes {
		r.parts[id] = &part{}
	}
	r.run.Tally = r.tally()
	return r
}

// tally counts the parts. The caller holds mu, or owns r alone.
func (r *liveRun) tally() fettle.Tally {
	t := fettle.Tally{Roster: len(r.nodes)}
	for _, p := range r.parts {
		switch p.state {
		case partOK:
			t.OK++
		case partFailed:
			t.Failed++
		case partSilent:
			t.Silent++
		case partNever:
			t.Never++
		default:
			t.Pending++
		}
	}
	return t
}

func (r *liveRun) snapshot() fettle.Run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.run
}

// tell wakes who waits for a change. The caller holds mu.
func (r *liveRun) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// take notes a result. One for another task, or one that comes again, changes nothing.
func (r *liveRun) take(res fettle.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[res.Node]
	if p == nil || p.task != res.Task || p.state != partWaiting && p.state != partSent {
		return
	}
	r.run.Tally.Pending--
	if res.Status == fettle.StatusOK {
		p.state = partOK
		r.run.Tally.OK++
	} else {
		p.state = partFailed
		r.run.Tally.Failed++
	}
	r.results = append(r.results, res)
	r.tell()
}

func (r *liveRun) sent(id fettle.NodeID, task fettle.TaskID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.parts[id]; p != nil && p.task == task && p.state == partWaiting {
		p.state = partSent
	}
}

// cancel takes back what was not sent, and gives the tasks that were.
func (r *liveRun) cancel() map[fettle.NodeID]fettle.TaskID {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[fettle.NodeID]fettle.TaskID{}
	for id, p := range r.parts {
		switch p.state {
		case partWaiting:
			p.state = partNever
		case partSent:
			out[id] = p.task
		}
	}
	r.run.State = fettle.RunCancelled
	r.run.Tally = r.tally()
	r.tell()
	return out
}

// end closes the run if everybody has answered or its deadline has passed, and tells whether it did so just now.
func (r *liveRun) end(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := fettle.MillisOf(now)
	if r.run.Ended != 0 || r.run.Tally.Pending > 0 && at < r.run.Deadline {
		return false
	}
	for _, p := range r.parts {
		switch p.state {
		case partSent:
			p.state = partSilent
		case partWaiting:
			p.state = partNever
		}
	}
	r.run.Tally, r.run.Ended = r.tally(), max(at, 1)
	if r.run.State == fettle.RunGoing {
		r.run.State = fettle.RunEnded
	}
	r.tell()
	return true
}

// since gives the results from the n-th on, the run as it stands, and what to wait on for more.
func (r *liveRun) since(n int) ([]fettle.Result, fettle.Run, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.results[n:len(r.results):len(r.results)], r.run, r.changed
}

func (r *liveRun) unanswered() []fettle.NodeID {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []fettle.NodeID
	for _, id := range r.nodes {
		if p := r.parts[id]; p.state != partOK && p.state != partFailed {
			out = append(out, id)
		}
	}
	return out
}
