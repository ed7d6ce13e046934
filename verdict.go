package fettle

// CheckTally counts a check's states: Total = OK + Warning + Critical + Unknown + Silenced + Shadowed, always.
type CheckTally struct {
	Total     int `json:"total"`
	OK        int `json:"ok"`
	Warning   int `json:"warning"`
	Critical  int `json:"critical"`
	Unknown   int `json:"unknown"`
	Silent    int `json:"silent"`    // inside Unknown: the node does not answer
	Stale     int `json:"stale"`     // inside Unknown: the last result is too old
	Undefined int `json:"undefined"` // outside Total: the filter is undefined for these nodes
	Silenced  int `json:"silenced"`  // not ok, and left out of the status by a silence
	Shadowed  int `json:"shadowed"`  // not ok, and left out because what they depend on is critical
	Flapping  int `json:"flapping"`  // among the others: the state changes too often
}

// Counted gives how many of the total have a say in the status.
func (t CheckTally) Counted() int { return t.Total - t.Silenced - t.Shadowed }

// Rule says what the counts of a tally mean. The zero value means: any critical is critical, else any unknown is unknown, else any warning is
// warning. Nodes that are silenced or shadowed have no say in it.
type Rule struct {
	// Warning and Critical are Nagios ranges over the number of those that are not ok ("2", "@1:5"), or over their percentage of those that
	// have a say ("10%"), or CEL over the tally ("critical > 0.1 * total || silent > 3"). Empty: none.
	Warning  string `json:"warning,omitempty"`
	Critical string `json:"critical,omitempty"`
	// MinOK is how many have to be ok, "3" or "60%": fewer is critical. Of those that have a say, no more is asked than there are. Empty: none.
	MinOK string `json:"min_ok,omitempty"`
}

// VerdictKind says what a verdict is folded of.
type VerdictKind string

// The values of VerdictKind.
const (
	KindCheck VerdictKind = "check" // of the states of a check on nodes; its tally counts nodes
	KindGroup VerdictKind = "group" // of verdicts; its tally counts members
)

// Verdict is many states, or many verdicts, folded into one.
type Verdict struct {
	Check      string                   `json:"check"` // its name: of a check, or of a group
	Kind       VerdictKind              `json:"kind"`
	Status     CheckStatus              `json:"status"`
	Since      Millis                   `json:"since,omitempty"` // when Status began, by the server's clock; zero: it is not kept (asked live, or of some nodes)
	Tally      CheckTally               `json:"tally"`
	Nodes      map[CheckStatus][]NodeID `json:"nodes"`                 // those that are not ok and have a say, by status, sorted
	Silenced   []NodeID                 `json:"silenced,omitempty"`    // those that a silence leaves out, sorted
	Shadowed   []NodeID                 `json:"shadowed,omitempty"`    // those left out because of what they depend on, sorted
	SilencedBy []SilencedBy             `json:"silenced_by,omitempty"` // which silences those are
	Output     map[NodeID]string        `json:"output,omitempty"`      // first line of nodes that are not ok, the worst first; at most MaxOutputs
	Perf       []PerfFold               `json:"perf,omitempty"`        // perfdata folded over the nodes of a check, or of a group that is one check
	Members    []VerdictMember          `json:"members,omitempty"`     // of a group, as they are defined
	ByFact     string                   `json:"by_fact,omitempty"`     // the path by whose values By has verdicts
	By         []Verdict                `json:"by,omitempty"`          // one for each value, the worst first; at most MaxBy
	ByMore     int                      `json:"by_more,omitempty"`     // values beyond MaxBy, whose verdicts are left out
	Value      string                   `json:"value,omitempty"`       // of a verdict in By: the fact's value; "(none)": nodes without it
	Reason     string                   `json:"reason,omitempty"`      // why Status is unknown without a node being so
	Live       bool                     `json:"live"`                  // asked now; false: read from the board
	Settling   bool                     `json:"settling"`              // the server has just started: Status is the last one committed
	TookMS     int64                    `json:"took_ms"`
}

// Bounds of a verdict: its counts are of all nodes, whatever their number, and so are its lists of names.
const (
	MaxOutputs = 500
	MaxBy      = 200
	MaxPerf    = 8 // labels of Perf, those of the most nodes
)

// PerfFold is one value of perfdata, folded over the nodes that have it and are heard.
type PerfFold struct {
	Label string  `json:"label"`
	Unit  string  `json:"unit,omitempty"` // seconds and bytes are s and B
	Nodes int     `json:"nodes"`
	Sum   float64 `json:"sum"`
	Avg   float64 `json:"avg"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
}

// SilencedBy is a silence, and how many nodes it leaves out of a verdict.
type SilencedBy struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
	Author string `json:"author"`
	Until  Millis `json:"until"` // the end of its window
	Nodes  int    `json:"nodes"`
}

// VerdictMember is a member of a group, and how it is.
type VerdictMember struct {
	Name   string      `json:"name"` // of the check or group; with a filter: "check where filter"
	Kind   VerdictKind `json:"kind"`
	Filter Filter      `json:"filter,omitempty"`
	Status CheckStatus `json:"status"`
	Tally  CheckTally  `json:"tally"`
	Since  Millis      `json:"since,omitempty"`
	Reason string      `json:"reason,omitempty"`
}
