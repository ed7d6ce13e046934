package facts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// graceful is how long we wait for a program that was killed to let go of its output.
const graceful = time.Second

// maxStderr is what is kept of a program's complaints, bytes.
const maxStderr = 2 << 10

// run starts a program, without a shell, and gives what it printed. It is killed, with all that it started, after timeout, when ctx ends or when
// it prints more than maxFile bytes. Any of these, and an exit status
// that is not 0, is an error with the first line that it said on stderr; what it had printed is given nevertheless.
func run(ctx context.Context, command []string, timeout time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no end within %s: %w", timeout, fettle.ErrUnavailable))
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	stdout := &capped{limit: maxFile, full: func() { stop(fmt.Errorf("more than %d bytes of output: %w", maxFile, fettle.ErrInvalid)) }}
	stderr := &capped{limit: maxStderr}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, graceful
	ownGroup(cmd)
	err := cmd.Run()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		if said := strings.TrimSpace(strings.ToValidUTF8(stderr.kept.String(), "\uFFFD")); said != "" {
			said, _, _ = strings.Cut(said, "\n")
			return stdout.kept.Bytes(), fmt.Errorf("run: %w: %s", err, said)
		}
		return stdout.kept.Bytes(), fmt.Errorf("run: %w", err)
	}
	return stdout.kept.Bytes(), nil
}

// capped keeps what is written, up to limit bytes; then it calls full, if there is one, and drops the rest. The buffer is a field, because its
// ReadFrom would take everything.
type capped struct {
	kept  bytes.Buffer
	limit int
	full  func()
}

func (c *capped) Write(p []byte) (int, error) {
	room := c.limit - c.kept.Len()
	if len(p) > room && c.full != nil {
		c.full()
	}
	_, err := c.kept.Write(p[:min(len(p), room)])
	return len(p), err
}
