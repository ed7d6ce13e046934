package actions

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"
)

// Spans that a child is given.
const (
	toTerminate = 2 * time.Second        // between TERM and KILL
	toDrain     = 500 * time.Millisecond // for processes that a child leaves behind with its output open
	toCollapse  = 2 * time.Second        // after KILL, before a child that cannot die is left alone
)

// Bounds of what is kept of a child's output, in bytes; the rest is read and dropped.
const (
	maxStdout = 64 << 10
	maxStderr = 4 << 10
)

// child says what to run.
type child struct {
	path string
	args []string // without the name
	env  []string
	user *owner // nil: as the agent
}

// ending is how a child ended.
type ending struct {
	stdout, stderr []byte
	exit           int  // -1: by a signal
	killed         bool // ctx ended before the child did
}

// run runs a child in a process group of its own, in the root folder, without input. When ctx ends, the whole group is asked to end, then
// killed. A child that has ended is not waited for because of others that it left behind with its output open: they are ended too, after a
// moment, as NRPE does. The error says why there was no child at all.
func (c child) run(ctx context.Context) (ending, error) {
	cmd := exec.Command(c.path, c.args...) // not CommandContext: it kills the child alone, not its group
	cmd.Dir, cmd.Env = rootDir(), c.env
	setGroup(cmd, c.user)
	stdout, stderr := &tail{limit: maxStdout}, &tail{limit: maxStderr}
	outDone, outEnd, err := stdout.attach(&cmd.Stdout)
	if err != nil {
		return ending{}, err
	}
	errDone, errEnd, err := stderr.attach(&cmd.Stderr)
	if err != nil {
		closeChildEnds(cmd)
		outEnd()
		return ending{}, err
	}
	err = cmd.Start()
	closeChildEnds(cmd)
	if err != nil {
		outEnd()
		errEnd()
		<-outDone
		<-errDone
		return ending{}, err
	}
	exited := make(chan struct{})
	go func() { // ends with the child; waited for below, unless not even KILL ends it
		defer close(exited)
		_ = cmd.Wait() // ProcessState has it
	}()
	killed := !within(ctx.Done(), exited)
	switch {
	case killed:
		endGroup(cmd, exited)
	case !drained(outDone, errDone, toDrain):
		endGroup(cmd, exited)
	}
	outEnd()
	errEnd()
	<-outDone
	<-errDone
	e := ending{stdout: stdout.bytes(), stderr: stderr.bytes(), exit: -1, killed: killed}
	select {
	case <-exited:
		e.exit = cmd.ProcessState.ExitCode()
	default: // it cannot die: it waits for a disk that does not answer, perhaps
	}
	return e, nil
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

// endGroup asks the child's group to end, and kills what is left of it.
func endGroup(cmd *exec.Cmd, exited <-chan struct{}) {
	signalGroup(cmd, false)
	if !waitFor(exited, toTerminate) || groupLives(cmd) {
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

// tail keeps the beginning of what is written, and reads on behind it.
type tail struct {
	limit int
	mu    sync.Mutex // guards kept
	kept  []byte
}

func (t *tail) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.kept
}

// attach makes a pipe whose end for the child is put to *to. done is closed when all writers are gone, or when end was called.
func (t *tail) attach(to *io.Writer) (done <-chan struct{}, end func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	*to = w
	closed := make(chan struct{})
	go func() { // ends at the end of the pipe, or when end closes it; run waits for done
		defer close(closed)
		t.read(r)
	}()
	var once sync.Once
	return closed, func() { once.Do(func() { r.Close() }) }, nil
}

func (t *tail) read(r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		t.mu.Lock()
		t.kept = append(t.kept, buf[:min(n, t.limit-len(t.kept))]...)
		t.mu.Unlock()
		if err != nil {
			return // io.EOF, or the pipe was closed
		}
	}
}

// closeChildEnds closes our copies of what the child writes to: only then do the pipes end with the child.
func closeChildEnds(cmd *exec.Cmd) {
	for _, w := range []io.Writer{cmd.Stdout, cmd.Stderr} {
		if f, is := w.(*os.File); is {
			_ = f.Close() // it was never written to here
		}
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
