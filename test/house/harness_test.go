//go:build integration

package house

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up on it. It bounds; it is never a measure.
const patience = 60 * time.Second

var fettleBin, pluginBin string

// buildEnv is the environment to build in: that of before nobody's home was ours, with its caches.
var buildEnv []string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "fettle-house-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir) //nolint:errcheck // nothing is lost
		fettleBin, pluginBin = filepath.Join(dir, "fettle"), filepath.Join(dir, "check_fettle")
		build := exec.Command("go", "build", "-o", fettleBin, "github.com/fettle-dev/fettle/cmd/fettle")
		buildEnv = append(os.Environ(), "CGO_ENABLED=0")
		build.Env = buildEnv
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		if err := os.Symlink("fettle", pluginBin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		_ = os.Setenv("HOME", dir) // nobody's own context is touched
		_ = os.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
		return m.Run()
	}())
}

// process is a long-lived fettle: a server, an agent, a dev or an emulator.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	ready map[string]string // of its ready line
	log   *lockedBuffer
	done  chan struct{}
	err   error // once done is closed
}

// start runs fettle with args and waits for its ready line. It is stopped with the test.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startAs(t, fettleBin, args...)
}

// startAs is start with a program of its own.
func startAs(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), log: &lockedBuffer{}, done: make(chan struct{}), ready: map[string]string{}}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make(chan string, 16) // an agent that becomes another program is ready again
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				line <- lines.Text()
			}
		}
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	select {
	case text := <-line:
		for _, word := range strings.Fields(text)[1:] {
			key, value, _ := strings.Cut(word, "=")
			p.ready[key] = value
		}
	case <-p.done:
		t.Fatalf("fettle %s ended before it was ready: %v\n%s", strings.Join(args, " "), p.err, p.log)
	case <-time.After(patience):
		t.Fatalf("fettle %s was not ready within %s\n%s", strings.Join(args, " "), patience, p.log)
	}
	return p
}

// kill ends the process at once, as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.done
}

// stop asks the process to end, and tells how long it took.
func (p *process) stop() time.Duration {
	p.t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("it did not end within %s of SIGTERM\n%s", patience, p.log)
	}
	return time.Since(began)
}

// answer is what a command printed.
type answer struct {
	stdout, stderr string
	code           int
}

// ask runs a command of fettle against a server.
func ask(t *testing.T, server *process, args ...string) answer {
	t.Helper()
	return command(t, []string{"FETTLE_CONTEXT=" + server.ready["context"]}, fettleBin, args...)
}

func command(t *testing.T, env []string, name string, args ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return answer{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// want fails the test unless the command ended with code.
func (a answer) want(t *testing.T, code int) answer {
	t.Helper()
	if a.code != code {
		t.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", a.code, code, a.stdout, a.stderr)
	}
	return a
}

// into reads the output as JSON.
func into[T any](t *testing.T, a answer) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.stdout), &v); err != nil {
		t.Fatalf("stdout is not the JSON that was wanted: %v\n%s", err, a.stdout)
	}
	return v
}

// eventually waits until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if !within(patience, ok) {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// within waits until ok holds, and tells whether it did in time.
func within(limit time.Duration, ok func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
	return true
}

// lockedBuffer takes the output of a process while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// dev starts server and agent in one process, with a state of their own.
func dev(t *testing.T, args ...string) *process {
	t.Helper()
	return start(t, append([]string{"dev", "--state", t.TempDir(), "--http", "127.0.0.1:0", "--stomp", "127.0.0.1:0"}, args...)...)
}

// freeAddress gives an address of loopback that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
