//go:build integration

package house

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// nodeResult is a run's object as scripts read it, as far as it is looked at here.
type nodeResult struct {
	Tally   fettle.Tally `json:"tally"`
	Results []struct {
		Node    string         `json:"node"`
		Status  fettle.Status  `json:"status"`
		Message string         `json:"message"`
		Data    map[string]any `json:"data"`
	} `json:"results"`
}

const greetManifest = `name: greet
version: %s
description: Greets.
executable: run.py
actions:
  - name: hello
    description: Greet somebody.
    inputs: [{name: who, type: string, default: world}]
    outputs: [{name: greeting, type: string, display: what it said}, {name: length, type: int, unit: characters}]
    summaries: [{output: length, function: average}]
    display: failed
  - name: count
    description: Count that it was done, and take long.
    inputs: [{name: file, type: string, required: true}]
`

const greetProgram = `#!/usr/bin/env python3
import json, os, signal, sys, time
request = json.load(sys.stdin)
if request["action"] == "count":
    with open(request["inputs"]["file"], "a") as f:
        f.write("%%d\n" %% os.getpid())
    time.sleep(8)
greeting = "%s, " + request["inputs"].get("who", "") + "!"
print(json.dumps({"type": "result", "status": "ok", "message": greeting, "data": {"greeting": greeting, "length": len(greeting)}}))
`

// greet writes a Python plugin of a version.
func greet(t *testing.T, version, word string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, 0o644, dir, "plugin.yaml", fmt.Sprintf(greetManifest, version))
	write(t, 0o755, dir, "run.py", fmt.Sprintf(greetProgram, word))
	return dir
}

// running tells whether the process lives that has written its id to a file.
func running(t *testing.T, file string) bool {
	t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, file)))
	if err != nil {
		t.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ") // one that nobody has waited for yet has ended
}

func TestPluginIsPushedAndRunWithoutRestart(t *testing.T) {
	p := newPlace(t)
	server := p.open()
	agent := p.agent("n1")
	node := start(t, agent...)
	again := func() { node = start(t, agent...) } // it outlives the part of the test that starts it
	p.alive("n1")
	says := func(want string) {
		t.Helper()
		r := into[nodeResult](t, ask(t, server, "run", "greet.hello", "who=Anna", "--all", "-o", "json").want(t, 0))
		if len(r.Results) != 1 || r.Results[0].Message != want || r.Results[0].Data["greeting"] != want {
			t.Errorf("got %+v, want %q", r.Results, want)
		}
	}
	ask(t, server, "run", "greet.hello", "--all").want(t, 1)
	ask(t, server, "plugin", "push", greet(t, "1.0.0", "Hello")).want(t, 0)
	greeting := filepath.Join(t.TempDir(), "greeting.yaml")
	write(t, 0o644, filepath.Dir(greeting), "greeting.yaml", "name: greeting\naction: greet.hello\ninputs: {who: Bob}\nfilter: 'true'\ninterval: 1s\nverdict: {output: '{{data.greeting}}'}\n")
	ask(t, server, "checks", "apply", "-f", greeting).want(t, 0)
	checked := func(want string) {
		t.Helper()
		eventually(t, "a check that says "+want, func() bool {
			return strings.Contains(ask(t, server, "show", "n1", "-o", "json").stdout, want)
		})
	}
	checked("Hello, Bob!") // the node had to fetch the plugin for it
	says("Hello, Anna!")
	if text := ask(t, server, "__complete", "run", "greet.").stdout; !strings.Contains(text, "greet.hello\tGreet somebody.") {
		t.Errorf("completion knows %q", text)
	}
	if text := ask(t, server, "plugin", "show", "greet").want(t, 0).stdout; !strings.Contains(text, "what it said") && !strings.Contains(text, "greet.count") {
		t.Errorf("show says %q", text)
	}
	var actions struct {
		Actions []struct{ Name, Display string } `json:"actions"`
	}
	if status, err := p.call("GET", "/actions", nil, &actions); err != nil || !strings.Contains(fmt.Sprint(actions.Actions), "{greet.hello failed}") {
		t.Errorf("%d, %v: REST lists %v", status, err, actions.Actions)
	}
	eventually(t, "the server to know what the node has", func() bool {
		return strings.Contains(ask(t, server, "find", `agent.plugins.greet == "1.0.0"`, "-o", "names").stdout, "n1")
	})

	t.Run("another version, and back", func(t *testing.T) {
		ask(t, server, "plugin", "push", greet(t, "1.1.0", "Hi")).want(t, 0)
		checked("Hi, Bob!")
		says("Hi, Anna!")
		ask(t, server, "plugin", "rollback", "greet").want(t, 0)
		checked("Hello, Bob!")
		says("Hello, Anna!")
		ask(t, server, "checks", "delete", "greeting").want(t, 0)
		ask(t, server, "plugin", "pin", "greet", "1.1.0").want(t, 0)
		says("Hi, Anna!")
		if text := ask(t, server, "plugin", "list").want(t, 0).stdout; !strings.Contains(text, "pinned") || !strings.Contains(text, "before") {
			t.Errorf("list says %q", text)
		}
		ask(t, server, "plugin", "push", greet(t, "1.1.0", "Other")).want(t, 1)
	})
	t.Run("what was changed on the node's disk is not run", func(t *testing.T) {
		node.stop()
		state, trace := agent[8], filepath.Join(t.TempDir(), "evil")
		files, err := filepath.Glob(filepath.Join(state, "plugins", "*", "archive.tar.zst"))
		if err != nil || len(files) != 2 {
			t.Fatalf("%v, %v in %s", files, err, state)
		}
		for _, file := range files {
			if err := os.WriteFile(file, []byte("evil"), 0o600); err != nil {
				t.Fatal(err)
			}
			write(t, 0o755, filepath.Join(filepath.Dir(file), "files"), "run.py", "#!/bin/sh\ntouch "+trace+"\n")
		}
		again()
		says("Hi, Anna!")
		if !strings.Contains(node.log.String(), "not what it was") {
			t.Errorf("nothing is said of it:\n%s", node.log)
		}
		if _, err := os.Stat(trace); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it was run: %v", err)
		}
	})
	t.Run("a kill in the middle of an action is no second execution", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "count")
		done := make(chan answer, 1)
		go func() {
			done <- ask(t, server, "run", "greet.count", "file="+file, "--all", "--timeout", "25s", "-o", "json")
		}()
		eventually(t, "the action to begin", func() bool { raw, _ := os.ReadFile(file); return len(raw) > 0 })
		node.kill()
		again()
		r := into[nodeResult](t, (<-done).want(t, 1))
		if len(r.Results) != 1 || r.Results[0].Status != fettle.StatusInterrupted {
			t.Errorf("got %+v", r)
		}
		if !strings.HasSuffix(r.Results[0].Message, "; one process of it was still running and was ended by TERM") || running(t, file) {
			t.Errorf("what the kill has left: %s", r.Results[0].Message)
		}
		says("Hi, Anna!") // what was handed out once more came before this
		raw, err := os.ReadFile(file)
		if err != nil || strings.Count(string(raw), "\n") != 1 {
			t.Errorf("it was done %d times, %v", strings.Count(string(raw), "\n"), err)
		}
	})
	t.Run("a stop in the middle of an action ends it", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "count")
		done := make(chan answer, 1)
		go func() {
			done <- ask(t, server, "run", "greet.count", "file="+file, "--all", "--timeout", "25s", "-o", "json")
		}()
		eventually(t, "the action to begin", func() bool { raw, _ := os.ReadFile(file); return len(raw) > 0 })
		node.stop()
		if running(t, file) {
			t.Error("it outlives the agent")
		}
		again()
		r := into[nodeResult](t, (<-done).want(t, 1))
		if len(r.Results) != 1 || r.Results[0].Status != fettle.StatusInterrupted || !strings.Contains(r.Results[0].Message, "was stopped while this ran, and ended it") {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("removed, it is gone everywhere", func(t *testing.T) {
		ask(t, server, "plugin", "remove", "greet", "--yes").want(t, 0)
		ask(t, server, "run", "greet.hello", "--all").want(t, 1)
	})
}

