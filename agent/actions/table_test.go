package actions

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/plugins"
)

func TestTable(t *testing.T) {
	table, err := New(Config{Version: "1.2.3", Facts: func(context.Context) (map[string]any, error) { return map[string]any{"hash": "abc"}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plugins.Builtin(), table.Manifests(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("actions (-what the server knows +what the table offers):\n%s", diff)
	}
	out := table.Do(t.Context(), Call{Action: "agent.ping"})
	if out.Status != fettle.StatusOK || out.Data["version"] != "1.2.3" || out.Data["os"] != runtime.GOOS || out.Output != nil {
		t.Errorf("ping: %+v", out)
	}
	if out := table.Do(t.Context(), Call{Action: "agent.facts"}); out.Status != fettle.StatusOK || out.Data["hash"] != "abc" {
		t.Errorf("facts: %+v", out)
	}
	for _, tt := range []struct {
		action string
		inputs map[string]any
		status fettle.Status
	}{
		{"agent.nosuch", nil, fettle.StatusUnknownAction},
		{"nrpe.check", nil, fettle.StatusMissingInput},
		{"nrpe.check", map[string]any{"command": 1}, fettle.StatusInvalidInput},
		{"agent.ping", map[string]any{"x": 1}, fettle.StatusInvalidInput},
	} {
		if out := table.Do(t.Context(), Call{Action: tt.action, Inputs: tt.inputs}); out.Status != tt.status || out.Message == "" {
			t.Errorf("%s %v: %+v", tt.action, tt.inputs, out)
		}
	}
}

func TestTableTakesMore(t *testing.T) {
	more := Action{Manifest: plugins.Action{Name: "test.echo"}, Do: func(context.Context, Call) Outcome { return Outcome{Message: "echo"} }}
	table, err := New(Config{}, more)
	if err != nil {
		t.Fatal(err)
	}
	if out := table.Do(t.Context(), Call{Action: "test.echo"}); out.Message != "echo" {
		t.Errorf("got %+v", out)
	}
	if _, err := New(Config{}, more, more); !errors.Is(err, fettle.ErrConflict) {
		t.Errorf("twice the same: %v", err)
	}
	if _, err := New(Config{}, Action{Manifest: plugins.Action{Name: "bad"}}); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("a bad manifest: %v", err)
	}
}

func TestFactsFaults(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	table, err := New(Config{Facts: func(ctx context.Context) (map[string]any, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if out := table.Do(ctx, Call{Action: "agent.facts"}); out.Status != fettle.StatusCancelled {
		t.Errorf("cancelled: %+v", out)
	}
	table, _ = New(Config{})
	if out := table.Do(t.Context(), Call{Action: "agent.facts"}); out.Status != fettle.StatusOther {
		t.Errorf("without facts: %+v", out)
	}
}

// TestBuiltinsOfThisMachine asks the real machine: each has an answer that the guidelines allow.
func TestBuiltinsOfThisMachine(t *testing.T) {
	table, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(table.Commands(), builtinNames()) || len(builtins()) != len(builtinNames()) {
		t.Errorf("commands %v", table.Commands())
	}
	for _, name := range builtinNames() {
		t.Run(name, func(t *testing.T) {
			out := table.Do(t.Context(), Call{Action: "nrpe.check", Inputs: map[string]any{"command": name}})
			if out.Status != fettle.StatusOK || out.Output == nil || len(out.Output.Perfdata) == 0 || !strings.Contains(out.Output.Line, " "+statusWord(out.Output.Code)+" - ") {
				t.Fatalf("got %+v %+v", out, out.Output)
			}
			text := out.Output.Line + "|" + nagios.FormatPerfdata(out.Output.Perfdata)
			again, bad := nagios.Parse([]byte(text), int(out.Output.Code))
			if diff := cmp.Diff(*out.Output, again); diff != "" || bad != nil {
				t.Errorf("printed and read again (-first +again):\n%s\n%q", diff, bad)
			}
			t.Log(text)
		})
	}
	for _, tt := range []struct {
		command string
		inputs  map[string]any
		code    fettle.CheckCode
	}{
		{"check_load", map[string]any{"warning": "~:-1", "critical": "1e9"}, fettle.CodeWarning},
		{"check_mem", map[string]any{"critical": "0"}, fettle.CodeCritical},
		{"check_disk", map[string]any{"args": []string{"-w", "100%", "-p", rootDir()}}, fettle.CodeWarning},
		{"check_procs", map[string]any{"warning": "100000:", "critical": "@0"}, fettle.CodeWarning},
		{"check_procs", map[string]any{"args": []string{"-C", "no such process"}}, fettle.CodeCritical},
		{"check_uptime", map[string]any{"args": []string{"--critical=~:0"}}, fettle.CodeCritical},
	} {
		tt.inputs["command"] = tt.command
		if out := table.Do(t.Context(), Call{Action: "nrpe.check", Inputs: tt.inputs}); out.Status != fettle.StatusOK || out.Output.Code != tt.code {
			t.Errorf("%v: got %+v %+v", tt.inputs, out, out.Output)
		}
	}
	for _, args := range [][]string{{"-x"}, {"-w"}, {"-w", "20:10"}, {"stray"}, {"-w", "1,2"}, {"-h"}} {
		out := table.Do(t.Context(), Call{Action: "nrpe.check", Inputs: map[string]any{"command": "check_load", "args": args}})
		if out.Status != fettle.StatusInvalidInput || out.Output.Code != fettle.CodeUnknown {
			t.Errorf("%q: got %+v", args, out)
		}
	}
}
