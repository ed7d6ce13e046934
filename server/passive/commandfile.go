package passive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// commandFile is Nagios' external command file, a named pipe. It is never made, and never waited for: a Nagios that has ended leaves its pipe behind,
// and who opens that to write is held for ever.
type commandFile struct{ path string }

// fullWait is how long a pipe that is full is waited for, all in all: Nagios reads it all the time.
const fullWait = 2 * time.Second

func (c commandFile) send(ctx context.Context, batch []nagios.Passive, took func(i int, refused error)) error {
	if info, err := os.Stat(c.path); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return c.fault(err, "it is no named pipe, and Nagios makes one when it accepts external commands")
	}
	f, err := os.OpenFile(c.path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return c.fault(err, "")
	}
	defer func() { _ = f.Close() }()                                            // what was written is written
	if info, err := f.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 { // it may have been another file by now
		return c.fault(err, "it is no named pipe")
	}
	end := time.Now().Add(fullWait)
	if limit, ok := ctx.Deadline(); ok && limit.Before(end) {
		end = limit
	}
	if err := f.SetWriteDeadline(end); err != nil {
		return c.fault(err, "")
	}
	for i, p := range batch {
		if err := ctx.Err(); err != nil {
			return c.fault(err, "")
		}
		// At most PIPE_BUF bytes at once: they are written together, or not at all.
		if _, err := f.WriteString(p.Command()); err != nil {
			return c.fault(err, "")
		}
		took(i, nil)
	}
	return nil
}

// fault says what is wrong; otherwise holds where err is nil.
func (c commandFile) fault(err error, otherwise string) error {
	switch {
	case err == nil:
		return fmt.Errorf("command file %s: %s: %w", c.path, otherwise, fettle.ErrUnavailable)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("command file %s is not there: does Nagios run, with check_external_commands=1? %w", c.path, fettle.ErrUnavailable)
	case errors.Is(err, syscall.ENXIO), errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("command file %s: nobody reads it: does Nagios run? %w", c.path, fettle.ErrUnavailable)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("command file %s: it is full, and Nagios does not read it: %w", c.path, fettle.ErrUnavailable)
	}
	return unreachable("command file", err)
}
