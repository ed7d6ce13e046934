package store

import (
	"context"
	"database/sql"
	"errors"
)

// counter gives one of the numbers that this package keeps for itself, and zero where there is none yet.
func (s *Store) counter(ctx context.Context, name string) (n int64, err error) {
	err = s.reader().one(ctx, "read counter", "SELECT value FROM counters WHERE name = ?", []any{name}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return n, err
}

// add adds n to a counter.
func (t *tx) add(ctx context.Context, name string, n int64) error {
	_, err := t.exec(ctx, "add to counter", "INSERT INTO counters (name, value) VALUES (?,?)"+t.s.d.upsert("name", "value = counters.value + new(value)"), name, n)
	return err
}

// raise sets a counter to n where it is smaller.
func (s *Store) raise(ctx context.Context, name string, n int64) error {
	return s.write(ctx, "raise counter "+name, func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, "raise counter", "INSERT INTO counters (name, value) VALUES (?,?)"+
			t.s.d.upsert("name", "value = CASE WHEN counters.value < new(value) THEN new(value) ELSE counters.value END"), name, n)
		return err
	})
}
