//go:build unix

package proc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// DefaultStop is how long a process may take to end when asked: twice what is promised.
const DefaultStop = 10 * time.Second

// Command says what is to be run.
type Command struct {
	Name    string // what messages call it: server
	Program string
	Args    []string
	Env     []string      // beside our own, KEY=VALUE
	Log     string        // file to which its diagnostics are added
	Stop    time.Duration // how long End waits; zero: DefaultStop
}

// Process is a program that runs. Its methods are safe for concurrent use.
type Process struct {
	name    string
	stop    time.Duration
	cmd     *exec.Cmd
	said    map[string]string // once ready is closed
	ready   chan struct{}     // closed when it has said "ready …"
	ended   chan struct{}     // closed when it has ended
	outcome error             // once ended is closed
}

// Start starts a process, and does not wait for it. Who starts it ends it, with End or Kill.
func Start(c Command) (*Process, error) {
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &Process{name: c.Name, stop: c.Stop, cmd: exec.Command(c.Program, c.Args...), ready: make(chan struct{}), ended: make(chan struct{})}
	if p.stop <= 0 {
		p.stop = DefaultStop
	}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env = in, log, append(os.Environ(), c.Env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches us, and we end it in order
	err = p.cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	go p.listen(out) // ends with the process; Kill and End wait for that
	return p, nil
}

// listen waits for the line "ready …", and for the end.
func (p *Process) listen(out io.ReadCloser) {
	defer close(p.ended)
	defer out.Close()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if words, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			p.said = Pairs(words)
			close(p.ready)
			break
		}
	}
	_, _ = io.Copy(io.Discard, out) // what it says later is of no interest here
	p.outcome = p.cmd.Wait()
}

// Pairs reads words of the shape key=value.
func Pairs(words string) map[string]string {
	m := map[string]string{}
	for word := range strings.FieldsSeq(words) {
		key, value, _ := strings.Cut(word, "=")
		m[key] = value
	}
	return m
}

// Ready waits until the process is ready; it tells whether it is, or has ended instead.
func (p *Process) Ready(ctx context.Context) (bool, error) {
	select {
	case <-p.ready:
		return true, nil
	case <-p.ended:
		return false, nil
	case <-ctx.Done():
		return false, fmt.Errorf("the %s was not ready in time: %w", p.name, ctx.Err())
	}
}

// MustReady waits for at most limit until the process is ready. One that is not is ended.
func (p *Process) MustReady(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ready, err := p.Ready(ctx)
	switch {
	case err != nil:
		return errors.Join(err, p.End())
	case !ready:
		return errors.Join(fmt.Errorf("the %s ended before it was ready", p.name), p.outcome)
	}
	return nil
}

// Said gives what stands behind key= in its line "ready …"; empty before that, and where there is no such key.
func (p *Process) Said(key string) string {
	select {
	case <-p.ready:
		return p.said[key]
	default:
		return ""
	}
}

// Name is what messages call it.
func (p *Process) Name() string { return p.name }

// Gone tells whether the process has ended.
func (p *Process) Gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Err says how a process ended that is gone; nil: well, or not yet.
func (p *Process) Err() error {
	if !p.Gone() {
		return nil
	}
	return p.outcome
}

// Kill ends the process as a power cut would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// End asks the process to end. One that takes too long is killed, and the error says so, as it does of one that ended badly.
func (p *Process) End() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already: ended tells
	timer := time.NewTimer(p.stop)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.Kill()
		return fmt.Errorf("the %s did not end within %v", p.name, p.stop)
	}
	if p.outcome != nil {
		return fmt.Errorf("the %s ended badly: %w", p.name, p.outcome)
	}
	return nil
}
