// Package store keeps what the server knows in SQLite or MySQL: nodes, tasks, results, runs, checks and all that belongs to them.
//
// It is the only importer of database/sql. A Store is made by Open and is safe for concurrent use. Every exported method is one transaction:
// what it writes is on disk when it returns, or nothing of it is. Errors wrap the kinds of package fettle:
//
//	ErrNotFound      no such row
//	ErrConflict      the row is there already, or has another rev than the caller thinks
//	ErrInvalid       a value that can never be stored; a Batch with one is refused whole
//	ErrUnavailable   the database is gone, full, locked or read-only: try again later
//
// Numbers inside of inputs and data come back as json.Number, so that no digit is lost.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/fettle-dev/fettle"
)

// Config says where the data are.
type Config struct {
	// DSN is sqlite:/path/fettle.db, mysql://user:password@host:3306/name, or user:password@tcp(host:3306)/name.
	DSN string
	// Observe is told of every statement that ended: its fixed name, its time and its error. It is called by many goroutines. nil: nobody.
	Observe func(name string, took time.Duration, err error)
	// MaxDeadLetters bounds the dead letters that are kept. Zero: DefaultDeadLetters.
	MaxDeadLetters int
}

// DefaultDeadLetters is how many dead letters are kept when Config does not say.
const DefaultDeadLetters = 10_000

// Store is an open database. Make one by Open.
type Store struct {
	cfg   Config
	log   *slog.Logger
	d     *dialect
	db    pools
	shown string // the DSN, masked

	mu       sync.Mutex           // guards prepared and wanted
	prepared map[string]*sql.Stmt // on db.write
	wanted   map[string]bool      // ran unprepared; to be prepared when the writer is idle
}

// pools are the connections: to migrate, to write, to read. The last two may be the same.
type pools struct{ migrate, write, read *sql.DB }

// Open connects to the database that cfg names and brings its schema up to date. A DSN that cannot be understood is ErrInvalid, a database
// that does not answer ErrUnavailable. The caller closes the Store.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Store, error) {
	src, err := parseDSN(cfg.DSN)
	if err != nil {
		return nil, err
	}
	if cfg.MaxDeadLetters <= 0 {
		cfg.MaxDeadLetters = DefaultDeadLetters
	}
	s := &Store{cfg: cfg, log: log, shown: src.shown, prepared: map[string]*sql.Stmt{}, wanted: map[string]bool{}}
	if src.mysql != nil {
		s.d = &mysqlDialect
		s.db, err = openMySQL(src.mysql)
	} else {
		s.d = &sqliteDialect
		s.db, err = openSQLite(src.file)
	}
	if err == nil {
		err = migrate(ctx, s.db.migrate, s.d)
	}
	if err == nil {
		err = s.db.migrate.Close()
	}
	if err != nil {
		return nil, s.fault(ctx, "open", errors.Join(err, s.Close()))
	}
	return s, nil
}

// Close ends all connections. Whatever runs on them fails with ErrUnavailable.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.db.migrate, s.db.read, s.db.write} { // the writer last: it folds the WAL into the file
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// String says where the data are, with the password masked.
func (s *Store) String() string { return s.shown }

// Ping tells whether the database answers: it reads and it takes a write lock. It is ErrUnavailable if not.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, "ping", func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "ping", "UPDATE counters SET value = value + 1 WHERE name = 'ping'")
		return err
	})
}

// fault says what we were doing, where, and of which kind err is.
func (s *Store) fault(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) { // SQLite says "interrupted"
		err = fmt.Errorf("%w: %w", cause, err)
	}
	if kind := s.kind(ctx, err); kind != nil && !errors.Is(err, kind) {
		return fmt.Errorf("%s in %s: %w: %w", what, s.shown, err, kind)
	}
	return fmt.Errorf("%s in %s: %w", what, s.shown, err)
}

// kind gives the kind of err, and nil for one that has none: a fault of ours, or the caller's own wish to stop.
func (s *Store) kind(ctx context.Context, err error) error {
	for _, kind := range []error{fettle.ErrNotFound, fettle.ErrConflict, fettle.ErrInvalid, fettle.ErrDenied, fettle.ErrUnavailable} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return fettle.ErrNotFound
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrConnDone), errors.Is(err, errClosed):
		return fettle.ErrUnavailable
	}
	return s.d.kind(err)
}
