package fettle

// CheckCode is what a check command's exit says, by the Nagios plugin guidelines. The numbers are theirs.
type CheckCode int

// The values of CheckCode.
const (
	CodeOK       CheckCode = 0
	CodeWarning  CheckCode = 1
	CodeCritical CheckCode = 2
	CodeUnknown  CheckCode = 3
)

// Status gives the word for c; a code out of range is unknown, as Nagios has it.
func (c CheckCode) Status() CheckStatus {
	switch c {
	case CodeOK:
		return CheckOK
	case CodeWarning:
		return CheckWarning
	case CodeCritical:
		return CheckCritical
	}
	return CheckUnknown
}

// CheckStatus is the status of a check's state on one node, and of a verdict.
type CheckStatus string

// The values of CheckStatus. Stale stands in states only: a verdict counts it inside unknown.
const (
	CheckOK       CheckStatus = "ok"
	CheckWarning  CheckStatus = "warning"
	CheckCritical CheckStatus = "critical"
	CheckUnknown  CheckStatus = "unknown"
	CheckStale    CheckStatus = "stale"
)

// Code gives the Nagios code of s; stale is unknown.
func (s CheckStatus) Code() CheckCode {
	switch s {
	case CheckOK:
		return CodeOK
	case CheckWarning:
		return CodeWarning
	case CheckCritical:
		return CodeCritical
	}
	return CodeUnknown
}

// Check is a task asked of matching nodes again and again: a CheckDefinition with nothing left open. Spans are in milliseconds.
type Check struct {
	Name   string         `json:"name"`
	Rev    int64          `json:"rev"`              // of the task; results echo it, and a result of an old rev is not folded
	Action string         `json:"action,omitempty"` // empty: Expression is asked
	Inputs map[string]any `json:"inputs,omitempty"`
	Plugin *PluginRef     `json:"plugin,omitempty"` // whose action it is; nil: one that came with the agent
	// Expression is evaluated by the node over its own facts, without an action.
	Expression Filter      `json:"expression,omitempty"`
	Rules      *CheckRules `json:"rules,omitempty"`    // what the outcome means; nil: success is ok, failure critical
	Filter     Filter      `json:"filter,omitempty"`   // in CEL; empty: the nodes that offer the command
	Interval   int64       `json:"interval_ms"`        // with Cron: the longest time between two turns
	Cron       string      `json:"cron,omitempty"`     // in UTC, by the server's clock; empty: every Interval
	Splay      int64       `json:"splay_ms,omitempty"` // within which the nodes take their turns; zero: Interval, and of Cron nothing
	Timeout    int64       `json:"timeout_ms"`
	Attempts   int         `json:"attempts"` // results in a row that make a soft state hard; at least 1
	Retry      int64       `json:"retry_ms"` // the interval while a state is soft; zero: Interval
	Fresh      int64       `json:"fresh_ms"` // a state older than this is stale; zero: two intervals and the timeout
	// Undefined says what a node counts as for which Filter is undefined; empty: it is counted beside the total.
	Undefined CheckStatus `json:"undefined,omitempty"`
	// Rule says what the counts mean, unless a question has a rule of its own.
	Rule Rule `json:"rule,omitzero"`
	// DependsOn names checks and groups: while one of them is critical on a node, or a group is, this check's bad states there are shadowed.
	DependsOn []string `json:"depends_on,omitempty"`
	FlapLow   int      `json:"flap_low,omitempty"`  // percent of change at which flapping ends
	FlapHigh  int      `json:"flap_high,omitempty"` // at which it begins; zero: it never flaps
}

// CheckState is what one node's last results say of one check.
type CheckState struct {
	Check    string      `json:"check"`
	Node     NodeID      `json:"node"`
	Rev      int64       `json:"rev"`    // of the check
	Status   CheckStatus `json:"status"` // the hard one, or the first of all
	Soft     CheckStatus `json:"soft"`   // of the last result
	Attempt  int         `json:"attempt"`
	Since    Millis      `json:"since"` // when Status began, by the server's clock
	At       Millis      `json:"at"`    // when the last result was received, by the server's clock
	Output   string      `json:"output"`
	Perfdata []Perf      `json:"perfdata,omitempty"`
	Session  string      `json:"session,omitempty"` // with Seq, the order of the node's results
	Seq      int64       `json:"seq,omitempty"`
	Task     TaskID      `json:"-"` // of the last result; one that comes again is known by it
	Changes  uint32      `json:"-"` // of the last 20 results, which had another status than the one before; the latest is bit 0
	Flapping bool        `json:"flapping,omitempty"`
	Stale    Millis      `json:"-"` // when it was put down that the state is stale; zero: it is not
	Listened Millis      `json:"-"` // from when on the server has listened, if that is later than At: what came before is nobody's silence
}

// FlapChange says what a transition has to do with flapping. The numbers are stored.
type FlapChange int

// The values of FlapChange.
const (
	FlapNone  FlapChange = 0
	FlapBegan FlapChange = 1
	FlapEnded FlapChange = 2
)
