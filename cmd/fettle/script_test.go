package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/fettle-dev/fettle/server/api/client"
)

// Scripts run fettle and check_fettle as processes, without a terminal, against one server with the nodes of acme.
func TestScripts(t *testing.T) {
	f := newFleet(t, acme())
	f.runScripts(t, testscript.Params{Dir: "testdata/script"})
}

// TestScriptsAlone is TestScripts for those that change what others ask for: each has a fleet of its own.
func TestScriptsAlone(t *testing.T) {
	files, err := filepath.Glob("testdata/script/alone/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		f := newFleet(t, acme())
		f.runScripts(t, testscript.Params{Files: []string{file}})
	}
}

func (f *fleet) runScripts(t *testing.T, p testscript.Params) {
	p.Setup = func(e *testscript.Env) error {
		e.Setenv("FETTLE_CONTEXT", f.context)
		e.Setenv("SERVER", f.m.context.URL)
		e.Setenv("TOKEN", f.m.context.Token)
		e.Setenv("HOME", e.WorkDir)
		e.Setenv("GORACE", os.Getenv("GORACE"))
		return nil
	}
	p.Cmds = map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "problem": problem, "validjson": validJSON}
	testscript.Run(t, p)
}

// exits runs a command and compares its exit code: exits 4 fettle find false.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ended *exec.ExitError
		if !errors.As(err, &ended) {
			ts.Fatalf("%v", err)
		}
		code = ended.ExitCode()
	}
	if code != want {
		ts.Fatalf("exit code %d, want %d", code, want)
	}
}

// problem holds that stderr is one RFC 9457 object of a kind, and that stdout is empty: problem invalid.
func problem(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: problem KIND")
	}
	var p client.Problem
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile("stderr")))
	dec.DisallowUnknownFields()
	ts.Check(dec.Decode(&p))
	if dec.More() || p.Kind != args[0] || p.Detail == "" || p.Title == "" || p.Status < 400 {
		ts.Fatalf("stderr is not one problem of kind %s: %s", args[0], ts.ReadFile("stderr"))
	}
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout: %q", out)
	}
}

// validJSON holds that each line of stdout, or all of it, is JSON: validjson [lines].
func validJSON(ts *testscript.TestScript, neg bool, args []string) {
	text := []string{ts.ReadFile("stdout")}
	if len(args) == 1 && args[0] == "lines" {
		text = strings.Split(strings.TrimSpace(text[0]), "\n")
	}
	for _, one := range text {
		if json.Valid([]byte(one)) == neg || one == "" {
			ts.Fatalf("JSON: %v, and that was not wanted: %q", !neg, one)
		}
	}
}
