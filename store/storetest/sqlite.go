// Package storetest gives the tests of other packages stores to work with.
//
// Making all tables takes SQLite half a second under the race detector, and hundreds of tests want them: it is done once in a process, and what
// came of it is written to a new file for each test.
package storetest

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fettle-dev/fettle/store"
)

var empty struct {
	sync.Mutex
	file []byte // a database of today's version with nothing in it; nil: not made yet
}

// SQLite gives the DSN of a new database of today's version with nothing in it. It is gone with the test.
func SQLite(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fettle.db")
	dsn := "sqlite:" + path
	empty.Lock()
	defer empty.Unlock()
	if empty.file != nil {
		if err := os.WriteFile(path, empty.file, 0o600); err != nil {
			t.Fatal(err)
		}
		return dsn
	}
	db, err := store.Open(t.Context(), store.Config{DSN: dsn}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if empty.file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// Open opens such a database. It is closed when the test ends.
func Open(t testing.TB) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{DSN: SQLite(t)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}
