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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopLimit is how long a process may take to end when asked: twice what is promised.
const stopLimit = 10 * time.Second

// process is a running fettle.
type process struct {
	name  string
	cmd   *exec.Cmd
	said  map[string]string // the words key=value of its line "ready …"
	ended chan error        // gets one value
}

// start runs the program until it says that it is ready. Its diagnostics go to a file in state.
func start(ctx context.Context, s settings, state, name string, args ...string) (*process, error) {
	log, err := os.Create(filepath.Join(state, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &process{name: name, cmd: exec.Command(s.program, args...), ended: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = in, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C reaches us, and we end it in order
	err = p.cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return nil, err
	}
	ready := make(chan map[string]string, 1)
	go func() { // ends when the process has ended, and end waits for that
		defer out.Close()
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if words, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
				ready <- pairs(words)
				break
			}
		}
		_, _ = io.Copy(io.Discard, out) // what it says later is of no interest here
		p.ended <- p.cmd.Wait()
	}()
	ctx, cancel := context.WithTimeout(ctx, s.startLimit)
	defer cancel()
	select {
	case p.said = <-ready:
		return p, nil
	case err := <-p.ended:
		return nil, errors.Join(fmt.Errorf("the %s ended before it was ready; its log is %s", name, log.Name()), err)
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("the %s was not ready in time: %w", name, ctx.Err()), p.end())
	}
}

func pairs(words string) map[string]string {
	m := map[string]string{}
	for word := range strings.FieldsSeq(words) {
		key, value, _ := strings.Cut(word, "=")
		m[key] = value
	}
	return m
}

// end asks the process to end, and says so when it must be killed.
func (p *process) end() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already: ended tells
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case err := <-p.ended:
		if err != nil {
			return fmt.Errorf("the %s ended badly: %w", p.name, err)
		}
		return nil
	case <-timer.C:
		err := p.cmd.Process.Kill()
		return errors.Join(fmt.Errorf("the %s did not end within %v", p.name, stopLimit), err, <-p.ended)
	}
}

// memory gives the resident memory in MiB, as Linux has it in /proc.
func (p *process) memory() (int, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if f := strings.Fields(string(line)); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.Atoi(f[1])
			return kib / 1024, err
		}
	}
	return 0, errors.New("it has no memory any more")
}

// growth compares the last quarter of the time with the second: what is filled at the start is not growth. A quarter more and 32 MiB are
// what the collector of garbage may leave.
func growth(name string, mib []int) error {
	if len(mib) < 8 {
		return nil
	}
	early, late := middle(mib[len(mib)/4:len(mib)/2]), middle(mib[len(mib)*3/4:])
	if late > early*5/4 && late > early+32 {
		return fmt.Errorf("the memory of the %s grew from %d MiB to %d MiB", name, early, late)
	}
	return nil
}

func middle[T int | time.Duration](values []T) T {
	return slices.Sorted(slices.Values(values))[len(values)/2]
}

func longest(took []time.Duration) time.Duration { return slices.Max(took) }
