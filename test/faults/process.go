//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopLimit is how long a process may take to end when asked: twice what is promised.
const stopLimit = 10 * time.Second

// process is a program that runs.
type process struct {
	name  string
	cmd   *exec.Cmd
	ready chan struct{} // closed when it has said "ready …"
	ended chan struct{} // closed when it has ended
	err   error         // once ended is closed
}

// start starts a program. What it says of itself is added to a log file.
func start(log, name, program string, args ...string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: exec.Command(program, args...), ready: make(chan struct{}), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = in, file
	p.cmd.Env = append(os.Environ(), clockVariable+"="+filepath.Join(filepath.Dir(log), name+".clock"))
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches us, and we end it in order
	err = p.cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	go func() { // ends with the process; kill and end wait for that
		defer close(p.ended)
		defer out.Close()
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), "ready ") {
				close(p.ready)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // what it says later is of no interest here
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// isReady waits until the process is ready; it tells whether it is, or has ended instead.
func (p *process) isReady(ctx context.Context) (bool, error) {
	select {
	case <-p.ready:
		return true, nil
	case <-p.ended:
		return false, nil
	case <-ctx.Done():
		return false, fmt.Errorf("the %s was not ready in time: %w", p.name, ctx.Err())
	}
}

// gone tells whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.ended
}

// end asks the process to end.
func (p *process) end() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already: ended tells
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		p.kill()
		return fmt.Errorf("the %s did not end within %v", p.name, stopLimit)
	}
	if p.err != nil {
		return fmt.Errorf("the %s ended badly: %w", p.name, p.err)
	}
	return nil
}

// memory gives the most that the process has had resident so far, in MiB, as Linux has it in /proc.
func (p *process) memory() (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if f := strings.Fields(string(line)); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.Atoi(f[1])
			return kib / 1024, err
		}
	}
	return 0, errors.New("it has no memory any more")
}
