//go:build unix

package actions

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// do has the built-in table do an action.
func do(t *testing.T, action string, inputs map[string]any) Outcome {
	t.Helper()
	return doWith(t, Config{}, action, inputs)
}

func doWith(t *testing.T, cfg Config, action string, inputs map[string]any) Outcome {
	t.Helper()
	table, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return table.Do(t.Context(), Call{Action: action, Inputs: inputs})
}

// want holds an outcome to a status and to what its message begins with.
func want(t *testing.T, out Outcome, status fettle.Status, message string) {
	t.Helper()
	if out.Status != status || !strings.HasPrefix(out.Message, message) {
		t.Errorf("%v %q, want %v %q; data %v", out.Status, out.Message, status, message, out.Data)
	}
}

func TestShellRun(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name    string
		inputs  map[string]any
		status  fettle.Status
		message string
		data    map[string]any // some of it
	}{
		{"one line", map[string]any{"command": "echo hello"}, fettle.StatusOK, "hello", map[string]any{"stdout": "hello\n", "exitcode": int64(0)}},
		{"many", map[string]any{"command": "seq 3"}, fettle.StatusOK, "3 lines", map[string]any{"stdout": "1\n2\n3\n"}},
		{"nothing", map[string]any{"command": "true"}, fettle.StatusOK, "no output", nil},
		{"it says no", map[string]any{"command": "echo out; echo a >&2; echo why >&2; exit 3"}, fettle.StatusFailed, "exit 3: why", map[string]any{"exitcode": int64(3), "stderr": "a\nwhy\n", "stdout": "out\n"}},
		{"no, by the way", map[string]any{"command": "echo out; exit 3"}, fettle.StatusFailed, "exit 3: out", nil},
		{"an exit code that counts as success", map[string]any{"command": "exit 3", "ok": []any{"0", "3"}}, fettle.StatusOK, "exit 3, no output", nil},
		{"and one that does not", map[string]any{"command": "true", "ok": []any{"3"}}, fettle.StatusFailed, "exit 0", nil},
		{"by a signal", map[string]any{"command": "kill -9 $$"}, fettle.StatusFailed, "the command was ended by signal KILL", map[string]any{"exitcode": int64(-1), "signal": "KILL"}},
		{"in a folder", map[string]any{"command": "pwd", "cwd": dir}, fettle.StatusOK, dir, nil},
		{"in none", map[string]any{"command": "pwd", "cwd": "/no/such"}, fettle.StatusInvalidInput, "cwd /no/such is no folder of this node", nil},
		{"in the root folder", map[string]any{"command": "pwd"}, fettle.StatusOK, "/", nil},
		{"stdin", map[string]any{"command": "cat", "stdin": "given"}, fettle.StatusOK, "given", nil},
		{"no stdin", map[string]any{"command": "cat"}, fettle.StatusOK, "no output", nil},
		{"stdin that nobody reads", map[string]any{"command": "true", "stdin": strings.Repeat("x", 200<<10)}, fettle.StatusOK, "no output", nil},
		{"environment", map[string]any{"command": `echo "$A$B$PATH"`, "env": []any{"A=1 ", "PATH=/x"}, "secret_env": []any{"B=2="}}, fettle.StatusOK, "1 2=/x", nil},
		{"garbage", map[string]any{"command": `printf 'a\377\0b\001'`}, fettle.StatusOK, "a\uFFFD\uFFFDb\uFFFD", nil},
		{"no command", nil, fettle.StatusMissingInput, "shell.run: input command is missing", nil},
		{"a variable without a name", map[string]any{"command": "true", "env": []any{"=x"}}, fettle.StatusInvalidInput, "shell.run: input env element 1", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := do(t, "shell.run", tt.inputs)
			want(t, out, tt.status, tt.message)
			for key, value := range tt.data {
				if out.Data[key] != value {
					t.Errorf("%s is %q, want %q", key, out.Data[key], value)
				}
			}
		})
	}
}

func TestShellEnvironmentIsClean(t *testing.T) {
	t.Setenv("FETTLE_TOKEN", "nobody's business")
	out := do(t, "shell.run", map[string]any{"command": "env | sed 's/=.*//' | sort | tr '\\n' ' '"})
	for _, name := range strings.Fields(out.Message) {
		switch name {
		case "PATH", "LANG", "HOME", "USER", "LOGNAME", "PWD", "SHLVL", "_", "OLDPWD":
		default:
			t.Errorf("the environment has %s", name)
		}
	}
	if !strings.Contains(out.Message, "PATH") || !strings.Contains(out.Message, "HOME") {
		t.Errorf("the environment has %s", out.Message)
	}
}

func TestShellOutputKeepsBothEnds(t *testing.T) {
	out := do(t, "shell.run", map[string]any{"command": "echo first; seq 1 100000; echo last"})
	stdout, _ := out.Data["stdout"].(string)
	cut, _ := out.Data["cut"].(int64)
	if !strings.HasPrefix(stdout, "first\n1\n2\n") || !strings.HasSuffix(stdout, "\n99999\n100000\nlast\n") || len(stdout) > 66<<10 {
		t.Errorf("%d bytes: %.40q … %.40q", len(stdout), stdout, stdout[max(0, len(stdout)-40):])
	}
	if said := fmt.Sprintf("\n[%d bytes are left out here]\n", cut); cut < 500_000 || !strings.Contains(stdout, said) {
		t.Errorf("%d bytes are cut, and the output does not say so", cut)
	}
}

