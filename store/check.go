package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// SaveCheck makes or changes a check and gives the rev that it has now. With c.Rev zero it makes one, and is ErrConflict if there is one of
// that name; otherwise it writes over the one that has c.Rev, and is ErrConflict if that has changed and ErrNotFound if it is gone.
//
// A check that is made again after it was deleted goes on counting its revs.
func (s *Store) SaveCheck(ctx context.Context, c fettle.Check) (rev int64, err error) {
	err = s.write(ctx, "save check "+text(c.Name), func(ctx context.Context, t *tx) error {
		if err := named("check", c.Name, MaxName); err != nil {
			return err
		}
		inputs, err := object(c.Inputs)
		if err != nil {
			return fmt.Errorf("inputs: %w", err)
		}
		values := []any{text(c.Action), inputs, text(string(c.Filter)), c.Interval, c.Timeout, int64(c.Attempts), c.Retry, c.Fresh, string(c.Undefined)}
		rev, err = saveCheck(ctx, t, c.Name, c.Rev, values)
		return err
	})
	return rev, err
}

func saveCheck(ctx context.Context, t *tx, name string, rev int64, values []any) (int64, error) {
	var now, deleted int64
	err := t.one(ctx, "read check rev", "SELECT rev, deleted_at FROM checks WHERE name = ?", []any{name}, &now, &deleted)
	switch {
	case errors.Is(err, sql.ErrNoRows) && rev == 0:
		_, err = t.exec(ctx, "insert check", `INSERT INTO checks (action, inputs, filter, interval_ms, timeout_ms, attempts, retry_ms, fresh_ms, undefined,
			name, rev, deleted_at) VALUES `+tuples(1, 12), append(values, name, int64(1), int64(0))...)
		return 1, err
	case err != nil:
		return 0, err
	case rev == 0 && deleted == 0:
		return 0, fmt.Errorf("it is there already: %w", fettle.ErrConflict)
	case rev != 0 && deleted != 0:
		return 0, fettle.ErrNotFound
	case rev != 0 && rev != now:
		return 0, fmt.Errorf("it has rev %d now, and the change was made to rev %d: %w", now, rev, fettle.ErrConflict)
	}
	n, err := t.exec(ctx, "update check", `UPDATE checks SET action = ?, inputs = ?, filter = ?, interval_ms = ?, timeout_ms = ?, attempts = ?, retry_ms = ?,
		fresh_ms = ?, undefined = ?, deleted_at = 0, rev = rev + 1 WHERE name = ? AND rev = ?`, append(values, name, now)...)
	if err == nil && n == 0 { // another server was faster
		err = fettle.ErrConflict
	}
	return now + 1, err
}

// DeleteCheck takes a check and its states away. It is ErrNotFound if there is none.
func (s *Store) DeleteCheck(ctx context.Context, name string, at fettle.Millis) error {
	return s.write(ctx, "delete check "+text(name), func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "delete check", "UPDATE checks SET deleted_at = ?, rev = rev + 1 WHERE name = ? AND deleted_at = 0", int64(max(at, 1)), name)
		if err == nil && n == 0 {
			err = fettle.ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "delete check states", "DELETE FROM check_states WHERE check_name = ?", name)
		return err
	})
}

// Checks lists checks by name. after is the name of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) Checks(ctx context.Context, after string, limit int) ([]fettle.Check, error) {
	w := where{}
	w.addIf(true, "deleted_at = 0")
	w.addIf(after != "", "name > ?", after)
	var list []fettle.Check
	query := "SELECT name, rev, action, inputs, filter, interval_ms, timeout_ms, attempts, retry_ms, fresh_ms, undefined FROM checks" +
		w.String() + " ORDER BY name" + w.limit(page(limit))
	err := s.reader().each(ctx, "read checks", query, w.args, func(rows *sql.Rows) error {
		var c fettle.Check
		var inputs string
		err := rows.Scan(&c.Name, &c.Rev, &c.Action, &inputs, &c.Filter, &c.Interval, &c.Timeout, &c.Attempts, &c.Retry, &c.Fresh, &c.Undefined)
		if err != nil {
			return err
		}
		list = append(list, c)
		return decode("inputs", inputs, &list[len(list)-1].Inputs)
	})
	return list, s.fault(ctx, "list checks", err)
}
