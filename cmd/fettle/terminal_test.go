//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// screen is a person's terminal: what the program writes on it is kept.
type screen struct {
	master, slave *os.File

	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

// newScreen opens a pseudo terminal.
func newScreen(t *testing.T) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	s := &screen{master: master, slave: slave}
	read := make(chan struct{})
	go func() { // ends when the terminal is closed
		defer close(read)
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			s.mu.Lock()
			s.text.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		_ = slave.Close()
		<-read // the master reports the end
		_ = master.Close()
	})
	return s
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// shows waits until the screen shows text.
func (s *screen) shows(t *testing.T, text string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("waiting for %q on the screen:\n%s", text, s)
		}
	}()
	eventually(t, func() bool { return strings.Contains(s.String(), text) })
}

// press presses keys.
func (s *screen) press(t *testing.T, keys string) {
	t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		t.Fatal(err)
	}
}

// call runs the program on the screen.
func (s *screen) call(ctx context.Context, f *fleet, args ...string) int {
	return run(ctx, append([]string{"fettle", "--context", f.context}, args...), s.slave, s.slave, s.slave)
}

func TestOnATerminal(t *testing.T) {
	f := newFleet(t, acme())

	t.Run("answers are coloured by how bad they are", func(t *testing.T) {
		s := newScreen(t)
		s.call(t.Context(), f, "run", "nrpe.check", "command=check_load", "-F", "role=web")
		s.shows(t, red+"web03.acme.net"+reset)
		s.shows(t, green+"web[01-02].acme.net (2)"+reset)
		s.shows(t, " of 3 in ")
	})
	t.Run("NO_COLOR holds", func(t *testing.T) {
		t.Setenv("NO_COLOR", "1")
		s := newScreen(t)
		s.call(t.Context(), f, "run", "nrpe.check", "command=check_load", "-F", "role=web")
		s.shows(t, " of 3 in ")
		if strings.Contains(s.String(), "\x1b[3") {
			t.Errorf("got %q", s)
		}
	})
	t.Run("progress is drawn, and taken away", func(t *testing.T) {
		s := newScreen(t)
		if code := s.call(t.Context(), f, "run", "agent.ping", "--all", "--timeout", "500ms"); code != exitSilent {
			t.Errorf("exit code %d", code)
		}
		s.shows(t, "4/5  ok 4")
		s.shows(t, "no answer")
		if text := s.String(); strings.LastIndex(text, "\r\x1b[K") < strings.LastIndex(text, "4/5") {
			t.Errorf("the line of progress stays: %q", text)
		}
	})
	t.Run("a wait has a word, and it is taken away", func(t *testing.T) {
		s := newScreen(t)
		if code := s.call(t.Context(), f, "check", "check_mute", "--live", "--timeout", "4s"); code != int(fettle.CodeUnknown) {
			t.Errorf("exit code %d", code)
		}
		s.shows(t, "UNKNOWN: 1")
		if text := s.String(); !strings.Contains(text, "waiting for an answer, up to 4s\r\x1b[K") {
			t.Errorf("got %q", text)
		}
	})
	t.Run("nobody: what to try", func(t *testing.T) {
		s := newScreen(t)
		if code := s.call(t.Context(), f, "find", `facts.kernel == "Plan9"`); code != exitNobody {
			t.Errorf("exit code %d", code)
		}
		s.shows(t, `filter explain 'facts.kernel == "Plan9"'`)
	})
	t.Run("a listing says how many", func(t *testing.T) {
		s := newScreen(t)
		s.call(t.Context(), f, "find", "-F", "role=web")
		s.shows(t, "3 nodes matched")
	})
}

// start runs the program on the screen as a process; the code comes when it has ended.
func (s *screen) start(t *testing.T, f *fleet, args ...string) <-chan int {
	t.Helper()
	_, code := s.process(t, f, args...)
	return code
}

func TestMenuOfSSH(t *testing.T) {
	f := newFleet(t, acme())
	t.Run("the chosen node", func(t *testing.T) {
		s := newScreen(t)
		code := s.start(t, f, "ssh", "-F", "role=web", "--print")
		s.shows(t, "3 nodes match")
		s.press(t, "j\r")
		if got := <-code; got != exitOK {
			t.Errorf("exit code %d", got)
		}
		s.shows(t, "ssh -- web02.acme.net")
	})
	t.Run("Ctrl-C leaves", func(t *testing.T) {
		s := newScreen(t)
		code := s.start(t, f, "ssh", "-F", "role=web", "--print")
		s.shows(t, "3 nodes match")
		s.press(t, "\x03")
		if got := <-code; got != exitInterrupted {
			t.Errorf("exit code %d", got)
		}
		if strings.Contains(s.String(), "ssh -- ") {
			t.Errorf("got %q", s)
		}
	})
}

func TestInterruptedRun(t *testing.T) {
	f := newFleet(t, acme())
	s := newScreen(t)
	ctx, interrupt := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- s.call(ctx, f, "run", "agent.ping", "--all", "--timeout", "30s") }()
	s.shows(t, "4/5")
	interrupt()
	if got := <-code; got != exitInterrupted {
		t.Errorf("exit code %d", got)
	}
	s.shows(t, "the run goes on without this terminal; 4 of 5 have answered")
	runs, _, err := f.m.server.Runs(t.Context(), 1, "")
	if err != nil || len(runs) != 1 || runs[0].State != fettle.RunGoing {
		t.Fatalf("runs %+v, %v", runs, err)
	}
	s.shows(t, "runs watch "+shortRun(runs[0].ID))
	s.shows(t, "runs cancel "+shortRun(runs[0].ID))
	f.ask(t, "runs", "cancel", string(runs[0].ID)).wants(t, exitOK, "4 ok")
}

