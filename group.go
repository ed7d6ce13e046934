package fettle

// Group is verdicts folded into one. Its name is of the same kind as that of a check: a name is one or the other.
type Group struct {
	Name    string        `json:"name"`
	Rev     int64         `json:"rev,omitempty"` // counts its changes
	Fold    GroupFold     `json:"fold,omitempty"`
	AtLeast int           `json:"at_least,omitempty"` // of FoldAtLeast
	Members []GroupMember `json:"members"`
	By      string        `json:"by,omitempty"`  // path of a fact: beside the whole there is one verdict for each of its values
	Rule    Rule          `json:"rule,omitzero"` // over the tally of members, instead of Fold

	Notes     string            `json:"notes,omitempty"`
	Runbook   string            `json:"runbook,omitempty"` // a link
	Owner     string            `json:"owner,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Updated   Millis            `json:"updated,omitempty"`
	UpdatedBy string            `json:"updated_by,omitempty"`
}

// GroupFold says how the statuses of a group's members make its own. From the best to the worst they are ok, warning, unknown, critical.
type GroupFold string

// The values of GroupFold; empty is FoldWorst. FoldAll is FoldWorst in other words.
const (
	FoldWorst   GroupFold = "worst"    // the worst of them
	FoldAll     GroupFold = "all"      // all have to be well
	FoldAny     GroupFold = "any"      // one that is well is enough: the best of them
	FoldAtLeast GroupFold = "at_least" // so many have to be well: the AtLeast-th best of them
)

// GroupMember is a check or a group, whole or over the nodes of a filter; or, with a filter alone, all checks of those nodes.
type GroupMember struct {
	Check  string `json:"check,omitempty"`
	Group  string `json:"group,omitempty"`
	Filter Filter `json:"filter,omitempty"` // of a check, or alone
	Rule   Rule   `json:"rule,omitzero"`    // instead of the check's own
}

// Silence leaves bad states out of verdicts' statuses, and tells nobody of them, for a time.
type Silence struct {
	ID       string        `json:"id"`
	Filter   Filter        `json:"filter"`             // in CEL over the node; where it is undefined nothing is silenced
	Checks   []string      `json:"checks,omitempty"`   // names, or patterns such as disk_*; none: all checks
	Statuses []CheckStatus `json:"statuses,omitempty"` // none: all that are not ok
	Reason   string        `json:"reason"`
	Author   string        `json:"author"`
	Created  Millis        `json:"created"`
	Starts   Millis        `json:"starts"`
	Expires  Millis        `json:"expires"`         // it always has an end
	Ended    Millis        `json:"ended,omitempty"` // before its time; zero: it was not
	EndedBy  string        `json:"ended_by,omitempty"`
	// Cron, Duration and Zone make it a maintenance window that comes again until Expires: it begins at the moments of the cron expression as
	// clocks in Zone show them, and lasts Duration milliseconds. Empty: from Starts to Expires without a break.
	Cron     string `json:"cron,omitempty"`
	Duration int64  `json:"duration_ms,omitempty"`
	Zone     string `json:"zone,omitempty"` // of the IANA database; empty: UTC
}