// builtAs builds the program of a version.
func builtAs(t *testing.T, version string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fettle")
	build := exec.Command("go", "build", "-ldflags", "-s -w -X main.version="+version, "-o", file, "github.com/fettle-dev/fettle/cmd/fettle")
	build.Env = buildEnv
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return file
}

func TestAgentBecomesAnotherVersion(t *testing.T) {
	p := newPlace(t)
	server := p.open()
	next := builtAs(t, "2.0.0")
	raw, err := os.ReadFile(fettleBin)
	if err != nil {
		t.Fatal(err)
	}
	own := write(t, 0o755, t.TempDir(), "fettle", string(raw))
	door := newDoor(t, p.stomp)
	args := p.agent("n1", "--server", "stomp://"+door.address())
	agent := startAs(t, own, args...)
	p.alive("n1")
	run := func(version string, code int) nodeResult {
		t.Helper()
		return into[nodeResult](t, ask(t, server, "run", "agent.upgrade", "version="+version, "wait=3", "--all", "--timeout", "50s", "-o", "json").want(t, code))
	}
	ask(t, server, "run", "agent.upgrade", "version=2.0.0", "--all").want(t, 1) // nobody pushed it
	ask(t, server, "agent-release", "push", next, "--version", "9.9.9").want(t, 0)
	if r := run("9.9.9", 1); len(r.Results) != 1 || r.Results[0].Status != fettle.StatusRefused || !strings.Contains(r.Results[0].Message, "not version 9.9.9") {
		t.Errorf("a program that is another than was said: %+v", r)
	}
	ask(t, server, "agent-release", "push", next, "--version", "2.0.0").want(t, 1) // the same, under another name
	ask(t, server, "agent-release", "remove", "9.9.9").want(t, 0)
	ask(t, server, "agent-release", "push", next, "--version", "2.0.0").want(t, 0)

	t.Run("one that is not welcomed is taken back", func(t *testing.T) {
		door.refuse() // the old program stays connected until it makes way
		done := make(chan nodeResult, 1)
		go func() { done <- run("2.0.0", 1) }()
		eventually(t, "the old program to be put back", func() bool { return strings.Contains(agent.log.String(), "the upgrade is taken back") })
		door.open()
		if r := <-done; len(r.Results) != 1 || r.Results[0].Status != fettle.StatusFailed || !strings.Contains(r.Results[0].Message, "was put back: it was not welcomed within 3s") {
			t.Errorf("got %+v", r)
		}
		p.alive("n1")
	})
	t.Run("one that is welcomed stays", func(t *testing.T) {
		if r := run("2.0.0", 0); len(r.Results) != 1 || r.Results[0].Data["version"] != "2.0.0" {
			t.Errorf("got %+v", r)
		}
		eventually(t, "the server to know", func() bool {
			return strings.Contains(ask(t, server, "find", `agent.version == "2.0.0"`, "-o", "names").stdout, "n1")
		})
		if r := run("2.0.0", 0); len(r.Results) != 1 || !strings.Contains(r.Results[0].Message, "already") {
			t.Errorf("once more: %+v", r)
		}
	})
	if entries, err := os.ReadDir(filepath.Dir(own)); err != nil || len(entries) != 1 {
		t.Errorf("beside the program are %v, %v", entries, err)
	}
}
