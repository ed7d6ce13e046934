//go:build integration

package store

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fettle-dev/fettle"
)

// A connection that the server ends in the middle of a transaction leaves nothing of it behind, and the next one works.
func TestMySQLKilledConnection(t *testing.T) {
	s := openDatabase(t, Config{})
	src := testServer(t)
	err := s.write(t.Context(), "be killed", func(ctx context.Context, tx *tx) error {
		if err := writeNodes(ctx, tx, writes(node("a"))); err != nil {
			return err
		}
		var id int64
		if err := tx.one(ctx, "read id", "SELECT CONNECTION_ID()", nil, &id); err != nil {
			return err
		}
		admin(t, src.mysql, "KILL "+strconv.FormatInt(id, 10))
		return writeEvents(ctx, tx, []fettle.Event{{Kind: fettle.EventEnrolled}})
	})
	wantKind(t, err, fettle.ErrUnavailable)
	if n := len(loadNodes(t, s)); n != 0 {
		t.Fatalf("%d nodes of a transaction that was cut are there", n)
	}
	commit(t, s, Batch{Nodes: writes(node("a"))})
}

// Two transactions that take the same rows in opposite order: the database ends one of them, and it is run again.
func TestMySQLDeadlock(t *testing.T) {
	s := openDatabase(t, Config{})
	commit(t, s, Batch{Nodes: writes(node("a"), node("b"))})
	var both, wg sync.WaitGroup
	var tries atomic.Int32
	both.Add(2)
	for _, order := range [][]fettle.NodeID{{"a", "b"}, {"b", "a"}} {
		wg.Go(func() {
			first := true
			err := s.write(t.Context(), "cross", func(ctx context.Context, tx *tx) error {
				tries.Add(1)
				if err := writeSeen(ctx, tx, []Seen{{order[0], fettle.Late, 50}}); err != nil {
					return err
				}
				if first {
					first = false
					both.Done()
					both.Wait() // now each holds what the other wants
				}
				return writeSeen(ctx, tx, []Seen{{order[1], fettle.Late, 50}})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := tries.Load(); n != 3 {
		t.Errorf("the two transactions ran %d times, want 3: one was to be run again", n)
	}
	for id, n := range loadNodes(t, s) {
		if n.Liveness != fettle.Late {
			t.Errorf("node %s is %s", id, n.Liveness)
		}
	}
}

// Servers that start at the same time on an empty database change its schema one after the other.
func TestMySQLStartTogether(t *testing.T) {
	s := openDatabase(t, Config{})
	for _, table := range tables(t, s) {
		execute(t, s, "DROP TABLE "+table)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			again, err := reopen(t, s)
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(again.Ping(t.Context()), again.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// Nothing of the database's own defaults reaches the schema: every key is compared byte by byte.
func TestMySQLCollations(t *testing.T) {
	s := openDatabase(t, Config{})
	var wrong int
	err := s.reader().one(t.Context(), "read collations", `SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
		AND table_name <> 'goose_db_version' AND collation_name IS NOT NULL AND collation_name <> 'utf8mb4_bin'`, nil, &wrong)
	if err != nil || wrong != 0 {
		t.Fatalf("%d columns have another collation than utf8mb4_bin, error %v", wrong, err)
	}
	if n := len(tables(t, s)); n < 15 {
		t.Fatalf("only %d tables are there", n)
	}
}
