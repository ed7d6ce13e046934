package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/plugins"
)

// fleet is the whole of Fettle in this process: a server with its broker, REST and database, and agents that connect to it. What is true of
// the machines and what they do is made up; all else is real.
type fleet struct {
	m       *middle
	context string
}

// machine is one node of a fleet.
type machine struct {
	facts    map[string]any
	classes  []string
	commands map[string]agent.Outcome // check commands
	mute     bool                     // it gets tasks, and never answers
	pinged   *atomic.Int64            // counts agent.ping; nil: nobody counts
}

// Collect implements agent.Source.
func (m *machine) Collect(context.Context) (facts.Snapshot, error) {
	return facts.Snapshot{Facts: m.facts, Classes: m.classes}, nil
}

// Volatile implements agent.Source.
func (m *machine) Volatile() (none facts.Volatile) { return none }

// Changed implements agent.Source.
func (m *machine) Changed() <-chan struct{} { return nil }

// Manifest implements agent.Actions.
func (m *machine) Manifest(action string, _ *fettle.PluginRef) (plugins.Action, error) {
	return plugins.Lookup(action)
}

// Prepare implements agent.Actions.
func (m *machine) Prepare(context.Context, fettle.Task) *agent.Outcome { return nil }

// Plugins implements agent.Actions.
func (m *machine) Plugins() map[string]string { return nil }

// Manifests implements agent.Actions.
func (m *machine) Manifests() []plugins.Action { return plugins.Builtin() }

// Commands implements agent.Actions.
// Going tells of nothing.
func (m *machine) Going() []string { return nil }

func (m *machine) Commands() (names []string) {
	for name := range m.commands {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Do implements agent.Actions.
func (m *machine) Do(ctx context.Context, call agent.Call) agent.Outcome {
	if m.mute {
		<-ctx.Done()
		return agent.Outcome{Status: fettle.StatusTimeout}
	}
	switch call.Action {
	case "agent.ping":
		if m.pinged != nil {
			m.pinged.Add(1)
		}
		return agent.Outcome{Message: "OK", Data: map[string]any{"version": "1.2.3"}}
	case "shell.run":
		call.Stream("stdout", []byte("half way\nnear"))
		call.Stream("stderr", []byte("careful\n"))
		select { // until some of it has been sent, which takes a second
		case <-time.After(1300 * time.Millisecond):
		case <-ctx.Done():
		}
		call.Stream("stdout", []byte("ly there\n"))
		return agent.Outcome{Message: "2 lines", Data: map[string]any{"exitcode": int64(0), "stdout": "half way\nnearly there\n", "stderr": "careful\n"}}
	case "nrpe.check":
		name, _ := call.Inputs["command"].(string)
		if out, known := m.commands[name]; known {
			return out
		}
		return agent.Outcome{Status: fettle.StatusFailed, Message: fmt.Sprintf("NRPE: Command '%s' not defined", name)}
	}
	return agent.Outcome{Status: fettle.StatusUnknownAction, Message: "no such action"}
}

// checked is what a check command gives.
func checked(code fettle.CheckCode, line string) agent.Outcome {
	return agent.Outcome{Message: line, Data: map[string]any{"code": int64(code), "output": line}, Output: &fettle.CheckOutput{Code: code, Line: line}}
}

// acme are three web servers, a database and a machine that never answers.
func acme() map[fettle.NodeID]*machine {
	fine, bad := checked(fettle.CodeOK, "LOAD OK - 0.3"), checked(fettle.CodeCritical, "LOAD CRITICAL - 31.5")
	web := func(env, major string, load agent.Outcome) *machine {
		return &machine{
			facts: map[string]any{
				"role": "web", "environment": env, "kernel": "Linux",
				"os": map[string]any{"family": "Debian", "name": "Debian", "release": map[string]any{"full": major + ".1", "major": major}},
			},
			classes: []string{"apache::server"}, commands: map[string]agent.Outcome{"check_load": load, "check_disk": checked(fettle.CodeOK, "DISK OK")},
		}
	}
	return map[fettle.NodeID]*machine{
		"web01.acme.net": web("production", "12", fine), "web02.acme.net": web("production", "12", fine), "web03.acme.net": web("staging", "11", bad),
		"db1.acme.net": {
			facts: map[string]any{
				"role": "db", "kernel": "Linux", "note": "a\x1b[31mred\nbell\a", "os": map[string]any{"family": "RedHat", "name": "Rocky", "release": map[string]any{"full": "9.4", "major": "9"}},
			},
			classes: []string{"mysql::master"}, commands: map[string]agent.Outcome{"check_mysql": checked(fettle.CodeWarning, "MYSQL WARNING - lag 40 s | 4 slow")},
		},
		"mute1.acme.net": {facts: map[string]any{"role": "mute", "kernel": "Linux"}, commands: map[string]agent.Outcome{"check_mute": {}}, mute: true},
	}
}

// newFleet starts a server and its nodes, and returns when the server knows all about them. They end with the test.
func newFleet(t *testing.T, machines map[fettle.NodeID]*machine, change ...func(*serverSettings)) *fleet {
	t.Helper()
	cfg := defaultServerSettings()
	cfg.State, cfg.HTTP, cfg.STOMP = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
	for _, c := range change {
		c(&cfg)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(t.Context())
	m, err := openMiddle(ctx, cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.run(ctx) })
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(g.Wait(), m.close()); err != nil {
			t.Error(err)
		}
	})
	for id, machine := range machines {
		ac := agent.DefaultConfig()
		ac.Identity, ac.State, ac.Version = id, filepath.Join(t.TempDir(), string(id)), "1.2.3"
		ac.Servers, ac.StopTimeout = []string{m.stompURL()}, 0
		if err := m.secret.enrolWith(&ac); err != nil {
			t.Fatal(err)
		}
		a, err := agent.New(ac, machine, machine, log)
		if err != nil {
			t.Fatal(err)
		}
		g.Go(func() error { return a.Run(ctx) })
	}
	f := &fleet{m: m, context: filepath.Join(cfg.State, contextFile)}
	eventually(t, func() bool {
		for id := range machines {
			if n, known := m.server.Inventory.Get(id); !known || n.Hash == "" || n.Liveness != fettle.Alive {
				return false
			}
		}
		return true
	})
	return f
}

// ask runs the program against the fleet's server.
func (f *fleet) ask(t *testing.T, args ...string) said {
	t.Helper()
	return call(t, append([]string{"fettle", "--context", f.context}, args...)...)
}

// eventually waits until ok holds.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("what was waited for did not come")
		}
	}
}
