package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
)

// A full disk is played by a bound on the number of pages: SQLite gives the same code.
func TestFullDisk(t *testing.T) {
	s := openFile(t, Config{})
	commit(t, s, Batch{Nodes: writes(node("before"))})
	execute(t, s, "PRAGMA max_page_count = 1") // it is never set below what is in use
	big := Batch{Events: []fettle.Event{{Kind: fettle.EventEnrolled, Node: "x"}}, Seen: []Seen{{"before", fettle.Silent, 99}}}
	for i := range 100 {
		n := bigNode(i)
		big.Nodes = append(big.Nodes, NodeWrite{Node: n, Changes: []FactChange{{Path: "x"}}})
	}
	_, err := s.Commit(t.Context(), &big)
	wantKind(t, err, fettle.ErrUnavailable)

	all := loadNodes(t, s)
	if n := all["before"]; len(all) != 1 || n.Liveness != fettle.Alive {
		t.Fatalf("a half of the batch is there: %d nodes, %+v", len(all), n)
	}
	if e := must(s.Events(t.Context(), 0, 0))(t); len(e) != 0 {
		t.Fatalf("a half of the batch is there: %v", e)
	}
	execute(t, s, "PRAGMA max_page_count = 1000000")
	commit(t, s, big)
	if n := len(loadNodes(t, s)); n != 101 {
		t.Fatalf("%d nodes are there when there is room again, want 101", n)
	}
}

// Another program, such as one that makes a copy, may hold the file's lock.
func TestLockedFile(t *testing.T) {
	s := openFile(t, Config{})
	other, err := reopen(t, s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	execute(t, s, "PRAGMA busy_timeout = 20") // milliseconds
	holder, err := other.db.write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Commit(t.Context(), &Batch{Nodes: writes(node("a"))})
	wantKind(t, err, fettle.ErrUnavailable)
	if n := len(loadNodes(t, s)); n != 0 {
		t.Fatalf("%d nodes are read while another writes, want 0", n)
	}
	if err := holder.Rollback(); err != nil {
		t.Fatal(err)
	}
	commit(t, s, Batch{Nodes: writes(node("a"))})
}

// What Open promises of durability stands or falls with these.
func TestPragmas(t *testing.T) {
	s := openFile(t, Config{})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		var got string
		if err := s.db.write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s, error %v; want %s", pragma, got, err, want)
		}
	}
	if _, err := s.db.read.ExecContext(t.Context(), "DELETE FROM nodes"); err == nil {
		t.Error("a reading connection may write")
	}
	if _, err := os.Stat(strings.TrimPrefix(s.cfg.DSN, "sqlite:")); err != nil {
		t.Errorf("the file has another name than the DSN says: %v", err)
	}
}

// victimVariable names the environment variable that makes TestVictim commit until it is killed.
const victimVariable = "FETTLE_TEST_VICTIM_DSN"

// TestKill kills a process at a moment of its commits and wants all back that it said was committed.
func TestKill(t *testing.T) {
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "fettle.db")
	for round := range 3 {
		said := killed(t, dsn, 40+13*round)
		s := openStore(t, Config{DSN: dsn})
		all := loadNodes(t, s)
		changes := must(s.FactChanges(t.Context(), ChangeQuery{}))(t)
		for _, id := range said {
			if all[fettle.NodeID(id)].Identity == "" {
				t.Fatalf("round %d: node %s was committed and is gone", round, id)
			}
		}
		if len(changes) != len(all) {
			t.Fatalf("round %d: %d nodes and %d changes: a commit is there by half", round, len(all), len(changes))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killed runs a victim, kills it after it has said n times what it committed, and gives all that it said.
func killed(t *testing.T, dsn string, n int) (said []string) {
	t.Helper()
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestVictim$")
	victim.Env = append(os.Environ(), victimVariable+"="+dsn)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if said = append(said, lines.Text()); len(said) == n {
			if err := victim.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := victim.Wait(); err == nil || len(said) < n {
		t.Fatalf("the victim ended by itself after %q", said)
	}
	return said
}

// TestVictim does nothing but in the process that killed starts.
func TestVictim(t *testing.T) {
	dsn := os.Getenv(victimVariable)
	if dsn == "" {
		return
	}
	s, err := Open(context.Background(), Config{DSN: dsn}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; ; i++ {
		n := bigNode(i)
		n.Identity = fettle.NodeID(fmt.Sprintf("n%d-%d", os.Getpid(), i))
		if _, err := s.Commit(context.Background(), &Batch{Nodes: []NodeWrite{{n, []FactChange{{Path: "x"}}}}}); err != nil {
			t.Fatal(err)
		}
		fmt.Println(n.Identity)
	}
}

func TestKindOfAnUnknownError(t *testing.T) {
	s := openFile(t, Config{})
	_, err := s.reader().exec(t.Context(), "nonsense", "SELECT nothing FROM nowhere")
	err = s.fault(t.Context(), "ask nonsense", err)
	for _, kind := range []error{fettle.ErrUnavailable, fettle.ErrInvalid, fettle.ErrNotFound, fettle.ErrConflict} {
		if errors.Is(err, kind) {
			t.Errorf("a fault of ours is told as %q: %v", kind, err)
		}
	}
	if !strings.HasPrefix(err.Error(), "ask nonsense in sqlite:") || !strings.Contains(err.Error(), ": nonsense: ") {
		t.Errorf("the error names neither statement nor database: %v", err)
	}
}
