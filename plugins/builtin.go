package plugins

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	fettle "github.com/fettle-dev/fettle"
)

// Builtin gives the manifests of the actions that every agent has, by name. The server validates by them before it sends, the agent again. What
// it gives is not to be changed.
func Builtin() []Action { return slices.Clone(builtin()) }

// builtin is made once: it is asked for with every task. It never changes.
var builtin = sync.OnceValue(func() []Action {
	all := slices.Concat(agentActions(), checkActions(), shellActions(), processActions(), serviceActions(), fileActions(),
		packageActions(), nettestActions(), httpActions(), gitActions(), puppetActions(), factsActions(), userActions())
	slices.SortFunc(all, func(a, b Action) int { return strings.Compare(a.Name, b.Name) })
	return all
})

func checkActions() []Action {
	outputs := []Output{ // under the names that MCollective's users know
		{Name: "exitcode", Description: "What the command exited with; -1: it was ended by a signal.", Type: Int},
		{Name: "output", Description: "First line of its output.", Type: String},
		{Name: "perfdata", Description: "Its perfdata, as far as it could be read.", Type: String},
		{Name: "perfdata_bad", Description: "Perfdata that broke the guidelines, and why.", Type: List},
		{Name: "stderr", Description: "What it said on standard error.", Type: String},
	}
	return []Action{
		{
			Name: "check.run", Description: "Run a plugin of Nagios from a folder that the node allows, without a shell.", Timeout: 60_000,
			Inputs: []Input{
				{Name: "plugin", Description: "File name of the plugin, or its path.", Type: String, Required: true, MaxLength: 1024},
				{Name: "args", Description: "Arguments, as they are.", Type: List, MaxLength: 8192},
			},
			Outputs: outputs,
		},
		{
			Name: "check.command", Description: "Run a command line by the shell as NRPE runs its commands, and read what it prints as a plugin's.", Timeout: 60_000,
			Inputs:  []Input{{Name: "command", Description: "Command line of a Nagios plugin.", Type: String, Required: true, MaxLength: 8 << 10}},
			Outputs: outputs,
		},
		{
			Name: "nrpe.check", Description: "Run a check command of the node's NRPE configuration as NRPE does, or a built-in one.", Timeout: 60_000,
			Inputs: []Input{
				{Name: "command", Description: "Name of the command.", Type: String, Required: true, MaxLength: 1024},
				{Name: "args", Description: "Arguments: $ARG1$ and so on where the node allows them, or options of a built-in check.", Type: List, MaxLength: 2048},
				{Name: "warning", Description: "Warning threshold of a built-in check.", Type: String, MaxLength: 200},
				{Name: "critical", Description: "Critical threshold of a built-in check.", Type: String, MaxLength: 200},
			},
			Outputs: outputs,
		},
	}
}

// Lookup gives the manifest of a built-in action. ErrNotFound, naming those that there are, if it has none.
func Lookup(name string) (Action, error) {
	all := builtin()
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

// number gives a pointer to a bound of a number.
func number(n float64) *float64 { return &n }
