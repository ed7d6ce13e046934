package agent

import (
	"context"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/plugins"
)

// Source says what is true of the node; facts.Collector is one. It is safe for concurrent use.
type Source interface {
	// Collect may take seconds. With an error there may be facts all the same.
	Collect(ctx context.Context) (facts.Snapshot, error)
	// Volatile tells which facts change all the time.
	Volatile() facts.Volatile
	// Changed receives when another Collect would give something else. It may be nil.
	Changed() <-chan struct{}
}

// Actions is what the node can do. It is safe for concurrent use.
type Actions interface {
	// Manifest gives an action's manifest, or ErrNotFound: of an action that came with the agent where of is nil, else of that plugin, if it is here.
	Manifest(action string, of *fettle.PluginRef) (plugins.Action, error)
	// Manifests gives those of all actions that came with the agent.
	Manifests() []plugins.Action
	// Commands gives the names of the check commands that the node offers now, sorted.
	Commands() []string
	// Going gives the names of actions that something else on the node does now, as far as that is known, sorted: puppet.runonce while Puppet's own
	// daemon has it run. It is asked with every beat.
	Going() []string
	// Prepare brings here what a task needs before it may begin: a plugin that did not come with the agent. It may take long and ends with ctx. An outcome
	// is that of a task that cannot begin; nil: it can.
	Prepare(ctx context.Context, task fettle.Task) *Outcome
	// Plugins gives the versions of the plugins that are here and did not come with the agent, by name.
	Plugins() map[string]string
	// Do validates the inputs, keeps to the timeout and always gives an outcome, soon after ctx has ended too.
	Do(ctx context.Context, call Call) Outcome
}

// Call is one action that is asked of the node.
type Call struct {
	Action  string
	Inputs  map[string]any
	Timeout time.Duration // zero: the manifest's

	Task   fettle.TaskID     // empty: it was not the server that asked
	Caller string            // who asked the server; empty: the server itself, for a check
	Check  string            // the check that it is done for; empty: for none
	Plugin *fettle.PluginRef // whose action it is; nil: one that came with the agent

	// Stream is given what the action prints while it runs: stdout or stderr, and some bytes that it does not keep. What it takes may be lost on
	// its way, so the outcome says it too. It does not block and is safe for concurrent use. nil: nobody wants it.
	Stream func(stream string, chunk []byte)
}

// Known is what an agent knows of its node.
type Known struct {
	Facts   []byte // the facts document, in JSON; nil: none yet
	Classes []string
	Agent   fettle.AgentInfo
}

// Outcome is what an action gave.
type Outcome struct {
	Status  fettle.Status
	Message string
	Data    map[string]any
	Output  *fettle.CheckOutput // of a check command; nil for any other action

	Later bool // the process that follows this one gives the result, by Config.Recovered
}
