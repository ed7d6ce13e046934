package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test program stand for fettle and check_fettle, so that scripts run both as processes with real exit codes.
func TestMain(m *testing.M) {
	testscript.Main(homeless{m}, map[string]func(){programName: main, pluginName: main})
}

// homely is the environment from before nobody's home was ours, with the caches of builds.
var homely []string

// homeless runs the tests with a home directory of their own: nobody's context is touched.
type homeless struct{ *testing.M }

func (h homeless) Run() int {
	dir, err := os.MkdirTemp("", "fettle-cmd-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // nothing is lost
	homely = os.Environ()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME"} {
		if err := os.Setenv(name, filepath.Join(dir, name)); err != nil {
			panic(err)
		}
	}
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil { // or each program that a test starts would sleep for a second at its end
		panic(err)
	}
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "FETTLE_") && !strings.HasPrefix(name, "FETTLE_TEST_") {
			if err := os.Unsetenv(name); err != nil {
				panic(err)
			}
		}
	}
	return h.M.Run()
}

// said is what a call of the program gave.
type said struct {
	stdout, stderr string
	code           int
}

// call runs the program in this process.
func call(t *testing.T, args ...string) said {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return said{stdout.String(), stderr.String(), code}
}

// wants fails the test unless the program ended with code and said text, each of which stands in stdout or stderr.
func (s said) wants(t *testing.T, code int, texts ...string) said {
	t.Helper()
	if s.code != code {
		t.Errorf("exit code %d, want %d", s.code, code)
	}
	for _, text := range texts {
		if !strings.Contains(s.stdout+s.stderr, text) {
			t.Errorf("it does not say %q", text)
		}
	}
	if t.Failed() {
		t.Logf("stdout: %s\nstderr: %s", s.stdout, s.stderr)
	}
	return s
}

func TestFormatOf(t *testing.T) {
	for args, want := range map[string]string{
		"find -o json": "json", "find -ojson": "json", "find -o=json": "json", "find --output json": "json", "find --output=json": "json",
		"find": "", "find -o": "", "ssh web1 -- -o json": "", "find -o csv -o jsonl": "jsonl", "--only x": "", "find --outputs=x": "",
	} {
		if got := formatOf(strings.Fields(args)); got != want {
			t.Errorf("%s: got %q, want %q", args, got, want)
		}
	}
}

func TestInterruptedBeforeAnything(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Setenv("FETTLE_URL", "http://127.0.0.1:1")
	var stdout, stderr bytes.Buffer
	if code := run(ctx, []string{"fettle", "find"}, strings.NewReader(""), &stdout, &stderr); code != exitInterrupted || stdout.Len()+stderr.Len() > 0 {
		t.Errorf("exit code %d, %q %q", code, &stdout, &stderr)
	}
}
