package emulate

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/plugins"
)

// table is what one emulated node can do: the built-in actions, made up.
type table struct {
	machine  *machine
	kind     kind
	slow     time.Duration
	commands []string
	states   States
	version  string
	record   io.Writer
	counted  atomic.Int64 // how often "count" was executed for the check of that name
	told     atomic.Int64 // how often another check was, where that is put on record
	refresh  func(ctx context.Context) (map[string]any, error)
}

// commandNames gives the check commands of every node.
func commandNames(offered bool, record io.Writer) (names []string) {
	if offered {
		names = []string{"check_disk", "check_load", "check_mem", "check_procs", "check_uptime"}
	}
	if record != nil {
		names = append(names, countCommand)
	}
	return names
}

// Manifests implements agent.Actions.
func (t *table) Manifests() []plugins.Action { return plugins.Builtin() }

// Manifest implements agent.Actions.
func (t *table) Manifest(action string, of *fettle.PluginRef) (plugins.Action, error) {
	if of != nil {
		return plugins.Action{}, fmt.Errorf("plugin %s: %w", of.Name, fettle.ErrNotFound)
	}
	return plugins.Lookup(action)
}

// Prepare implements agent.Actions. An emulated node pretends to have every plugin: thousands of them on one machine would fetch the same archive.
func (t *table) Prepare(context.Context, fettle.Task) *agent.Outcome { return nil }

// Plugins implements agent.Actions.
func (t *table) Plugins() map[string]string { return nil }

// Commands implements agent.Actions.
func (t *table) Commands() []string { return t.commands }

// Going implements agent.Actions.
func (t *table) Going() []string { return nil }

// Do implements agent.Actions.
func (t *table) Do(ctx context.Context, call agent.Call) agent.Outcome {
	var manifest plugins.Action // of a plugin's action, everything is made up
	inputs := call.Inputs
	if call.Plugin == nil {
		var err error
		if manifest, err = plugins.Lookup(call.Action); err != nil {
			return agent.Outcome{Status: fettle.StatusUnknownAction, Message: err.Error()}
		}
		if inputs, err = plugins.Validate(manifest, call.Inputs); err != nil {
			return agent.Outcome{Status: plugins.StatusOf(err), Message: err.Error()}
		}
	}
	if t.kind == silent {
		<-ctx.Done() // by a cancel, or by the end of the fleet: no timeout is kept
		return agent.Outcome{Status: fettle.StatusTimeout, Message: "it was silent"}
	}
	limit := call.Timeout
	if limit <= 0 {
		limit = manifest.Limit()
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if t.kind == slow {
		select {
		case <-time.After(t.slow):
		case <-ctx.Done():
			return agent.Outcome{Status: fettle.StatusTimeout, Message: fmt.Sprintf("timed out after %v", limit)}
		}
	}
	return t.act(ctx, call.Action, call.Check, inputs)
}

func (t *table) act(ctx context.Context, action, check string, inputs map[string]any) agent.Outcome {
	switch {
	case action == "nrpe.check" || action == "check.run" || action == "check.command":
		name, _ := inputs["command"].(string)
		if name == "" {
			name, _ = inputs["plugin"].(string)
		}
		if name == countCommand && t.record != nil {
			return t.count(inputs["args"])
		}
		return t.check(name, check)
	case t.kind == failing:
		return agent.Outcome{Status: fettle.StatusFailed, Message: "this node fails, as it was told to"}
	case action == "agent.facts":
		data, err := t.refresh(ctx)
		if err != nil {
			return agent.Outcome{Status: fettle.StatusFailed, Message: err.Error()}
		}
		return agent.Outcome{Message: "OK", Data: data}
	}
	if manifest, err := plugins.Lookup(action); err == nil && action != "agent.ping" {
		message, data := t.machine.invent(manifest, inputs)
		return agent.Outcome{Message: message, Data: data}
	}
	return agent.Outcome{Message: "OK", Data: map[string]any{"version": t.version, "time": time.Now().UnixMilli()}}
}

// countCommand is a check command for tests that count what was executed, and what of it arrived.
const countCommand = "count"

// count puts on record that it was executed, before it says so in its result. With arguments, those are its number: a run asks for it. Without,
// a check does: its number is the moment at which the fleet was started and a count, and its state changes every other time.
func (t *table) count(args any) agent.Outcome {
	var number string
	kind, code := "run", fettle.CodeOK
	if args != nil {
		number = strings.Trim(fmt.Sprint(args), "[]")
	} else {
		n := t.counted.Add(1) - 1
		kind, code = "check", []fettle.CheckCode{fettle.CodeOK, fettle.CodeCritical, fettle.CodeWarning}[n/2%3]
		number = t.number(n)
	}
	if _, err := fmt.Fprintf(t.record, "%s %s %s %d\n", kind, t.machine.identity, number, code); err != nil {
		return agent.Outcome{Status: fettle.StatusFailed, Message: "it cannot be put on record: " + err.Error()}
	}
	line := countCommand + " " + number
	return agent.Outcome{Message: line, Data: map[string]any{"code": int64(code), "output": line}, Output: &fettle.CheckOutput{Code: code, Line: line}}
}

// number names what was executed: by the moment at which the fleet was started, and a count.
func (t *table) number(n int64) string {
	return strconv.FormatInt(t.machine.begun.UnixNano(), 36) + "-" + strconv.FormatInt(n, 10)
}