// process runs the program on the screen as a process, which gets signals; the code comes when it has ended.
func (s *screen) process(t *testing.T, f *fleet, args ...string) (*exec.Cmd, <-chan int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), programName, append([]string{"--context", f.context}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.slave, s.slave, s.slave
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	code := make(chan int, 1)
	go func() {
		_ = cmd.Wait() // the code says it
		code <- cmd.ProcessState.ExitCode()
	}()
	return cmd, code
}

func TestSecondCtrlCCancelsTheRun(t *testing.T) {
	f := newFleet(t, acme())
	s := newScreen(t)
	cmd, code := s.process(t, f, "run", "agent.ping", "--all", "--timeout", "30s")
	s.shows(t, "4/5")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	s.shows(t, "Ctrl-C once more now")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != exitInterrupted {
		t.Errorf("exit code %d", got)
	}
	s.shows(t, ": cancelled")
	eventually(t, func() bool {
		runs, _, err := f.m.server.Runs(t.Context(), 1, "")
		return err == nil && len(runs) == 1 && runs[0].State == fettle.RunCancelled
	})
}

func TestPersonIsAskedBeforeManyNodesAre(t *testing.T) {
	f := newFleet(t, acme())
	order := []string{"run", "nrpe.check", "command=check_load", "-F", "role=web", "--ask-above", "2"}
	t.Run("who says no has asked nothing", func(t *testing.T) {
		s := newScreen(t)
		code := s.start(t, f, order...)
		s.shows(t, "nrpe.check command=check_load"+reset+"  on 3 nodes: web[01-03].acme.net")
		s.shows(t, "Go ahead? [y/N] ")
		s.press(t, "\n")
		if got := <-code; got != exitInterrupted {
			t.Errorf("exit code %d", got)
		}
		s.shows(t, "nothing was asked")
		if runs, _, err := f.m.server.Runs(t.Context(), 1, ""); err != nil || len(runs) != 0 {
			t.Errorf("runs %+v, %v", runs, err)
		}
	})
	t.Run("who says yes gets what was shown", func(t *testing.T) {
		s := newScreen(t)
		code := s.start(t, f, order...)
		s.shows(t, "Go ahead? [y/N] ")
		s.press(t, "y\n")
		if got := <-code; got != exitOK {
			t.Errorf("exit code %d", got)
		}
		s.shows(t, "3 ok")
		s.shows(t, "runs show ")
	})
	t.Run("nobody is asked about few, about a ping, or with --yes", func(t *testing.T) {
		for _, args := range [][]string{{"run", "agent.ping", "-F", "role=web", "--ask-above", "0"}, append(order, "--yes"), append(order[:5:5], "--ask-above", "3")} {
			s := newScreen(t)
			if code := s.call(t.Context(), f, args...); code != exitOK {
				t.Errorf("%q: exit code %d", args, code)
			}
			if strings.Contains(s.String(), "Go ahead") {
				t.Errorf("%q: %s", args, s)
			}
		}
	})
}

// In a JSON mode what is said about a run that goes on is a problem like any other, and stdout has the lines that came.
func TestInterruptedRunForPrograms(t *testing.T) {
	f := newFleet(t, acme())
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, faults := &screenless{}, &screenless{}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"fettle", "--context", f.context, "run", "agent.ping", "--all", "--timeout", "30s", "-o", "jsonl"}, strings.NewReader(""), out, faults)
	}()
	eventually(t, func() bool { return strings.Count(out.String(), "\n") == 4 })
	interrupt()
	if got := <-code; got != exitInterrupted {
		t.Errorf("exit code %d", got)
	}
	var p client.Problem
	if err := json.Unmarshal([]byte(faults.String()), &p); err != nil || p.Kind != "unavailable" || !strings.Contains(p.Detail, "the run goes on") {
		t.Errorf("%v: %q", err, faults)
	}
}

// screenless takes output while a test reads it.
type screenless struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (s *screenless) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screenless) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func TestEmptyInventory(t *testing.T) {
	f := newFleet(t, nil)
	s := newScreen(t)
	if code := s.call(t.Context(), f, "find"); code != exitNobody {
		t.Errorf("exit code %d", code)
	}
	s.shows(t, "no node has reported yet; start an agent: ")
}

func TestListsWithoutAnything(t *testing.T) {
	f := newFleet(t, nil)
	for _, line := range []struct{ args, says string }{
		{"group list", "there is no group; "},
		{"silence list", "nothing is silenced"},
		{"filter list", "no filter is saved; "},
		{"plugin list", "no plugin was pushed; "},
		{"user list", "there is no user; "},
		{"policy list", "there is no policy: "},
		{"alerts", "nothing is wrong"},
		{"join-token list -o wide", "there is no join token; "},
	} {
		s := newScreen(t)
		if code := s.call(t.Context(), f, strings.Fields(line.args)...); code != 0 {
			t.Errorf("%s: exit code %d", line.args, code)
		}
		s.shows(t, line.says)
	}
}
