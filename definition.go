package fettle

// CheckDefinition is a check as people write it: in a file, over REST. It says exactly one of Command, NRPE, Action and Expression. What is
// left open has the default that docs/checks.md gives, where the text of each field stands too.
type CheckDefinition struct {
	Name string `json:"name,omitempty" doc:"Letters, digits, and _ - . : within; the name of its verdict"`

	Command    string         `json:"command,omitempty" doc:"What is asked: a command line of a Nagios plugin, run by the shell as NRPE runs it. Administrators only"`
	NRPE       string         `json:"nrpe,omitempty" doc:"Or: a check command of the nodes, of their NRPE configuration or a built-in one"`
	Args       []string       `json:"args,omitempty" doc:"Arguments of nrpe, where the node allows them"`
	Action     string         `json:"action,omitempty" doc:"Or: an action"`
	Inputs     map[string]any `json:"inputs,omitempty" doc:"Inputs of action"`
	Expression Filter         `json:"expression,omitempty" doc:"Or: CEL over the node's own facts; true is ok and false critical, a status is itself, and any other value is for verdict to judge"`
	Verdict    *CheckRules    `json:"verdict,omitempty" doc:"What the outcome of action, or the value of expression, means; left out: success is ok and failure critical"`

	Filter    Filter      `json:"filter,omitempty" doc:"Which nodes have it, in CEL or the short form, @names within; only nrpe may leave it out, and means those that offer the command"`
	Interval  Span        `json:"interval,omitempty" doc:"How often; left out: 1m" example:"1m"`
	Cron      string      `json:"cron,omitempty" doc:"Instead: minute hour day month weekday, in UTC by the server's clock" example:"30 6 * * 1-5"`
	Splay     Span        `json:"splay,omitempty" doc:"Within what time the nodes take their turns; left out: the interval, and of cron 1m"`
	Timeout   Span        `json:"timeout,omitempty" doc:"How long it may take on a node; left out: 30s"`
	Attempts  int         `json:"attempts,omitempty" doc:"Bad results in a row that make a state hard; left out: 1" minimum:"0" maximum:"1000"`
	Retry     Span        `json:"retry,omitempty" doc:"The interval while a state is soft; left out: the interval"`
	Freshness Span        `json:"freshness,omitempty" doc:"A state whose last result is older is stale; left out: two intervals and the timeout"`
	Flap      *Flap       `json:"flap,omitempty" doc:"When a state counts as flapping"`
	Rule      Rule        `json:"rule,omitzero" doc:"What the counts of its verdict mean; left out: any critical is critical, else any unknown unknown, else any warning a warning"`
	Undefined CheckStatus `json:"undefined,omitempty" enum:"unknown" doc:"What nodes count as for which the filter is undefined; left out: they stand beside the total"`

	Notes     string            `json:"notes,omitempty" doc:"For people" maxLength:"4000"`
	Runbook   string            `json:"runbook,omitempty" doc:"A link to what is to be done" maxLength:"2000"`
	Labels    map[string]string `json:"labels,omitempty" doc:"For people and for alerts"`
	Owner     string            `json:"owner,omitempty" doc:"The user whose it is, and with whose rights on_change runs; left out: who saved it first"`
	DependsOn []string          `json:"depends_on,omitempty" doc:"Checks and groups in whose shadow it stands: while one of them is critical on a node, or a group is, a bad state there has no say in the verdict"`
	OnChange  *Remedy           `json:"on_change,omitempty" doc:"What is run on a node whose state has become bad"`
}

// CheckRules say in CEL what the outcome of an action, or a value, means. They see data, the outputs of the action; status and message of its
// result; value, that of the expression; and all that a node knows of itself. Critical is asked first, then Warning, then Unknown; where none
// is true it is ok. A rule that is undefined makes it unknown.
type CheckRules struct {
	Critical Filter            `json:"critical,omitempty" doc:"When it is critical" example:"data.used > 90"`
	Warning  Filter            `json:"warning,omitempty" doc:"When it is a warning"`
	Unknown  Filter            `json:"unknown,omitempty" doc:"When it is unknown"`
	Status   Filter            `json:"status,omitempty" doc:"Instead of the three: ok, warning, critical or unknown, or 0 to 3"`
	Output   string            `json:"output,omitempty" doc:"The line that a person reads, with CEL in double braces" example:"{{data.used}} % in use"`
	Perfdata map[string]Filter `json:"perfdata,omitempty" doc:"Perfdata by label: CEL that gives a number"`
}

