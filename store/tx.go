package store

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"strings"
	"time"
)

// A transaction that lost against another is tried again: this often, and after this long, doubled each time.
const (
	maxTries   = 6
	firstDelay = 5 * time.Millisecond
)

// errClosed is what database/sql says of a pool that was closed; it exports no value for it.
var errClosed = errors.New("database is closed")

// queryer is what a pool and a transaction share.
type queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// tx runs statements, in one transaction or, for a single reading one, without. Every statement of the package goes through exec or each.
type tx struct {
	s  *Store
	q  queryer
	in *sql.Tx // nil: no transaction
}

// write runs do in one transaction and commits it. do is run again when the transaction lost against another, so it must begin anew each
// time. what says in errors what we were doing.
func (s *Store) write(ctx context.Context, what string, do func(ctx context.Context, t *tx) error) error {
	delay := firstDelay
	for try := 1; ; try++ {
		err := s.transact(ctx, do)
		if err == nil {
			s.prepareWanted(ctx)
			return nil
		}
		if try == maxTries || !s.d.again(err) {
			return s.fault(ctx, what, err)
		}
		s.log.DebugContext(ctx, "transaction is tried again", "action", what, "err", err)
		select {
		case <-ctx.Done():
			return s.fault(ctx, what, errors.Join(err, ctx.Err()))
		case <-time.After(delay + rand.N(delay)):
			delay *= 2
		}
	}
}

func (s *Store) transact(ctx context.Context, do func(ctx context.Context, t *tx) error) error {
	var in *sql.Tx
	err := s.timed("begin", func() (err error) { in, err = s.db.write.BeginTx(ctx, nil); return err })
	if err != nil {
		return err
	}
	if err := do(ctx, &tx{s: s, q: in, in: in}); err != nil {
		return errors.Join(err, ended(in.Rollback()))
	}
	return s.timed("commit", in.Commit)
}

// ended forgives a rollback that database/sql did itself, because the context ended or the connection broke.
func ended(err error) error {
	if errors.Is(err, sql.ErrTxDone) || errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}

// reader runs single statements that read.
func (s *Store) reader() *tx { return &tx{s: s, q: s.db.read} }

// exec runs a statement that writes, and gives the number of rows that it changed.
func (t *tx) exec(ctx context.Context, name, query string, args ...any) (int64, error) {
	var n int64
	err := t.s.timed(name, func() error {
		res, err := t.run(ctx, query, args)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// run uses a prepared statement where there is one.
func (t *tx) run(ctx context.Context, query string, args []any) (sql.Result, error) {
	if !t.s.d.prepare || t.in == nil {
		return t.q.ExecContext(ctx, query, args...)
	}
	if stmt := t.s.statement(query); stmt != nil {
		return t.in.StmtContext(ctx, stmt).ExecContext(ctx, args...)
	}
	return t.q.ExecContext(ctx, query, args...)
}

// each runs a statement that reads, and calls scan for each row. Its time is that until the last row was scanned.
func (t *tx) each(ctx context.Context, name, query string, args []any, scan func(rows *sql.Rows) error) error {
	return t.s.timed(name, func() error {
		rows, err := t.q.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }() // rows.Err tells what was wrong
		for rows.Next() {
			if err := scan(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// one runs a statement that reads one row into dest. No row is sql.ErrNoRows.
func (t *tx) one(ctx context.Context, name, query string, args []any, dest ...any) error {
	found := false
	err := t.each(ctx, name, query, args, func(rows *sql.Rows) error { found = true; return rows.Scan(dest...) })
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

// timed runs one statement, tells Config.Observe of it, and puts its name before its error.
func (s *Store) timed(name string, do func() error) error {
	start := time.Now()
	err := do()
	if s.cfg.Observe != nil {
		s.cfg.Observe(name, time.Since(start), err)
	}
	if err == nil {
		return nil
	}
	if strings.HasSuffix(err.Error(), errClosed.Error()) {
		err = errClosed
	}
	return &statementError{name, err}
}

// statementError is the error of a statement that has a name.
type statementError struct {
	name string
	err  error
}

func (e *statementError) Error() string { return e.name + ": " + e.err.Error() }
func (e *statementError) Unwrap() error { return e.err }

// statement gives the prepared form of query. The first time there is none: it cannot be made inside of a transaction that holds the only
// connection, so it is noted, and prepareWanted makes it afterwards.
func (s *Store) statement(query string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	stmt := s.prepared[query]
	if stmt == nil {
		s.wanted[query] = true
	}
	return stmt
}

// prepareWanted prepares what ran unprepared. A statement that cannot be prepared stays as it is: it works without, and its own run tells
// what is wrong with it.
func (s *Store) prepareWanted(ctx context.Context) {
	s.mu.Lock()
	var queries []string
	for q := range s.wanted {
		queries = append(queries, q)
	}
	clear(s.wanted)
	s.mu.Unlock()
	for _, q := range queries {
		stmt, err := s.db.write.PrepareContext(ctx, q)
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.prepared[q] == nil {
			s.prepared[q], stmt = stmt, nil
		}
		s.mu.Unlock()
		if stmt != nil {
			_ = stmt.Close()
		}
	}
}
