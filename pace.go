package fettle

// Pace says in which order and how fast a run asks its roster, and what stops it. The zero Pace asks everybody at once. Package runs has its rules.
type Pace struct {
	Order        string         `json:"order,omitempty"`            // identity, random, or a fact such as facts.rack; empty: identity
	SpreadBy     string         `json:"spread_by,omitempty"`        // a fact: round robin by its value; empty: the order as it is
	Seed         int64          `json:"seed,omitempty"`             // of what is random; zero: the server chooses one, and the run shows it
	Limit        Share          `json:"limit,omitempty"`            // so many of the roster, or of every hundred, are asked; the others are not in it
	LimitRandom  bool           `json:"limit_random,omitempty"`     // those are drawn; else they are the first
	Canary       int            `json:"canary,omitempty"`           // so many go first, and unless all do well nobody follows
	Batch        Share          `json:"batch,omitempty"`            // nodes a batch; the next begins when all have answered or are silent
	BatchSleep   int64          `json:"batch_sleep_ms,omitempty"`   // between batches, in milliseconds
	Concurrency  int            `json:"concurrency,omitempty"`      // nodes at once, those on which the action goes for another reason counted
	MaxFailed    Share          `json:"max_failed,omitempty"`       // more than so many stop the run; "0": the first does
	MaxSilent    Share          `json:"max_silent,omitempty"`       // likewise
	While        Filter         `json:"while,omitempty"`            // a gate: the next batch goes out only while it is true
	WhileTimeout int64          `json:"while_timeout_ms,omitempty"` // a gate that is closed for longer stops the run; milliseconds, zero: an hour
	Locks        map[string]int `json:"locks,omitempty"`            // by name how many nodes may hold it at once, in all runs together
}

// Share is a number of nodes, or a part of all of them: "10" or "25%". Empty: none is given.
type Share string

// RunPhase tells what a run does that has a pace.
type RunPhase string

// The values of RunPhase. A run that has ended, or has no pace, has none.
const (
	PhaseCanary    RunPhase = "canary"    // the first few are asked
	PhaseAsking    RunPhase = "asking"    // nodes are asked
	PhaseWaiting   RunPhase = "waiting"   // nothing goes out now; Progress.WaitingFor says why
	PhaseAnswering RunPhase = "answering" // nobody is asked any more, and the last answers are waited for
)

// Progress is how far a run with a pace has come.
type Progress struct {
	Phase      RunPhase `json:"phase,omitempty"`
	Batch      int      `json:"batch,omitempty"`       // the one that is asked, from 1; the canaries are one
	Batches    int      `json:"batches,omitempty"`     // how many there are, as far as that is known; zero: the run has none
	WaitingFor string   `json:"waiting_for,omitempty"` // why nothing goes out now, for people
	Stopped    string   `json:"stopped,omitempty"`     // why nobody is asked any more, though somebody was left
}

// Standing is a run that comes again and again. Exactly one of Loop, Every and Cron is set.
type Standing struct {
	Name    string         `json:"name"`
	Action  string         `json:"action"`
	Inputs  map[string]any `json:"inputs,omitempty"`
	Filter  Filter         `json:"filter,omitempty"` // as it was written: @names mean at each round what they mean then
	All     bool           `json:"all,omitempty"`
	Timeout int64          `json:"timeout_ms,omitempty"`
	Pace    Pace           `json:"pace"`
	Loop    int64          `json:"loop_ms,omitempty"`  // each node again so long after its last end, in milliseconds
	Every   int64          `json:"every_ms,omitempty"` // a run so often, in milliseconds
	Cron    string         `json:"cron,omitempty"`     // a run whenever the five fields say so
	Zone    string         `json:"zone,omitempty"`     // of Cron: a name of the IANA database; empty: UTC
	Owner   string         `json:"owner"`              // whose rights it has, as they are at each round
	Account string         `json:"account,omitempty"`  // the owner's user; empty: the token alone gave the right
	Token   string         `json:"token,omitempty"`    // id of the token by which the owner came
	Created Millis         `json:"created"`
	Paused  string         `json:"paused,omitempty"` // who has paused it; empty: nobody
	Next    Millis         `json:"next"`             // when the next round is due; zero: that is not known yet, or it is paused
	Rounds  int64          `json:"rounds"`           // runs that were started
	Last    RunID          `json:"last,omitempty"`   // the latest of them
	Skipped string         `json:"skipped,omitempty"`
	// SkippedAt is when a round was left out last, for the reason Skipped; zero: never.
	SkippedAt Millis `json:"skipped_at,omitempty"`
	Rev       int64  `json:"rev"`
}
