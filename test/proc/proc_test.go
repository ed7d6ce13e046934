//go:build unix

package proc_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fettle-dev/fettle/test/proc"
)

// shell starts a script.
func shell(t *testing.T, script string) *proc.Process {
	t.Helper()
	p, err := proc.Start(proc.Command{Name: "script", Program: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(t.TempDir(), "log"), Stop: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestOneThatIsReadySaysWhere(t *testing.T) {
	p := shell(t, `echo starting; echo "ready role=server http=http://127.0.0.1:8420 context=/tmp/context.yaml"; exec sleep 600`)
	if err := p.MustReady(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if p.Said("http") != "http://127.0.0.1:8420" || p.Said("context") != "/tmp/context.yaml" || p.Said("stomp") != "" {
		t.Errorf("it said %q, %q and %q", p.Said("http"), p.Said("context"), p.Said("stomp"))
	}
	if mib, err := p.MostResident(); err != nil || mib < 0 || p.Gone() {
		t.Errorf("it has %d MiB: %v", mib, err)
	}
	if err := p.End(); err == nil || !p.Gone() { // a signal that nobody catches is no good end
		t.Errorf("it ended with %v, and is gone: %v", err, p.Gone())
	}
}

func TestOneThatEndsBeforeItIsReady(t *testing.T) {
	if err := shell(t, "echo no; exit 3").MustReady(t.Context(), time.Minute); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("it is ready: %v", err)
	}
}

func TestOneThatEndsWhenAsked(t *testing.T) {
	p := shell(t, `trap 'exit 0' TERM; echo "ready role=script"; while :; do sleep 0.05; done`)
	if err := p.MustReady(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := p.End(); err != nil || p.Err() != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestItsLogIsAddedTo(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	for range 2 {
		p, err := proc.Start(proc.Command{Name: "script", Program: "/bin/sh", Args: []string{"-c", `echo "$WORD" >&2`}, Env: []string{"WORD=here"}, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		if ready, err := p.Ready(t.Context()); ready || err != nil {
			t.Fatalf("ready: %v, %v", ready, err)
		}
	}
	if text, err := os.ReadFile(log); err != nil || string(text) != "here\nhere\n" {
		t.Errorf("the log is %q: %v", text, err)
	}
}

func TestPages(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer x" {
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "# HELP a what it is\na 3\nb{x=\"1\"} 4\nc 1e3\n")
	}))
	defer web.Close()
	got, err := proc.Meters(t.Context(), web.URL, "x")
	if err != nil || got["a"] != 3 || got["c"] != 1000 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := proc.Page(t.Context(), web.URL, ""); err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "who are you") {
		t.Errorf("without a token: %v", err)
	}
}
