package plugins

import (
	"encoding/json"

	fettle "github.com/fettle-dev/fettle"
)

// Protocol is the version of what a plugin is told and answers. A plugin that does not know it ought to say so in its result.
const Protocol = 1

// Request is what a plugin reads on its standard input: one line of JSON.
type Request struct {
	Protocol  int             `json:"protocol"`
	Plugin    string          `json:"plugin"`
	Version   string          `json:"version"`
	Action    string          `json:"action"` // without the plugin's name
	Inputs    map[string]any  `json:"inputs"` // validated, with defaults
	Node      RequestNode     `json:"node"`
	Task      fettle.TaskID   `json:"task"`
	Caller    string          `json:"caller,omitempty"` // who asked; empty: a check
	Check     string          `json:"check,omitempty"`  // the check that it is done for
	TimeoutMS int64           `json:"timeout_ms"`       // milliseconds; then it is sent TERM
	Workspace string          `json:"workspace"`        // an empty folder, its working directory, that is removed afterwards
	Folder    string          `json:"folder"`           // where its own files are; they are not to be changed
	Facts     json.RawMessage `json:"facts,omitempty"`  // the node's facts document
}

// RequestNode is the node that a plugin runs on.
type RequestNode struct {
	Identity fettle.NodeID `json:"identity"`
	Classes  []string      `json:"classes"`
}

// The types of the lines that a plugin prints.
const (
	lineOutput   = "output"   // text for people, as it comes
	lineProgress = "progress" // a fraction, and a text
	lineData     = "data"     // outputs, as they are known
	lineRecord   = "record"   // data without a declared form, under a kind
	lineResult   = "result"   // how it ended; the last
)

// line is any line that a plugin prints.
type line struct {
	Type     string         `json:"type"`
	Text     *string        `json:"text"`     // of output and progress
	Fraction *json.Number   `json:"fraction"` // of progress: 0 to 1
	Data     map[string]any `json:"data"`     // of data, record and result
	Kind     string         `json:"kind"`     // of record
	Status   string         `json:"status"`   // of result: ok or failed
	Message  *string        `json:"message"`  // of result
}

// Bounds of what a plugin prints. What is beyond them is not kept, and the result says so.
const (
	MaxLine       = 256 << 10 // bytes of a line
	MaxReply      = 16 << 20  // bytes of all lines
	MaxData       = 256 << 10 // bytes of all outputs in JSON: a result has to fit into one message
	MaxOutputText = 64 << 10  // bytes of what output lines say: their beginning and their end
	MaxLogText    = 16 << 10  // bytes of standard error: its beginning and its end
	MaxRecords    = 100       // records of one task
	maxMessage    = 4 << 10   // bytes of a result's message
)

// Names of outputs that every action of a plugin has beside its own.
const (
	OutputText = "output" // what its output lines said
	OutputLog  = "log"    // what it said on standard error
	OutputRecs = "records"
)

// ownOutputs are those outputs.
var ownOutputs = map[string]Output{
	OutputText: {Name: OutputText, Description: "What it told while it ran.", Type: String},
	OutputLog:  {Name: OutputLog, Description: "What it said on standard error.", Type: String},
	OutputRecs: {Name: OutputRecs, Description: "Its records, each with kind and data.", Type: Any},
}

// own tells whether the output has the name of one that every action of a plugin has.
func (o Output) own() bool { _, is := ownOutputs[o.Name]; return is }

// withOwn gives the action with the outputs that every action of a plugin has.
func (a Action) withOwn() Action {
	for _, name := range []string{OutputText, OutputLog, OutputRecs} {
		if _, declared := a.Output(name); !declared {
			a.Outputs = append(a.Outputs, ownOutputs[name])
		}
	}
	return a
}
