package checks

import (
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Order is the place of a result among those of its node: Seq counts within Session, and a later session's name sorts after an earlier one's.
type Order struct {
	Session string
	Seq     int64
}

// After tells whether o is later than p.
func (o Order) After(p Order) bool {
	if o.Session != p.Session {
		return o.Session > p.Session
	}
	return o.Seq > p.Seq
}

// Transition is a change of a check's state on one node. A hard one changes what counts; a soft one only what the last result said.
type Transition struct {
	Check   string             `json:"check"`
	Node    fettle.NodeID      `json:"node"`
	Rev     int64              `json:"rev"`
	From    fettle.CheckStatus `json:"from"` // empty: there was no state
	To      fettle.CheckStatus `json:"to"`
	Hard    bool               `json:"hard"`
	Attempt int                `json:"attempt"`
	At      fettle.Millis      `json:"at"` // by the server's clock
	Output  string             `json:"output"`
	Flap    fettle.FlapChange  `json:"flap,omitempty"` // with it the state began to flap, or ceased to
}

// Apply gives the state after result, and the transition if there was one. The zero state stands for none. When taken is false, result has no
// say and state is given back as it was: it belongs to another check or to another rev, or the node has spoken later than it.
//
// Results are ordered by their messages, and those of one message by their tasks. A result that was folded already and comes again in a later
// message, because its receipt was lost, is known by its task: ids of tasks sort by the time at which they were made.
//
// A result that its session has made is taken all the same when the state is stale: a node whose clock was set back begins sessions and tasks with
// earlier names, and would not be heard again.
func Apply(state fettle.CheckState, result fettle.Result, check fettle.Check, order Order, now fettle.Millis) (next fettle.CheckState, tr *Transition, taken bool) {
	if result.Check != check.Name || result.CheckRev != check.Rev {
		return state, nil, false
	}
	known := state.Status != ""
	last := Order{state.Session, state.Seq}
	lost := order.Session != last.Session && madeIn(order.Session, result.Task) && isStale(state, check, now)
	if known && !lost && !isNews(result.Task, state.Task, order, last) {
		return state, nil, false
	}
	before, history := level{state.Status, state.Soft, state.Attempt}, flapping{state.Changes, state.Flapping}
	if state.Rev != check.Rev {
		before, history = level{}, flapping{} // what the check meant before says nothing of how often to ask again
	}
	count := int(min(result.Count, 1<<20))
	after := before.next(StatusOf(result), check.Attempts, count)
	history = history.next(before.soft != "" && before.soft != after.soft, count, check)
	next = fettle.CheckState{
		Check: check.Name, Node: result.Node, Rev: check.Rev, Status: after.hard, Soft: after.soft, Attempt: after.attempt,
		Since: state.Since, At: now, Output: lineOf(result), Session: order.Session, Seq: order.Seq,
		Task: result.Task, Changes: history.changes, Flapping: history.is,
	}
	if result.Output != nil {
		next.Perfdata = result.Output.Perfdata
	}
	if next.Status != state.Status || state.Stale != 0 {
		next.Since = now
	}
	return next, transition(state, next), true
}

// madeIn tells whether a task was made in a session, and not found by it in the spool of the one before. Both have their name by one clock.
func madeIn(session string, task fettle.TaskID) bool { return task == "" || string(task) > session }

// isNews tells whether a result says more than the one that was folded last.
func isNews(task, lastTask fettle.TaskID, order, last Order) bool {
	if task == "" || lastTask == "" {
		return order.After(last)
	}
	return task > lastTask && !last.After(order)
}

func transition(from, to fettle.CheckState) *Transition {
	if from.Stale != 0 {
		from.Status = fettle.CheckStale
	}
	flap := flapChange(from.Flapping, to.Flapping)
	if from.Status == to.Status && from.Soft == to.Soft && flap == fettle.FlapNone {
		return nil
	}
	tr := &Transition{Check: to.Check, Node: to.Node, Rev: to.Rev, From: from.Soft, To: to.Soft, Attempt: to.Attempt, At: to.At, Output: to.Output, Flap: flap}
	if from.Status != to.Status {
		tr.From, tr.To, tr.Hard = from.Status, to.Status, true
	}
	return tr
}

// StatusOf gives what a result says of its check. An action that is no check command is ok or critical as it succeeds or says no; when it
// could not be asked at all, nothing is known.
func StatusOf(r fettle.Result) fettle.CheckStatus {
	switch {
	case r.Output != nil:
		return r.Output.Code.Status()
	case r.Status == fettle.StatusOK:
		return fettle.CheckOK
	case r.Status == fettle.StatusFailed:
		return fettle.CheckCritical
	}
	return fettle.CheckUnknown
}

// lineOf gives the line that a person reads of a result.
func lineOf(r fettle.Result) string {
	if r.Output != nil && r.Output.Line != "" {
		return r.Output.Line
	}
	if r.Message != "" || r.Status == fettle.StatusOK {
		return r.Message
	}
	return r.Status.String()
}

// FreshFor gives how long a state of check counts after its last result.
func FreshFor(check fettle.Check) time.Duration {
	if check.Fresh > 0 {
		return time.Duration(check.Fresh) * time.Millisecond
	}
	timeout := time.Duration(check.Timeout) * time.Millisecond
	if timeout <= 0 {
		timeout = fettle.DefaultTimeout
	}
	return 2*interval(check) + timeout
}

func isStale(state fettle.CheckState, check fettle.Check, now fettle.Millis) bool {
	return now.Sub(max(state.At, state.Listened)) > FreshFor(check)
}
