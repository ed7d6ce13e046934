package plugins

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
)

// FaultKind says what is wrong with an input.
type FaultKind string

// The values of FaultKind.
const (
	Missing    FaultKind = "missing"
	Invalid    FaultKind = "invalid"
	Undeclared FaultKind = "undeclared"
)

// Fault is one thing that is wrong with one input.
type Fault struct {
	Input string    `json:"input"`
	Kind  FaultKind `json:"kind"`
	Text  string    `json:"text"` // what is wrong, without the name; never the value of a secret
}

// InputError tells everything that is wrong with an action's inputs. It is ErrInvalid.
type InputError struct {
	Action string
	Faults []Fault // by input, sorted; never empty
}

// Error names every fault.
func (e *InputError) Error() string {
	texts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		texts[i] = "input " + f.Input + " " + f.Text
	}
	return e.Action + ": " + strings.Join(texts, "; ")
}

// Unwrap gives ErrInvalid.
func (e *InputError) Unwrap() error { return fettle.ErrInvalid }

// Status gives the status of a task that had these inputs: missing input when nothing worse is wrong.
func (e *InputError) Status() fettle.Status {
	for _, f := range e.Faults {
		if f.Kind != Missing {
			return fettle.StatusInvalidInput
		}
	}
	return fettle.StatusMissingInput
}

// StatusOf gives the status that an error of Validate stands for.
func StatusOf(err error) fettle.Status {
	var e *InputError
	switch {
	case err == nil:
		return fettle.StatusOK
	case errors.As(err, &e):
		return e.Status()
	case errors.Is(err, fettle.ErrInvalid):
		return fettle.StatusInvalidInput
	}
	return fettle.StatusOther
}

// Validate holds inputs to the action's manifest, and gives them as the action wants them: each of its type's Go type, with defaults for what
// is not given. Numbers may come as JSON decodes them; nil counts as not given. The error is an *InputError that names every fault at once.
func Validate(action Action, inputs map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(action.Inputs))
	var faults []Fault
	for _, in := range action.Inputs {
		given := inputs[in.Name]
		if given == nil {
			given = in.Default
		}
		if given == nil {
			if in.Required && in.From == "" {
				faults = append(faults, Fault{in.Name, Missing, "is missing"})
			}
			continue
		}
		v, fault := in.value(given)
		if fault != "" {
			faults = append(faults, Fault{in.Name, Invalid, fault})
			continue
		}
		out[in.Name] = v
	}
	for name := range inputs {
		if _, declared := action.input(name); !declared {
			faults = append(faults, undeclared(action, name))
		}
	}
	return out, inputError(action, faults)
}

func undeclared(action Action, name string) Fault {
	known := "it takes none"
	if len(action.Inputs) > 0 {
		names := make([]string, len(action.Inputs))
		for i, in := range action.Inputs {
			names[i] = in.Name
		}
		known = "it takes " + strings.Join(names, ", ")
	}
	return Fault{strings.ToValidUTF8(name[:min(len(name), 80)], ""), Undeclared, "is not one of the action's: " + known}
}

// inputError gives faults as an error, or nil when there are none.
func inputError(action Action, faults []Fault) error {
	if len(faults) == 0 {
		return nil
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return strings.Compare(a.Input, b.Input) })
	return &InputError{action.Name, faults}
}

// value gives v as the input's Go type, or what is wrong with it.
func (in Input) value(v any) (out any, fault string) {
	switch in.Type {
	case String:
		s, is := v.(string)
		if !is {
			return nil, fmt.Sprintf("has to be a string, not %s", kindOf(v))
		}
		return s, in.text(s)
	case Bool:
		b, is := v.(bool)
		if !is {
			return nil, fmt.Sprintf("has to be true or false, not %s", kindOf(v))
		}
		return b, ""
	case Int:
		n, is := toInt(v)
		if !is {
			return nil, fmt.Sprintf("has to be a whole number, not %s", kindOf(v))
		}
		return n, in.span(float64(n))
	case Float:
		f, is := toFloat(v)
		if !is {
			return nil, fmt.Sprintf("has to be a number, not %s", kindOf(v))
		}
		return f, in.span(f)
	case List:
		return in.list(v)
	}
	return nil, fmt.Sprintf("is of type %q, which nothing can be", in.Type)
}

func (in Input) list(v any) (any, string) {
	var list []string
	switch v := v.(type) {
	case []string:
		list = v
	case []any:
		for _, e := range v {
			s, is := e.(string)
			if !is {
				return nil, fmt.Sprintf("has to be a list of strings, and holds %s", kindOf(e))
			}
			list = append(list, s)
		}
	default:
		return nil, fmt.Sprintf("has to be a list of strings, not %s", kindOf(v))
	}
	if len(list) > MaxListLength {
		return nil, fmt.Sprintf("has %d elements, and %d are allowed", len(list), MaxListLength)
	}
	for i, s := range list {
		if fault := in.text(s); fault != "" {
			return nil, fmt.Sprintf("element %d %s", i+1, fault)
		}
	}
	return append([]string{}, list...), ""
}

// text holds a string to the manifest.
func (in Input) text(s string) (fault string) {
	limit := in.MaxLength
	if limit == 0 {
		limit = DefaultMaxLength
	}
	shown := fmt.Sprintf("%q", s[:min(len(s), 80)])
	if in.Secret {
		shown = "its value"
	}
	switch {
	case len(s) > limit:
		return fmt.Sprintf("has %d bytes, and %d are allowed", len(s), limit)
	case !utf8.ValidString(s) || strings.Contains(s, "\x00"):
		return "is not UTF-8, or has zero bytes"
	case len(in.Enum) > 0 && !slices.Contains(in.Enum, s):
		return fmt.Sprintf("has to be one of %s, not %s", strings.Join(in.Enum, ", "), shown)
	}
	re, err := in.pattern()
	if err != nil {
		return err.Error()
	}
	if re != nil && !re.MatchString(s) {
		return fmt.Sprintf("has to match %s, and %s does not", in.Pattern, shown)
	}
	return ""
}

// span holds a number to the manifest.
func (in Input) span(v float64) (fault string) {
	shown := strconv.FormatFloat(v, 'g', -1, 64)
	if in.Secret {
		shown = "its value"
	}
	if in.Min != nil && v < *in.Min {
		return fmt.Sprintf("has to be at least %v, not %s", *in.Min, shown)
	}
	if in.Max != nil && v > *in.Max {
		return fmt.Sprintf("has to be at most %v, not %s", *in.Max, shown)
	}
	return ""
}

// toInt takes the whole numbers that Go and JSON make.
func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case int:
		return int64(v), true
	case int64:
		return v, true
	case float64:
		return int64(v), v == math.Trunc(v) && math.Abs(v) <= 1<<53 // beyond it, JSON's own number is not the one that was written
	case json.Number:
		n, err := v.Int64()
		return n, err == nil
	}
	return 0, false
}

func toFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	}
	return 0, false
}

// kindOf names the type of v for a person, never its value.
func kindOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case bool:
		return "true or false"
	case int, int64, float64, json.Number:
		return "a number of another kind"
	case []any, []string:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "something else"
}

// Public gives a copy of inputs in which the values of secrets are masked, and of inputs that the action does not declare.
func Public(action Action, inputs map[string]any) map[string]any {
	out := maps.Clone(inputs)
	for name := range out {
		if in, declared := action.input(name); !declared || in.Secret {
			out[name] = "***"
		}
	}
	return out
}
