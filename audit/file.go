package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Bounds of the file. Beyond its size it is renamed to audit.log.1, that to audit.log.2, and so on; the oldest is dropped.
const (
	maxFile  = 16 << 20 // bytes
	maxFiles = 5        // beside the one that is written
)

// line is an entry as it stands in the file: with a time that people read.
type line struct {
	At      string          `json:"at"` // RFC 3339, UTC
	User    string          `json:"user"`
	Action  string          `json:"action"`
	Subject string          `json:"subject,omitempty"`
	Details json.RawMessage `json:"details,omitempty"`
}

// book is the file. It is safe for concurrent use.
type book struct {
	name string
	max  int64 // bytes

	mu   sync.Mutex
	file *os.File // nil: it could not be opened again; guarded by mu
	size int64    // guarded by mu
}

func openBook(name string) (*book, error) {
	b := &book{name: name, max: maxFile}
	return b, b.open()
}

// open is called with mu held, or before anybody else has b.
func (b *book) open() error {
	f, err := os.OpenFile(b.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = f.Chmod(0o600)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open the audit log: %w", err), f.Close())
	}
	b.file, b.size = f, info.Size()
	return nil
}

// write appends entries. With sync they are on disk when it returns.
func (b *book) write(sync bool, entries ...Entry) error {
	var text []byte
	for _, e := range entries {
		one, err := json.Marshal(line{At: e.At.Time().Format(time.RFC3339Nano), User: e.Caller, Action: e.Action, Subject: e.Subject, Details: e.Details})
		if err != nil {
			return fmt.Errorf("write the audit log: %w", err)
		}
		text = append(append(text, one...), '\n')
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		if err := b.open(); err != nil {
			return err
		}
	}
	if b.size > 0 && b.size+int64(len(text)) > b.max {
		if err := b.rotate(); err != nil {
			return err
		}
	}
	n, err := b.file.Write(text)
	b.size += int64(n)
	if err == nil && sync {
		err = b.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	return nil
}

// rotate gives the file its number and begins another. Where it cannot be renamed it grows on: a full disk is better than a hole.
func (b *book) rotate() error {
	for n := maxFiles; n > 0; n-- {
		old := b.name
		if n > 1 {
			old = fmt.Sprintf("%s.%d", b.name, n-1)
		}
		if err := os.Rename(old, fmt.Sprintf("%s.%d", b.name, n)); err != nil && n == 1 {
			return nil //nolint:nilerr // see above
		}
	}
	err := b.file.Close()
	b.file = nil
	return errors.Join(err, b.open())
}

func (b *book) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return nil
	}
	err := b.file.Close()
	b.file = nil
	return err
}
