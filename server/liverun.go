package server

import (
	"slices"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// liveRun is a run that goes on, in memory.
type liveRun struct {
	nodes   []fettle.NodeID // the roster, sorted; never changed
	timeout time.Duration   // for the action on each node; never changed
	due     time.Time       // when it ends at the latest: a span by the monotonic clock, so that a wall clock that is set ends no run; never changed
	saving  sync.Mutex      // held while the run is being stored; taken before mu

	mu      sync.Mutex
	run     fettle.Run              // guarded by mu
	parts   map[fettle.NodeID]*part // guarded by mu; its keys are never changed
	results []kept                  // guarded by mu; in the order in which they came, only ever appended to
	room    int                     // guarded by mu; bytes that results may still take in memory
	changed chan struct{}           // guarded by mu; closed and made anew at each change
	version int                     // guarded by mu; counts what is to be stored of run
	saved   int                     // guarded by mu; the version that is stored
	closed  bool                    // guarded by mu; its end is stored, and nothing is taken any more
	course  *course                 // guarded by mu, though it itself never changes; nil: everybody is asked at once
	driven  bool                    // somebody drives it; belongs to driveRuns
}

// kept is a result of a run that goes on. What is cut is in the store, where everything is.
type kept struct {
	fettle.Result
	cut bool // without data and output, because there was no room for them
}

// runMemory is what the results of one run may take in memory, in bytes: ten thousand of an ordinary size.
const runMemory = 32 << 20

// part is what became of one node of the roster.
type part struct {
	task   fettle.TaskID
	state  partState
	inputs map[string]any // with sealed ones among them; nil: those of the run

	// Of a run with a pace.
	called bool      // its turn has come
	due    time.Time // when it is silent, or never; zero: it is not called, or that is not stored yet
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

// taken tells what became of a result that was given to a run.
type taken int

const (
	takenNot     taken = iota // it is no answer to this run, or has come before
	takenCounted              // the tally has it
	takenTooLate              // the run is closed: what is stored of it has to be counted anew
)

func newLiveRun(run fettle.Run, nodes []fettle.NodeID, due time.Time) *liveRun {
	if run.Pace != nil { // they come in the order in which they are asked
		nodes = slices.Clone(nodes)
		slices.Sort(nodes)
	}
	r := &liveRun{run: run, nodes: nodes, due: due, room: runMemory, parts: make(map[fettle.NodeID]*part, len(nodes)), changed: make(chan struct{})}
	parts := make([]part, len(nodes))
	for i, id := range nodes {
		r.parts[id] = &parts[i]
	}
	r.run.Tally = r.tally()
	return r
}

// tally counts the parts. The caller holds mu, or owns r alone.
func (r *liveRun) tally() fettle.Tally {
	t := fettle.Tally{Roster: len(r.nodes)}
	for _, p := range r.parts {
		*p.state.counter(&t)++
	}
	return t
}

// counter gives the number of t that counts parts of this state.
func (s partState) counter(t *fettle.Tally) *int {
	switch s {
	case partOK:
		return &t.OK
	case partFailed:
		return &t.Failed
	case partSilent:
		return &t.Silent
	case partNever:
		return &t.Never
	}
	return &t.Pending
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

// take notes a result. One for another task, or one that comes again, changes nothing. One that comes after the end, but before the end is
// stored, moves its node from the silent to those who answered.
func (r *liveRun) take(res fettle.Result, now time.Time) taken {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[res.Node]
	switch {
	case p == nil || p.task != res.Task || p.state == partOK || p.state == partFailed:
		return takenNot
	case r.closed:
		return takenTooLate
	}
	if p.out() {
		r.course.ended(now)
	}
	if res.Status == fettle.StatusOK {
		r.move(p, partOK)
	} else {
		r.move(p, partFailed)
	}
	r.keep(res)
	if r.run.Ended != 0 {
		r.version++
	}
	r.tell()
	return takenCounted
}

// move gives a part another state, and counts it there. The caller holds mu.
func (r *liveRun) move(p *part, to partState) {
	*p.state.counter(&r.run.Tally)--
	p.state = to
	*p.state.counter(&r.run.Tally)++
}

// keep notes a result for whoever watches. The caller holds mu.
func (r *liveRun) keep(res fettle.Result) {
	k := kept{Result: res}
	if n := weight(res); n <= r.room {
		r.room -= n
	} else {
		k.Data, k.Output, k.cut = nil, nil, true
	}
	r.results = append(r.results, k)
}

// weight is what a result's data and output take in memory, near enough, in bytes.
func weight(res fettle.Result) int {
	n := weightOf(res.Data)
	if res.Output != nil {
		n += len(res.Output.Line) + len(res.Output.Long) + 128*len(res.Output.Perfdata)
	}
	return n
}

func weightOf(value any) int {
	const each = 32 // a value itself, and its place in what holds it
	n := each
	switch v := value.(type) {
	case string:
		n += len(v)
	case map[string]any:
		for key, inner := range v {
			n += len(key) + weightOf(inner)
		}
	case []any:
		for _, inner := range v {
			n += weightOf(inner)
		}
	}
	return n
}

// wanted tells whether a node is still to be sent its task: not when the run was cancelled meanwhile.
func (r *liveRun) wanted(id fettle.NodeID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[id]
	return p != nil && p.state == partWaiting
}

// sent notes that a task is on its way.
func (r *liveRun) sent(t fettle.Task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := r.parts[t.Node]; p != nil && p.task == t.ID && p.state == partWaiting {
		p.state = partSent
	}
}

// owed gives what a node that says hello has to be told of this run: its task, if that is unanswered and may still be begun, or that it is
// cancelled.
func (r *liveRun) owed(id fettle.NodeID, now time.Time) (t fettle.Task, cancelled, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.parts[id]
	if p == nil || p.state != partWaiting && p.state != partSent || r.run.Ended != 0 || !now.Before(r.dueOf(p)) {
		return t, false, false
	}
	return r.task(id, p.task), r.run.State == fettle.RunCancelled, true
}

// task makes the task of a node. The caller holds mu, or owns r alone.
func (r *liveRun) task(node fettle.NodeID, id fettle.TaskID) fettle.Task {
	inputs := r.run.Inputs
	if p := r.parts[node]; p != nil && p.inputs != nil {
		inputs = p.inputs
	}
	return fettle.Task{
		ID: id, Node: node, Action: r.run.Action, Inputs: inputs, Timeout: r.timeout.Milliseconds(),
		Expires: r.expires(node), Run: r.run.ID, Caller: r.run.Caller, Plugin: r.run.Plugin,
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
	r.recount()
	r.version++
	r.tell()
	return out
}

// end closes the run if everybody has answered or its time is up, and tells whether it did so just now.
func (r *liveRun) end(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run.Ended != 0 {
		return false
	}
	r.expire(now)
	if r.run.Tally.Pending > 0 && (r.course != nil || now.Before(r.due)) {
		return false
	}
	r.giveUp()
	r.run.Progress = fettle.Progress{Stopped: r.run.Stopped}
	r.run.Ended = max(fettle.MillisOf(now), 1)
	if r.run.State == fettle.RunGoing {
		r.run.State = fettle.RunEnded
	}
	r.version++
	r.tell()
	return true
}

// giveUp counts whoever has not answered as silent, or as never where nothing was sent. The caller holds mu, or owns r alone.
func (r *liveRun) giveUp() {
	for _, p := range r.parts {
		switch p.state {
		case partSent:
			p.state = partSilent
		case partWaiting:
			p.state = partNever
		}
	}
	r.run.Tally = r.tally()
}

// toSave gives the run as it is to be stored; dirty is false where that is stored already.
func (r *liveRun) toSave() (run fettle.Run, version int, dirty bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.run, r.version, r.version != r.saved
}

// stored notes that a version of the run is stored under rev. A run that has ended and has not changed since is closed by that.
func (r *liveRun) stored(version int, rev int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.saved, r.run.Rev = version, rev
	r.closed = r.run.Ended != 0 && r.version == version
}

func (r *liveRun) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// since gives the results from the n-th on, the run as it stands, and what to wait on for more.
func (r *liveRun) since(n int) ([]kept, fettle.Run, <-chan struct{}) {
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
