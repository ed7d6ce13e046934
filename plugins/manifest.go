package plugins

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Type is the type of an input or output.
type Type string

// The values of Type, and what they are in Go.
const (
	String Type = "string" // string: UTF-8 without zero bytes
	Int    Type = "int"    // int64
	Float  Type = "float"  // float64, finite
	Bool   Type = "bool"   // bool
	List   Type = "list"   // []string
	Any    Type = "any"    // whatever JSON has; for outputs only
)

// Limits of inputs whose manifest does not say.
const (
	DefaultMaxLength = 64 << 10 // bytes of a string, and of each element of a list
	MaxListLength    = 1000     // elements
)

// Manifest says what a plugin offers.
type Manifest struct {
	Name        string        `json:"name"`
	Version     string        `json:"version"`
	Description string        `json:"description"`
	Licence     string        `json:"licence,omitempty"`
	Icon        string        `json:"icon,omitempty"`       // a word or a character, for pages
	Platforms   fettle.Filter `json:"platforms,omitempty"`  // in CEL, over what a node knows of itself; empty: every node
	Executable  string        `json:"executable,omitempty"` // below the plugin's folder; {os} and {arch} stand for the node's, as Go names them
	Run         Limits        `json:"run,omitzero"`         // as what, and within what, it runs
	Actions     []Action      `json:"actions"`
}

// Limits say as what a plugin runs, and to what it is held as far as the machine lets us.
type Limits struct {
	User      string `json:"user,omitempty" yaml:"user"`           // empty: as the agent
	Nice      int64  `json:"nice,omitempty" yaml:"nice"`           // added to the agent's own
	IO        string `json:"io,omitempty" yaml:"io"`               // low or idle; empty: the agent's own
	Memory    int64  `json:"memory_mib,omitempty" yaml:"memory"`   // MiB; zero: no limit
	CPU       int64  `json:"cpu,omitempty" yaml:"cpu"`             // percent of one processor; zero: no limit
	Processes int64  `json:"processes,omitempty" yaml:"processes"` // zero: no limit
}

// Action is one thing that a plugin can do.
type Action struct {
	Name        string   `json:"name"` // "plugin.action"
	Description string   `json:"description"`
	Inputs      []Input  `json:"inputs,omitempty"`
	Outputs     []Output `json:"outputs,omitempty"`
	Idempotent  bool     `json:"idempotent"`           // doing it twice does no harm: it needs no entry in the agent's ledger
	Slotless    bool     `json:"slotless,omitempty"`   // so light that a busy node does it too
	Busy        string   `json:"busy,omitempty"`       // a filter: on these nodes it goes already, whoever began it; a run's concurrency counts them. Empty: nobody knows
	Timeout     int64    `json:"timeout_ms,omitempty"` // milliseconds; zero: fettle.DefaultTimeout

	Summaries []Summary `json:"summaries,omitempty"` // what is told of all nodes together
	Display   Display   `json:"display,omitempty"`   // which results are shown in full; empty: Always
}

// Input is something that an action is given.
type Input struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Type        Type     `json:"type"`
	Required    bool     `json:"required,omitempty"`
	Default     any      `json:"default,omitempty"`    // taken when the input is not given; nil: then it stays away
	Pattern     string   `json:"pattern,omitempty"`    // of a string or of each element: a regular expression (RE2) for the whole of it
	Enum        []string `json:"enum,omitempty"`       // of a string or of each element: the only values
	Min         *float64 `json:"min,omitempty"`        // of a number
	Max         *float64 `json:"max,omitempty"`        // of a number
	MaxLength   int      `json:"max_length,omitempty"` // of a string or of each element, in bytes; zero: DefaultMaxLength
	Secret      bool     `json:"secret,omitempty"`     // never shown, not in errors either
	From        string   `json:"from,omitempty"`       // where the node finds it when it is not given: identity, or facts and a path
}

// Output is something that an action gives back in a result's data.
type Output struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Type        Type   `json:"type"`
	Display     string `json:"display,omitempty"` // what people call it; empty: its name
	Unit        string `json:"unit,omitempty"`    // of a number: ms, bytes, %; empty: it counts something
}

// Label gives what people call the output.
func (o Output) Label() string {
	if o.Display != "" {
		return o.Display
	}
	return strings.ReplaceAll(o.Name, "_", " ")
}

// Limit gives how long the action may take when nobody says otherwise.
func (a Action) Limit() time.Duration {
	if a.Timeout > 0 {
		return time.Duration(a.Timeout) * time.Millisecond
	}
	return fettle.DefaultTimeout
}

// input gives the declared input of a name.
func (a Action) input(name string) (Input, bool) {
	i := slices.IndexFunc(a.Inputs, func(in Input) bool { return in.Name == name })
	if i < 0 {
		return Input{}, false
	}
	return a.Inputs[i], true
}

var (
	actionName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}\.[a-z][a-z0-9_]{0,63}$`)
	inputName  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
)

// Check tells everything that is wrong with the action's own declaration, each fault wrapping ErrInvalid; nil: nothing.
func (a Action) Check() error {
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("action %s: %s: %w", a.Name, fmt.Sprintf(format, args...), fettle.ErrInvalid))
	}
	if !actionName.MatchString(a.Name) {
		bad("its name is not of the form plugin.action, of a-z 0-9 _")
	}
	if a.Timeout < 0 {
		bad("timeout_ms is below zero")
	}
	seen := map[string]bool{}
	for _, in := range a.Inputs {
		if !inputName.MatchString(in.Name) {
			bad("input %q: its name has more than a-z 0-9 _", in.Name)
		}
		if seen[in.Name] {
			bad("input %s is declared twice", in.Name)
		}
		seen[in.Name] = true
		if fault := in.check(); fault != "" {
			bad("input %s: %s", in.Name, fault)
		}
	}
	for _, fault := range a.checkOutputs() {
		bad("%s", fault)
	}
	return errors.Join(faults...)
}

// check gives what is wrong with a declaration; empty: nothing.
func (in Input) check() string {
	text, number := in.Type == String || in.Type == List, in.Type == Int || in.Type == Float
	switch {
	case !text && !number && in.Type != Bool:
		return fmt.Sprintf("type %q is none of string, int, float, bool, list", in.Type)
	case !text && (in.Pattern != "" || len(in.Enum) > 0 || in.MaxLength != 0):
		return "pattern, enum and max_length are for strings and lists"
	case !number && (in.Min != nil || in.Max != nil):
		return "min and max are for numbers"
	case in.MaxLength < 0:
		return "max_length is below zero"
	case in.Required && in.Default != nil:
		return "it is required and has a default"
	case in.Secret && in.From != "":
		return "what is secret does not come from the node's facts"
	}
	if fault := in.checkFrom(); fault != "" {
		return fault
	}
	if _, err := in.pattern(); err != nil {
		return err.Error()
	}
	if in.Default != nil {
		if _, fault := in.value(in.Default); fault != "" {
			return "its default " + fault
		}
	}
	return ""
}

// pattern gives the compiled Pattern, for the whole of a value; nil: there is none.
func (in Input) pattern() (*regexp.Regexp, error) {
	if in.Pattern == "" {
		return nil, nil
	}
	re, err := regexp.Compile(`^(?:` + in.Pattern + `)$`)
	if err != nil {
		return nil, fmt.Errorf("pattern: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return re, nil
}
