package fettle

import "encoding/json"

// Run is one action asked of all the nodes that a filter matched.
type Run struct {
	ID        RunID          `json:"id"`
	Action    string         `json:"action"`
	Inputs    map[string]any `json:"inputs,omitempty"`
	Filter    Filter         `json:"filter,omitempty"` // in CEL; empty: the roster was given by id, or is everything
	All       bool           `json:"all,omitempty"`    // asked of every node, on purpose
	Caller    string         `json:"caller"`
	State     RunState       `json:"state"`
	Tally     Tally          `json:"tally"`
	Undefined int            `json:"undefined"`         // nodes for which the filter was undefined; they are not in the roster
	Refused   []Refusal      `json:"refused,omitempty"` // nodes of the roster that were not asked because something forbids it; the tally counts them as never
	Created   Millis         `json:"created"`
	Deadline  Millis         `json:"deadline"`             // who has not answered by then is silent; with a pace, of those who were asked last
	Ended     Millis         `json:"ended"`                // zero: it goes on
	Timeout   int64          `json:"timeout_ms,omitempty"` // for the action on each node, in milliseconds; zero: it is not known
	Pace      *Pace          `json:"pace,omitempty"`       // nil: everybody was asked at once
	RetryOf   RunID          `json:"retry_of,omitempty"`   // the run whose failed, silent and never asked nodes these are
	Standing  string         `json:"standing,omitempty"`   // the standing run of which this is a round
	Remedy    string         `json:"remedy_of,omitempty"`  // the check whose remedy this is
	Progress
	Plugin *PluginRef `json:"plugin,omitempty"` // whose action it is, fixed when the run began; nil: one that came with the agent
	Rev    int64      `json:"rev"`
}

// MaxRefused is how many nodes a Refusal names.
const MaxRefused = 1000

// Refusal is a reason for which nodes are not asked.
type Refusal struct {
	Reason string   `json:"reason"`
	Count  int      `json:"count"`
	Nodes  []NodeID `json:"nodes"` // sorted; the first MaxRefused of them
}

// RunState tells whether a run goes on.
type RunState string

// The values of RunState.
const (
	RunGoing     RunState = "going"
	RunEnded     RunState = "ended"
	RunCancelled RunState = "cancelled"
)

// Tally counts what became of a run's roster: Roster = OK + Failed + Silent + Never + Pending, always.
type Tally struct {
	Roster  int `json:"roster"`
	OK      int `json:"ok"`
	Failed  int `json:"failed"`  // any result but status 0
	Silent  int `json:"silent"`  // sent, unanswered at the deadline
	Never   int `json:"never"`   // not sent: stopped, cancelled or away
	Pending int `json:"pending"` // zero once the run has ended
}

// Roster is the set of nodes that ought to answer, fixed by a preview or a run.
type Roster struct {
	ID        string   `json:"id"`
	Filter    Filter   `json:"filter,omitempty"`
	Nodes     []NodeID `json:"nodes"` // sorted
	Undefined int      `json:"undefined"`
	Created   Millis   `json:"created"`
}

// Event is something that happened to a node, kept in the order in which the server learned of it.
type Event struct {
	Seq  int64           `json:"seq"`
	Kind EventKind       `json:"kind"`
	Node NodeID          `json:"node"`
	At   Millis          `json:"at"`
	Body json.RawMessage `json:"body,omitempty"`
}

// EventKind says what happened.
type EventKind string

// The kinds of Event.
const (
	EventEnrolled  EventKind = "enrolled"
	EventAlive     EventKind = "alive"
	EventLate      EventKind = "late"
	EventSilent    EventKind = "silent"
	EventChanged   EventKind = "changed"
	EventForgotten EventKind = "forgotten"
	EventCheck     EventKind = "check" // what counts as a check's state changed; Body says which check, from, to
)
