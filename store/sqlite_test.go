package store

import (
	"log/slog"
	"path/filepath"
	"testing"
)

func TestSQLite(t *testing.T) { suite(t, openFile) }

// openFile opens a database in a fresh directory.
func openFile(t testing.TB, cfg Config) *Store {
	t.Helper()
	cfg.DSN = "sqlite:" + filepath.Join(t.TempDir(), "fettle ä?#%41.db")
	return openStore(t, cfg)
}

func openStore(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
