package plugins

import (
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Builtin gives the manifests of the actions that every agent has, by name. The server validates by them before it sends, the agent again.
func Builtin() []Action {
	args := Input{Name: "args", Type: List, Description: "arguments, each as it is"}
	outputs := []Output{
		{Name: "code", Type: Int, Description: "exit code, as Nagios reads it"},
		{Name: "output", Type: String, Description: "first line of what it printed"},
	}
	return []Action{
		{
			Name: "agent.facts", Description: "collect the node's facts again and publish what changed", Idempotent: true, Slotless: true,
			Outputs: []Output{{Name: "leaves", Type: Int, Description: "facts that the node has"}},
		},
		{
			Name: "agent.ping", Description: "answer, and nothing else", Idempotent: true, Slotless: true,
			Outputs: []Output{{Name: "version", Type: String, Description: "of the agent"}, {Name: "time", Type: String, Description: "by the node's clock, RFC 3339"}},
		},
		{
			Name: "check.run", Description: "run a Nagios plugin of an allowed directory, without a shell",
			Inputs: []Input{
				{Name: "plugin", Type: String, Required: true, MaxLength: 4096, Description: "its path, or its name in one of the allowed directories"}, args,
			},
			Outputs: outputs,
		},
		{
			Name: "nrpe.check", Description: "run a command of the node's NRPE configuration, or a built-in check",
			Inputs: []Input{
				{Name: "command", Type: String, Required: true, MaxLength: 255, Description: "its name, such as check_load"}, args,
			},
			Outputs: outputs,
		},
	}
}

// Lookup gives the manifest of a built-in action. ErrNotFound, naming those that there are, if it has none.
func Lookup(name string) (Action, error) {
	all := Builtin()
	i := slices.IndexFunc(all, func(a Action) bool { return a.Name == name })
	if i >= 0 {
		return all[i], nil
	}
	names := make([]string, len(all))
	for k, a := range all {
		names[k] = a.Name
	}
	return Action{}, fmt.Errorf("action %q: there is no such; there are %v: %w", name, names, fettle.ErrNotFound)
}
