package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
)

// AuditEntry is one line of the node's own log of what was asked of it. A task that is executed has two: begun, and ended.
type AuditEntry struct {
	At      string         `json:"at"` // by the node's clock, RFC 3339 in UTC
	Event   string         `json:"event"`
	Task    fettle.TaskID  `json:"task"`
	Run     fettle.RunID   `json:"run,omitempty"`
	Check   string         `json:"check,omitempty"`
	Caller  string         `json:"caller,omitempty"`
	Action  string         `json:"action"`
	Inputs  map[string]any `json:"inputs,omitempty"` // without secrets, and none longer than maxAuditText
	Status  string         `json:"status,omitempty"` // of what has ended
	Message string         `json:"message,omitempty"`
	TookMS  int64          `json:"took_ms,omitempty"` // milliseconds
}

// maxAuditText bounds a text in an entry, in bytes.
const maxAuditText = 1024

func (a *Agent) auditBegun(t fettle.Task, at time.Time) {
	if a.cfg.Audit != nil {
		a.cfg.Audit(a.auditEntry(t, at, "begun"))
	}
}

// auditEnded tells of a result, that of a task which was refused or never begun too.
func (a *Agent) auditEnded(t fettle.Task, r fettle.Result) {
	if a.cfg.Audit == nil {
		return
	}
	e := a.auditEntry(t, time.Now(), "ended")
	e.Status, e.Message, e.TookMS = r.Status.String(), cut(r.Message, maxAuditText), r.TookMS
	a.cfg.Audit(e)
}

func (a *Agent) auditEntry(t fettle.Task, at time.Time, event string) AuditEntry {
	e := AuditEntry{At: at.UTC().Format(time.RFC3339Nano), Event: event, Task: t.ID, Run: t.Run, Check: t.Check, Caller: t.Caller, Action: t.Action}
	manifest, _ := a.actions.Manifest(t.Action, t.Plugin) // of an action that is not there, every input is masked
	e.Inputs = plugins.Public(manifest, t.Inputs)
	for name, v := range e.Inputs {
		if s, is := v.(string); is {
			e.Inputs[name] = cut(s, maxAuditText)
		} else if raw, err := json.Marshal(v); err != nil || len(raw) > maxAuditText {
			e.Inputs[name] = cut(string(raw), maxAuditText)
		}
	}
	return e
}

// AuditLog is a file of entries, a line of JSON each, which nobody but its owner can read. A file that has grown to its limit is put aside as
// FILE.1, and those before it move on; the oldest goes. It is safe for concurrent use.
type AuditLog struct {
	path  string
	limit int64 // bytes
	old   int   // files that are kept beside the one that is written

	mu   sync.Mutex // guards what follows
	file *os.File
	size int64
}

// OpenAuditLog opens the log, or begins it. Close it when nobody writes any more.
func OpenAuditLog(path string, limit int64, old int) (*AuditLog, error) {
	l := &AuditLog{path: path, limit: limit, old: old}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return l, nil
}

func (l *AuditLog) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = f.Chmod(0o600)
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.Close()
		return err
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write appends an entry. It is in the file when Write returns, though not yet on disk.
func (l *AuditLog) Write(e AuditEntry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size > 0 && l.size+int64(len(line)) > l.limit {
		if err := l.rotate(); err != nil {
			return fmt.Errorf("audit log: %w", err)
		}
	}
	n, err := l.file.Write(line)
	if l.size += int64(n); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

// rotate is called with mu held. When a file cannot be put aside, the log goes on in the one that is there.
func (l *AuditLog) rotate() error {
	if err := l.file.Close(); err != nil {
		return err
	}
	name := func(n int) string { return strings.TrimSuffix(fmt.Sprintf("%s.%d", l.path, n), ".0") }
	var fault error
	for n := l.old; n > 0 && fault == nil; n-- {
		if err := os.Rename(name(n-1), name(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			fault = err
		}
	}
	return errors.Join(fault, l.open())
}

// Close closes the file.
func (l *AuditLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
