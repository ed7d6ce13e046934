package fettle

import "time"

// What names tasks and runs: UUIDs of version 7, so that they sort by the time at which they were made.
type (
	// TaskID names a task.
	TaskID string
	// RunID names a run.
	RunID string
)

// Task is one action, with its inputs, asked of one node. It belongs to a run or to a check, never to both.
type Task struct {
	ID       TaskID         `json:"id"`
	Node     NodeID         `json:"node"`
	Action   string         `json:"action"` // "plugin.action"
	Inputs   map[string]any `json:"inputs,omitempty"`
	Timeout  int64          `json:"timeout_ms"` // for the action itself, in milliseconds
	Expires  Millis         `json:"expires"`    // after this it is not begun any more, by the server's clock
	Run      RunID          `json:"run,omitempty"`
	Check    string         `json:"check,omitempty"` // the check's name
	CheckRev int64          `json:"check_rev,omitempty"`
	Caller   string         `json:"caller,omitempty"` // who asked, for the node's own policy and audit
	Plugin   *PluginRef     `json:"plugin,omitempty"` // whose action it is; nil: one that came with the agent
}

// PluginRef names one version of a plugin, or of the agent itself, and the archive in which nodes fetch it.
type PluginRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest,omitempty"` // SHA-256 of the archive, in hex
	Size    int64  `json:"size,omitempty"`   // of the archive, in bytes
}

// Limits of a task.
const (
	DefaultTimeout = 30 * time.Second
	MaxExpiry      = 24 * time.Hour // nothing expires later than this after its sending: a ledger of begun tasks that is kept for longer cannot miss one
)

// Status tells how a task ended. It is stored and sent as its number; docs/concepts.md tells what each says to a person.
type Status int

// The values of Status. The numbers are part of the protocol.
const (
	StatusOK            Status = 0
	StatusFailed        Status = 1 // the action said no
	StatusUnknownAction Status = 2
	StatusMissingInput  Status = 3
	StatusInvalidInput  Status = 4
	StatusOther         Status = 5
	StatusRefused       Status = 6 // by policy, or because the spool is full
	StatusTimeout       Status = 7
	StatusInterrupted   Status = 8 // begun, and the agent died: the outcome is unknown
	StatusCancelled     Status = 9
)

var statusNames = [...]string{"ok", "failed", "unknown action", "missing input", "invalid input", "other fault", "refused", "timed out", "interrupted", "cancelled"}

// String gives the word for s.
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return "status out of range"
	}
	return statusNames[s]
}

// Valid tells whether s is one of the statuses above.
func (s Status) Valid() bool { return s >= StatusOK && s <= StatusCancelled }

// Result is what one task gave: the only thing that a node ever gives back beside facts.
type Result struct {
	Task     TaskID         `json:"task"`
	Node     NodeID         `json:"node"`
	Run      RunID          `json:"run,omitempty"`
	Action   string         `json:"action"`
	Status   Status         `json:"status"`
	Message  string         `json:"message"`
	Data     map[string]any `json:"data,omitempty"` // the outputs that the manifest declares
	At       Millis         `json:"at"`             // when the action began, by the node's clock; zero: it never began
	TookMS   int64          `json:"took_ms"`        // milliseconds
	Check    string         `json:"check,omitempty"`
	CheckRev int64          `json:"check_rev,omitempty"`
	Output   *CheckOutput   `json:"output,omitempty"` // of a check command; nil for any other action
	Count    int64          `json:"count,omitempty"`  // how many like results this one stands for, when the spool merged them; zero: itself only
}

// CheckOutput is what a check command printed, read by the plugin guidelines.
type CheckOutput struct {
	Code     CheckCode `json:"code"`
	Line     string    `json:"line"`           // first line, without perfdata
	Long     string    `json:"long,omitempty"` // further lines, without perfdata
	Perfdata []Perf    `json:"perfdata,omitempty"`
}

// Perf is one value of perfdata: 'label'=value[UOM];[warn];[crit];[min];[max] of the Nagios plugin development guidelines.
type Perf struct {
	Label string   `json:"label"`
	Value *float64 `json:"value"` // nil: the plugin said "U", it could not be determined
	Unit  string   `json:"unit,omitempty"`
	Warn  string   `json:"warn,omitempty"` // a range, as written
	Crit  string   `json:"crit,omitempty"` // a range, as written
	Min   *float64 `json:"min,omitempty"`
	Max   *float64 `json:"max,omitempty"`
}
