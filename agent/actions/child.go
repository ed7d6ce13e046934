package actions

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/wire"
)

// Spans that a child is given.
const (
	toTerminate = 2 * time.Second        // between TERM and KILL
	toDrain     = 500 * time.Millisecond // for processes that a child leaves behind with its output open
	toCollapse  = 2 * time.Second        // after KILL, before a child that cannot die is left alone
)

// Bounds of what is kept of a child's output when nobody says otherwise, in bytes; the rest is read and dropped.
const (
	maxStdout = 64 << 10
	maxStderr = 4 << 10
)

// child says what to run.
type child struct {
	path   string
	args   []string // without the name
	env    []string
	user   *owner // nil: as the agent
	dir    string // empty: the root folder
	stdin  string // empty: none
	limits allowance
	leave  bool // what it leaves behind with its output open goes on living: a service that it has started, say

	stdout, stderr keep                                  // zero: the first maxStdout, maxStderr
	each           func(stream string, chunk []byte)     // is given the output as it comes; it must not keep chunk; nil: nobody wants it
	note           func(format string, arguments ...any) // is told which limit could not be had; nil: nobody wants to know
}

// allowance is what a child is held to, as far as the machine lets us.
type allowance struct {
	nice      int    // added to the agent's own
	io        string // idle or best-effort; empty: the agent's own
	memory    int64  // bytes; zero: no limit
	cpu       int64  // percent of one processor; zero: no limit
	processes int64  // zero: no limit
}

// ending is how a child ended.
type ending struct {
	stdout, stderr       []byte
	cutStdout, cutStderr int64  // bytes that were not kept
	exit                 int    // -1: by a signal
	signal               string // which; empty: none
	killed               bool   // ctx ended before the child did
	starved              bool   // the kernel ended it for want of the memory that it was allowed
}

// run runs a child in a process group of its own. When ctx ends, the whole group is asked to end, then killed. A child that has ended is not
// waited for because of others that it left behind with its output open: they are ended too, after a moment, as NRPE does. The error says why
// there was no child at all.
func (c child) run(ctx context.Context) (ending, error) {
	if ctx.Err() != nil {
		return ending{exit: -1, killed: true}, nil
	}
	stdin, err := c.input()
	if err != nil {
		return ending{}, err
	}
	defer closeFile(stdin)
	stdout, stderr := c.stdout.or(keep{head: maxStdout}).keeper("stdout", c.each), c.stderr.or(keep{head: maxStderr}).keeper("stderr", c.each)
	outEnd, toStdout, err := stdout.open()
	if err != nil {
		return ending{}, err
	}
	errEnd, toStderr, err := stderr.open()
	if err != nil {
		toStdout.Close()
		outEnd()
		return ending{}, err
	}
	mark, own := "", kinOf(ctx)
	if own.remains != nil {
		mark = wire.NewID()
		c.env = append(slices.Clip(c.env), markVariable+"="+mark)
	}
	group, cmd, err := c.start(stdin, toStdout, toStderr)
	toStdout.Close() // only without our copies do the pipes end with the child
	toStderr.Close()
	if err != nil {
		outEnd()
		errEnd()
		return ending{}, err
	}
	forget := own.note(mark, cmd.Process.Pid, group, c.leave)
	exited := make(chan struct{})
	go func() { // ends with the child; waited for below, unless not even KILL ends it
		defer close(exited)
		_ = cmd.Wait() // ProcessState has it
	}()
	killed := !within(ctx.Done(), exited)
	if killed || !drained(stdout.done, stderr.done, toDrain) && !c.leave {
		endGroup(cmd, exited, graceOf(ctx))
	}
	outEnd()
	errEnd()
	e := ending{exit: -1, killed: killed, starved: group.starved()}
	group.close(!c.leave)
	e.stdout, e.cutStdout = stdout.bytes()
	e.stderr, e.cutStderr = stderr.bytes()
	select {
	case <-exited:
		forget()
		e.exit, e.signal = cmd.ProcessState.ExitCode(), signalOf(cmd.ProcessState)
	default: // it cannot die: it waits for a disk that does not answer, perhaps
	}
	return e, nil
}

// start starts the child, within its limits as far as they can be had.
func (c child) start(stdin, stdout, stderr *os.File) (*cgroup, *exec.Cmd, error) {
	command := func() *exec.Cmd {
		cmd := exec.Command(c.path, c.args...) // not CommandContext: it kills the child alone, not its group
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.dir, c.env, stdout, stderr
		if stdin != nil {
			cmd.Stdin = stdin
		}
		if cmd.Dir == "" {
			cmd.Dir = rootDir()
		}
		setGroup(cmd, c.user)
		return cmd
	}
	note := func(format string, arguments ...any) {
		if c.note != nil {
			c.note(format, arguments...)
		}
	}
	cmd := command()
	group, err := newCgroup(c.limits)
	if err != nil {
		note("limits of memory, cpu and processes are not kept: %v", err)
	}
	if group != nil {
		group.enter(cmd)
		err := startAt(cmd, c.limits, note)
		if err == nil {
			return group, cmd, nil
		}
		group.close(true)
		var path *os.PathError
		if errors.As(err, &path) && !strings.Contains(path.Op, "fork") { // it is the program itself that cannot be started
			return nil, nil, err
		}
		note("limits of memory, cpu and processes are not kept: %v", err)
		cmd = command()
	}
	return nil, cmd, startAt(cmd, c.limits, note)
}

// input gives a file that holds what the child reads, without a name; nil: there is nothing to read.
func (c child) input() (*os.File, error) {
	if c.stdin == "" {
		return nil, nil
	}
	f, err := os.CreateTemp("", "fettle-input-")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // where an open file cannot be removed, it is left to those who tidy that folder
	if _, err = f.WriteString(c.stdin); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close() // it was read, or written and thrown away
	}
}

// within waits for done, and tells whether it came before end.
func within(end <-chan struct{}, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-end:
		return false
	}
}

// drained waits for both ends of output, for a moment.
func drained(a, b <-chan struct{}, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for a != nil || b != nil {
		select {
		case <-a:
			a = nil
		case <-b:
			b = nil
		case <-timer.C:
			return false
		}
	}
	return true
}

// graceOf is the time between TERM and KILL. An agent that stops has less: what it left running would be ended by the next one only.
func graceOf(ctx context.Context) time.Duration {
	if errors.Is(context.Cause(ctx), agent.ErrStopped) {
		return toTerminate / 4
	}
	return toTerminate
}

// endGroup asks the child's group to end, and kills what is left of it.
func endGroup(cmd *exec.Cmd, exited <-chan struct{}, grace time.Duration) {
	signalGroup(cmd, false)
	if !waitFor(exited, grace) || groupLives(cmd) {
		signalGroup(cmd, true)
		waitFor(exited, toCollapse)
	}
}

func waitFor(done <-chan struct{}, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// startFault tells a child that could not be started from one that is not there.
func startFault(err error) string {
	var path *exec.Error
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
