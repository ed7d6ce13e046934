package actions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/plugins"
)

// Config says what the built-in actions work with.
type Config struct {
	Node       fettle.NodeID
	Version    string       // of the agent
	NRPEConfig string       // an NRPE configuration, with an absolute path; empty, or a file that is not there: built-in checks only
	PluginDirs []string     // folders of whose plugins check.run may run any; empty: none
	Log        *slog.Logger // nil: nothing is logged

	// Facts collects the node's facts again, publishes them, and gives what agent.facts answers. It is called from many goroutines.
	Facts func(ctx context.Context) (map[string]any, error)

	// Known gives what the agent knows of its node now; the policy and templates are about it. It is called from many goroutines. nil: nothing.
	Known func() Known

	// Policy has the last word on what is done here. nil: everything is allowed.
	Policy *Policy

	// Program is where the agent's own program is, with an absolute path; State is the agent's folder. Empty: agent.upgrade is refused.
	Program, State string

	// Restart has the agent begin again as soon as the results that it has are kept. nil: this agent cannot.
	Restart func()

	FactsDir   string   // where facts.set keeps its file; empty: it cannot
	PuppetDirs []string // where Puppet keeps its state, the first that is there

	Shelf      string // folder for plugins that are fetched; empty: none are
	ShelfBytes int64  // what they may take there; zero: DefaultShelfBytes
	Fetch      Fetch  // fetches them; it has to be there where Shelf is

	Children string // folder in which it is noted what programs of actions run; empty: it is not

	Root string // of the file system in which services and packages are looked for, for tests; empty: /
}

type (
	// Call is one action asked of the node.
	Call = agent.Call
	// Outcome is what an action gave. It becomes a result.
	Outcome = agent.Outcome
	// Known is what the agent knows of its node.
	Known = agent.Known
)

// Action is an action that the node can do. Do is given validated inputs and a context with a deadline, and may be called concurrently.
type Action struct {
	Manifest plugins.Action
	Do       func(ctx context.Context, call Call) Outcome
}

// manifest gives the manifest of a built-in action: the server validates by the same one.
func manifest(name string) plugins.Action {
	m, err := plugins.Lookup(name)
	if err != nil {
		return plugins.Action{} // New refuses it
	}
	return m
}

// Table holds actions by name. Its methods are safe for concurrent use.
type Table struct {
	actions map[string]Action
	nrpe    *nrpeFile
	shelf   *shelf   // nil: none
	remains *remains // nil: it is not noted what runs
	node    fettle.NodeID
	policy  *Policy
	known   func() Known
	puppet  []string // where Puppet keeps its state
}

