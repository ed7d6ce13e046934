package plugins

import (
	"fmt"
	"maps"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// factsPrefix is what an Input.From that names a fact begins with; the other one is identity.
const (
	factsPrefix  = "facts."
	fromIdentity = "identity"
)

// checkFrom gives what is wrong with From; empty: nothing.
func (in Input) checkFrom() string {
	path, isFact := strings.CutPrefix(in.From, factsPrefix)
	switch {
	case in.From == "" || in.From == fromIdentity:
		return ""
	case !isFact:
		return fmt.Sprintf("from has to be identity or facts.PATH, not %q", in.From)
	}
	if _, err := fettle.ParsePath(path); err != nil {
		return "from: " + strings.TrimSuffix(err.Error(), ": "+fettle.ErrInvalid.Error())
	}
	return ""
}

// FromContext gives inputs, with those that were not given and have a From taken from what the node knows: fact gives the value of a fact, and
// whether there is one. The error is an *InputError that names those that are required and not there; what else is wrong, Validate tells. Only a
// node can do this, so a server's Validate lets them be missing.
func FromContext(action Action, inputs map[string]any, node fettle.NodeID, fact func(fettle.Path) (any, bool)) (map[string]any, error) {
	var faults []Fault
	out := maps.Clone(inputs)
	if out == nil {
		out = map[string]any{}
	}
	for _, in := range action.Inputs {
		if in.From == "" || out[in.Name] != nil {
			continue
		}
		if in.From == fromIdentity {
			out[in.Name] = string(node)
			continue
		}
		path, err := fettle.ParsePath(strings.TrimPrefix(in.From, factsPrefix))
		if err != nil {
			faults = append(faults, Fault{in.Name, Invalid, "comes from " + in.From + ", which is no path"})
			continue
		}
		if v, found := fact(path); found && v != nil {
			out[in.Name] = v
		} else if in.Required {
			faults = append(faults, Fault{in.Name, Missing, "is missing, and this node has no " + in.From})
		}
	}
	return out, inputError(action, faults)
}
