package plugins

import (
	"fmt"
	"slices"
)

// Display says which results of an action are shown in full.
type Display string

// The values of Display.
const (
	Always Display = "always"
	Failed Display = "failed" // of the others it is enough to know how many there are
	OK     Display = "ok"
)

// Function is a way to tell of one output of many nodes.
type Function string

// The values of Function. All but Count and Histogram are of numbers.
const (
	Count     Function = "count"     // how many nodes have the output at all
	Average   Function = "average"   //
	Sum       Function = "sum"       //
	Min       Function = "min"       //
	Max       Function = "max"       //
	Histogram Function = "histogram" // how many nodes have each value; of numbers, of each span of values
)

// Summary is something that is told of all nodes together.
type Summary struct {
	Output   string   `json:"output"`
	Function Function `json:"function"`
}

// Output gives the declared output of a name.
func (a Action) Output(name string) (Output, bool) {
	i := slices.IndexFunc(a.Outputs, func(o Output) bool { return o.Name == name })
	if i < 0 {
		return Output{}, false
	}
	return a.Outputs[i], true
}

// checkOutputs tells what is wrong with the declaration of outputs, summaries and display.
func (a Action) checkOutputs() (faults []string) {
	bad := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	seen := map[string]bool{}
	for _, o := range a.Outputs {
		if !inputName.MatchString(o.Name) {
			bad("output %q: its name has more than a-z 0-9 _", o.Name)
		}
		if seen[o.Name] {
			bad("output %s is declared twice", o.Name)
		}
		seen[o.Name] = true
		if !slices.Contains([]Type{String, Int, Float, Bool, List, Any}, o.Type) {
			bad("output %s: type %q is none of string, int, float, bool, list, any", o.Name, o.Type)
		}
	}
	for _, s := range a.Summaries {
		o, declared := a.Output(s.Output)
		switch {
		case !declared:
			bad("summary of %q: there is no such output", s.Output)
		case s.Function == Count || s.Function == Histogram:
		case !slices.Contains([]Function{Average, Sum, Min, Max}, s.Function):
			bad("summary of %s: %q is none of count, average, sum, min, max, histogram", s.Output, s.Function)
		case o.Type != Int && o.Type != Float:
			bad("summary of %s: there is no %s of a %s", s.Output, s.Function, o.Type)
		}
	}
	if !slices.Contains([]Display{"", Always, Failed, OK}, a.Display) {
		bad("display %q is none of always, failed, ok", a.Display)
	}
	return faults
}
