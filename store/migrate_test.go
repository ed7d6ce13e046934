package store

import (
	"errors"
	"io/fs"
	"log/slog"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
)

// reopen opens the database of s once more.
func reopen(t *testing.T, s *Store) (*Store, error) {
	t.Helper()
	return Open(t.Context(), s.cfg, slog.New(slog.DiscardHandler))
}

// testMigrateAgain takes away the note of the last statement, as a server leaves it that dies between the two. Only where DDL does not roll
// back can the statement's work stay behind.
func testMigrateAgain(t *testing.T, s *Store) {
	commit(t, s, Batch{Nodes: writes(node("a"))})
	if s.d.name == "sqlite" {
		execute(t, s, "DROP INDEX "+lastIndex(t))
	}
	execute(t, s, "DELETE FROM goose_db_version WHERE version_id = (SELECT v FROM (SELECT MAX(version_id) v FROM goose_db_version) m)")
	again, err := reopen(t, s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if n := len(loadNodes(t, again)); n != 1 {
		t.Fatalf("%d nodes are there after the migration, want 1", n)
	}
}

// lastIndex gives the index that the last statement of all makes.
func lastIndex(t *testing.T) string {
	t.Helper()
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	text, err := migrations.ReadFile(names[len(names)-1])
	if err != nil {
		t.Fatal(err)
	}
	all := statements(string(text))
	_, name, found := strings.Cut(all[len(all)-1], "CREATE INDEX ")
	if !found {
		t.Fatalf("the last statement of %s makes no index, which alone can be taken back", names[len(names)-1])
	}
	name, _, _ = strings.Cut(name, " ")
	return name
}

func testMigrateBack(t *testing.T, s *Store) {
	execute(t, s, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999999, 1)")
	if _, err := reopen(t, s); !errors.Is(err, fettle.ErrConflict) || !strings.Contains(err.Error(), "999999") {
		t.Fatalf("error is %v", err)
	}
}

// execute runs a statement that no method has.
func execute(t *testing.T, s *Store, statement string, args ...any) {
	t.Helper()
	if _, err := s.db.write.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func TestStatements(t *testing.T) {
	got := statements("-- one\n-- more\nCREATE TABLE a (\n  b TEXT -- said; twice\n);\n\n-- two\nCREATE INDEX c;\n\n-- end\n")
	wantSame(t, []string{"CREATE TABLE a (\n  b TEXT -- said; twice\n)", "CREATE INDEX c"}, got)
}

// TestSteps holds the migrations to what migrate relies on.
func TestSteps(t *testing.T) {
	for _, d := range []*dialect{&sqliteDialect, &mysqlDialect} {
		steps, err := d.steps()
		if err != nil {
			t.Fatal(err)
		}
		perFile := map[int64]int{}
		for _, s := range steps {
			perFile[s.Version/stepsPerFile]++
		}
		for file, n := range perFile {
			if file == 0 || n >= stepsPerFile {
				t.Errorf("%s: file %d has %d statements, and there is room for %d", d.name, file, n, stepsPerFile-1)
			}
		}
	}
}