// New gives the table of built-in actions, and of more. The error tells every fault of a manifest, and names that are taken twice.
func New(cfg Config, more ...Action) (*Table, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Known == nil {
		cfg.Known = func() Known { return Known{} }
	}
	t := &Table{
		actions: map[string]Action{}, nrpe: &nrpeFile{path: cfg.NRPEConfig, log: cfg.Log},
		node: cfg.Node, policy: cfg.Policy, known: cfg.Known, puppet: cfg.PuppetDirs,
	}
	if cfg.Shelf != "" {
		var err error
		if t.shelf, err = openShelf(cfg.Shelf, cfg.ShelfBytes, cfg.Fetch, cfg.Log); err != nil {
			return nil, err
		}
	}
	var err error
	if t.remains, err = openRemains(cfg.Children, cfg.Log); err != nil {
		return nil, err
	}
	var faults []error
	all := slices.Concat([]Action{nrpeCheck(t.nrpe), checkCommand(t.nrpe), checkRun(cfg.PluginDirs)}, agentActions(t, cfg), shellActions(), processActions(), serviceActions(cfg), fileActions(cfg),
		packageActions(cfg), nettestActions(), httpActions(), gitActions(), puppetActions(cfg), factsActions(cfg), userActions(), more)
	for _, a := range all {
		faults = append(faults, a.Manifest.Check())
		if _, taken := t.actions[a.Manifest.Name]; taken {
			faults = append(faults, fmt.Errorf("action %s is there twice: %w", a.Manifest.Name, fettle.ErrConflict))
		}
		t.actions[a.Manifest.Name] = a
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return t, nil
}

// Manifests gives what the table offers, by name.
func (t *Table) Manifests() []plugins.Action {
	var out []plugins.Action
	for _, a := range t.actions {
		out = append(out, a.Manifest)
	}
	slices.SortFunc(out, func(a, b plugins.Action) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// Manifest gives the manifest of an action, or ErrNotFound: that of a plugin when it is open.
func (t *Table) Manifest(action string, of *fettle.PluginRef) (plugins.Action, error) {
	if of != nil && !t.builtin(action) {
		if p := t.shelf.peek(of.Digest); p != nil {
			return p.Action(action)
		}
		return plugins.Action{}, fmt.Errorf("plugin %s: %w", of.Name, fettle.ErrNotFound)
	}
	a, found := t.actions[action]
	if !found {
		return plugins.Action{}, fmt.Errorf("action %q: %w", action, fettle.ErrNotFound)
	}
	return a.Manifest, nil
}

// Commands gives the names of the check commands that the node offers, sorted: those of its NRPE configuration as it is now, and the built-in
// ones.
func (t *Table) Commands() []string {
	n, _ := t.nrpe.get()
	names := builtinNames()
	for name := range n.Commands {
		if len(name) <= maxCommandName && strings.ToValidUTF8(name, "") == name {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Going tells whether Puppet runs, by its own daemon or by hand.
func (t *Table) Going() []string {
	for _, dir := range t.puppet {
		if (puppet{dir: dir}).state()["running"] == true {
			return []string{"puppet.runonce"}
		}
	}
	return nil
}

// EndRemains ends what programs of an agent before this one still run, within seconds, and tells of it by task: of each whose program it was. It is called
// once, by the one that has the agent's folder for itself.
func (t *Table) EndRemains(ctx context.Context) map[fettle.TaskID]string { return t.remains.end(ctx) }

// Plugins gives the versions of the plugins that were fetched, by name.
func (t *Table) Plugins() map[string]string { return t.shelf.versions() }

// Prepare has the plugin of a task here, and opens it. An outcome says why the task cannot begin.
func (t *Table) Prepare(ctx context.Context, task fettle.Task) *Outcome {
	if task.Plugin == nil || t.builtin(task.Action) {
		return nil
	}
	_, release, err := t.shelf.take(ctx, *task.Plugin)
	if err != nil {
		out := refusedOr(err, fettle.StatusOther)
		if out.Status == fettle.StatusFailed || out.Status == fettle.StatusInvalidInput {
			out.Status = fettle.StatusOther // it is not the action that said no
		}
		return &out
	}
	release()
	return nil
}

// builtin tells whether an action came with the agent: then a plugin is what it works with, not whose it is.
func (t *Table) builtin(action string) bool {
	_, is := t.actions[action]
	return is
}

// plugin does what call asks of a plugin.
func (t *Table) plugin(ctx context.Context, call Call) Outcome {
	p, release, err := t.shelf.take(ctx, *call.Plugin)
	if err != nil {
		return refusedOr(err, fettle.StatusOther)
	}
	defer release()
	return p.Do(ctx, call, Place{Node: t.node, Known: t.known(), Policy: func(ctx context.Context, call Call) error {
		return t.policy.allows(ctx, call, t.node, t.known)
	}})
}

// Do does what call asks: it validates the inputs again, holds the action to its time, and always gives an outcome. When ctx is cancelled the
// outcome says so.
func (t *Table) Do(ctx context.Context, call Call) Outcome {
	ctx = withKin(ctx, t.remains, call)
	a, found := t.actions[call.Action]
	if !found && call.Plugin != nil {
		return t.plugin(ctx, call)
	}
	if !found {
		return Outcome{Status: fettle.StatusUnknownAction, Message: fmt.Sprintf("this node has no action %q", call.Action)}
	}
	inputs, err := plugins.Validate(a.Manifest, call.Inputs)
	if err != nil {
		return Outcome{Status: plugins.StatusOf(err), Message: err.Error()}
	}
	call.Inputs = inputs
	if call.Timeout <= 0 {
		call.Timeout = a.Manifest.Limit()
	}
	ctx, cancel := context.WithTimeout(ctx, call.Timeout)
	defer cancel()
	if err := t.policy.allows(ctx, call, t.node, t.known); err != nil {
		return Outcome{Status: fettle.StatusRefused, Message: err.Error()}
	}
	return a.Do(ctx, call)
}

// ended gives the outcome of an action that ctx has ended.
func ended(ctx context.Context, what string, limit time.Duration) Outcome {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Outcome{Status: fettle.StatusTimeout, Message: fmt.Sprintf("%s timed out after %s", what, limit)}
	}
	return Outcome{Status: fettle.StatusCancelled, Message: what + " was cancelled"}
}
