package actions

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// nrpeFile is the node's NRPE configuration. It is read again when one of its files has changed.
type nrpeFile struct {
	path string // empty: there is none
	log  *slog.Logger

	mu    sync.Mutex   // guards what follows
	n     *nagios.NRPE // nil: not read yet
	err   error        // why n could not be read, when nothing good was read before
	stamp string       // of the files as they were when n was read
}

// get gives the configuration as it is now: the empty one when there is none. One that is broken is ErrInvalid the first time; later, what was
// read before goes on to hold, and the log has the fault.
func (f *nrpeFile) get() (*nagios.NRPE, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.path == "" {
		return &nagios.NRPE{}, nil
	}
	if f.n != nil && f.stamp == stampOf(f.n.Files) {
		return f.n, f.err
	}
	f.read()
	return f.n, f.err
}

// read reads the configuration. The stamp is taken before: a change while it is read shows at the next call.
func (f *nrpeFile) read() {
	watched := []string{f.path}
	if f.n != nil {
		watched = f.n.Files
	}
	before := stampOf(watched)
	root, rest := splitRoot(f.path)
	n, warnings, err := nagios.ReadNRPE(os.DirFS(root), rest)
	for _, w := range warnings {
		f.log.Warn("NRPE configuration has a fault", "err", w)
	}
	switch {
	case err == nil:
		f.n, f.err = n, nil
		// Files may be others than before: then their stamp is taken now.
		if f.stamp = before; !sameFiles(watched, n.Files) {
			f.stamp = stampOf(n.Files)
		}
		return
	case errors.Is(err, fettle.ErrNotFound):
		f.n, f.err = &nagios.NRPE{Files: watched}, nil // built-in checks only
	case f.n == nil || f.err != nil || len(f.n.Commands) == 0:
		f.n, f.err = &nagios.NRPE{Files: watched}, fmt.Errorf("NRPE configuration: %w", err)
		f.log.Error("NRPE configuration cannot be read", "err", err)
	default:
		f.log.Error("NRPE configuration cannot be read, what was read before holds", "err", err)
	}
	f.stamp = before
}

func sameFiles(a, b []string) bool { return strings.Join(a, "\x00") == strings.Join(b, "\x00") }

// stampOf tells the state of files, so that a change of any shows.
func stampOf(files []string) string {
	var b strings.Builder
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			fmt.Fprintf(&b, "%s %t;", name, errors.Is(err, fs.ErrNotExist))
			continue
		}
		fmt.Fprintf(&b, "%s %d %d %v;", name, info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	return b.String()
}

// splitRoot gives the root of the file system that path is on, and the way from there.
func splitRoot(path string) (root, rest string) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	volume := filepath.VolumeName(path)
	return volume + string(filepath.Separator), filepath.ToSlash(strings.TrimPrefix(path, volume))
}