func TestShellTimesOutAndIsCancelled(t *testing.T) {
	table, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	out := table.Do(t.Context(), Call{Action: "shell.run", Inputs: map[string]any{"command": "echo begun; sleep 60"}, Timeout: 1500 * time.Millisecond})
	want(t, out, fettle.StatusTimeout, "the command timed out after 1.5s")
	if out.Data["stdout"] != "begun\n" || out.Data["signal"] != "TERM" {
		t.Errorf("data %v", out.Data)
	}
	ctx, cancel := context.WithCancel(t.Context())
	file := filepath.Join(t.TempDir(), "pids")
	done := make(chan Outcome)
	go func() {
		done <- table.Do(ctx, Call{Action: "shell.run", Inputs: map[string]any{"command": "sleep 60 & echo $$ $! > " + file + "; wait"}})
	}()
	pids := processes(t, file, 2)
	cancel()
	want(t, <-done, fettle.StatusCancelled, "the command was cancelled")
	for _, pid := range pids {
		eventually(t, "all of it to end", func() bool { return gone(pid) })
	}
}

func TestShellStreams(t *testing.T) {
	table, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	streams := map[string]string{}
	out := table.Do(t.Context(), Call{Action: "shell.run", Inputs: map[string]any{"command": "echo a; echo b >&2; echo c"}, Stream: func(name string, chunk []byte) {
		mu.Lock()
		defer mu.Unlock()
		streams[name] += string(chunk)
	}})
	if out.Status != fettle.StatusOK || streams["stdout"] != "a\nc\n" || streams["stderr"] != "b\n" {
		t.Errorf("%v %v", out, streams)
	}
}

func TestShellNice(t *testing.T) {
	out := do(t, "shell.run", map[string]any{"command": "nice; (nice)", "nice": 7, "io": "idle"})
	if out.Data["stdout"] != "7\n7\n" {
		t.Errorf("%v", out.Data)
	}
	if out := do(t, "shell.run", map[string]any{"command": "nice"}); out.Message != "0" {
		t.Errorf("the agent itself has become nice: %v", out)
	}
}

func TestShellLimitsAreKeptOrItSaysSo(t *testing.T) {
	out := do(t, "shell.run", map[string]any{"command": "cat /proc/self/cgroup", "memory": 64, "processes": 50, "cpu": 50})
	notes, _ := out.Data["notes"].([]string)
	stdout, _ := out.Data["stdout"].(string)
	if len(notes) == 0 == !strings.Contains(stdout, "/task-") {
		t.Errorf("it ran in %q, and the notes are %q", stdout, notes)
	}
	for _, note := range notes {
		if !strings.HasPrefix(note, "limits of memory, cpu and processes are not kept: ") {
			t.Errorf("note %q", note)
		}
	}
}

func TestShellUser(t *testing.T) {
	out := do(t, "shell.run", map[string]any{"command": `id -un; echo "$HOME $USER"`, "user": "nobody"})
	if os.Geteuid() != 0 {
		want(t, out, fettle.StatusRefused, "the agent is not root and cannot run anything as nobody")
		return
	}
	if stdout, _ := out.Data["stdout"].(string); !strings.HasPrefix(stdout, "nobody\n/nonexistent nobody") {
		t.Errorf("%v", out)
	}
	want(t, do(t, "shell.run", map[string]any{"command": "true", "user": "no-such-user"}), fettle.StatusInvalidInput, `user "no-such-user"`)
}

func TestShellScript(t *testing.T) {
	out := do(t, "shell.script", map[string]any{"script": "#!/bin/bash -e\nfalse | cat\necho \"$BASH_VERSION\" | cut -c1\nread x; echo \"$x $1 $2 $#\"\nfalse\necho never", "args": []any{"a b", "c"}, "stdin": "in\n"})
	want(t, out, fettle.StatusFailed, "exit 1")
	if stdout, _ := out.Data["stdout"].(string); !strings.HasSuffix(stdout, "\nin a b c 2\n") {
		t.Errorf("%v", out.Data)
	}
	want(t, do(t, "shell.script", map[string]any{"script": "echo $0"}), fettle.StatusOK, os.TempDir())
	want(t, do(t, "shell.script", map[string]any{"script": "#!/no/such/interpreter\n"}), fettle.StatusOther, "cannot start /no/such/interpreter")
	want(t, do(t, "shell.script", map[string]any{"script": "print me", "interpreter": "/bin/cat"}), fettle.StatusOK, "print me")
	if os.Geteuid() == 0 {
		want(t, do(t, "shell.script", map[string]any{"script": "id -un", "user": "nobody"}), fettle.StatusOK, "nobody")
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "fettle-script-*")); len(left) > 0 {
		t.Errorf("scripts are left behind: %v", left)
	}
}

func TestInterpreterOf(t *testing.T) {
	for text, words := range map[string]string{
		"echo": "/bin/sh", "#!": "/bin/sh", "#!/bin/x": "/bin/x", "#! /usr/bin/env -S python3 -u \n": "/usr/bin/env|-S python3 -u", "": "/bin/sh",
	} {
		if got := strings.Join(interpreterOf(text), "|"); got != words {
			t.Errorf("%q is run by %q, want %q", text, got, words)
		}
	}
}