// Flap says when a state is flapping, by Nagios' algorithm: the part of the last 20 chances to change that was taken, of which the latest
// weigh most.
type Flap struct {
	Low  int  `json:"low,omitempty" doc:"Percent of change at which it ends; left out: 20" minimum:"0" maximum:"100"`
	High int  `json:"high,omitempty" doc:"Percent of change at which it begins; left out: 30" minimum:"0" maximum:"100"`
	Off  bool `json:"off,omitempty" doc:"Never"`
}

// Remedy is an action that is run on a node whose state has become bad, for as long as its limits allow.
type Remedy struct {
	Action       string         `json:"action,omitempty" doc:"What is run"`
	Inputs       map[string]any `json:"inputs,omitempty" doc:"Its inputs; texts have CEL over state and the node in double braces"`
	Composition  string         `json:"composition,omitempty" doc:"Instead of action: not built yet, and refused"`
	When         []CheckStatus  `json:"when,omitempty" doc:"Hard statuses that call for it; left out: critical"`
	PerHour      int            `json:"per_hour,omitempty" doc:"At most so many on one node within an hour; left out: 3" minimum:"0" maximum:"60"`
	Cooldown     Span           `json:"cooldown,omitempty" doc:"At least so long between two on one node; left out: 5m"`
	AtOnce       int            `json:"at_once,omitempty" doc:"At most so many at once over the fleet; left out: 1" minimum:"0" maximum:"10000"`
	NodesPerHour Share          `json:"nodes_per_hour,omitempty" doc:"At most so many nodes within an hour over the fleet, a number or a part of the check's nodes, of which one is always allowed; left out: 10" maxLength:"20" example:"5%"`
	GiveUp       int            `json:"give_up,omitempty" doc:"After so many in a row that did not mend it no more are started, until somebody resumes it; left out: 3" minimum:"0" maximum:"100"`
	Timeout      Span           `json:"timeout,omitempty" doc:"For the action; left out: what its manifest says"`
}

// RemedyPhase says where a remedy stands. The words are stored.
type RemedyPhase string

// The values of RemedyPhase.
const (
	RemedyWaiting  RemedyPhase = "waiting"  // for its turn
	RemedyRunning  RemedyPhase = "running"  // its run goes
	RemedyWatching RemedyPhase = "watching" // the run went well, and it is watched whether the state becomes ok
	RemedyMended   RemedyPhase = "mended"   // it did
	RemedyUnmended RemedyPhase = "unmended" // it did not
	RemedyFailed   RemedyPhase = "failed"   // the run did not go well
	RemedySkipped  RemedyPhase = "skipped"  // nothing was run
)

// KeptCheck is a definition as the server keeps it.
type KeptCheck struct {
	CheckDefinition
	Rev     int64  `json:"rev"`                  // counts the changes of the definition
	TaskRev int64  `json:"task_rev"`             // the rev at which what the nodes are asked changed last: Rev of Check
	Source  string `json:"source,omitempty"`     // where it is provisioned, and may be changed alone; empty: over REST
	Updated Millis `json:"updated"`              // when it changed last
	Editor  string `json:"updated_by,omitempty"` // who changed it last
	Role    string `json:"-"`                    // that its owner had when it was saved
	Account string `json:"-"`                    // the owner's user; empty: the token alone gave the right
	Token   string `json:"-"`                    // id of the token by which the owner came when it was saved; empty: there was none, or it was a session
	Fault   string `json:"fault,omitempty"`      // why it has no nodes: a saved filter that it stands on does not exist
}
