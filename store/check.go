package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// CheckWrite is a check to be made or changed.
type CheckWrite struct {
	fettle.KeptCheck // Rev is that of the one that is changed, zero for one that is made; TaskRev is the store's to say
	// SameTask: what the nodes are asked has not changed, and results of before still count.
	SameTask bool
}

// SaveCheck makes or changes a check and gives the revs that it has now. With Rev zero it makes one, and is ErrConflict if there is one of that
// name; otherwise it writes over the one that has Rev, and is ErrConflict if that has changed and ErrNotFound if it is gone.
//
// A check that is made again after it was deleted goes on counting its revs.
func (s *Store) SaveCheck(ctx context.Context, c CheckWrite) (rev, taskRev int64, err error) {
	err = s.write(ctx, "save check "+text(c.Name), func(ctx context.Context, t *tx) error {
		if err := named("check", c.Name, MaxName); err != nil {
			return err
		}
		body, err := encode(c.CheckDefinition)
		if err != nil {
			return fmt.Errorf("definition: %w", err)
		}
		values := []any{text(body), text(c.Source), text(c.Role), int64(c.Updated), text(c.Editor), clip(c.Account, MaxName), clip(c.Token, MaxName)}
		rev, taskRev, err = saveCheck(ctx, t, c, values)
		return err
	})
	return rev, taskRev, err
}

func saveCheck(ctx context.Context, t *tx, c CheckWrite, values []any) (rev, taskRev int64, err error) {
	var now, task, deleted int64
	err = t.one(ctx, "read check rev", "SELECT rev, task_rev, deleted_at FROM check_definitions WHERE name = ?", []any{c.Name}, &now, &task, &deleted)
	switch {
	case errors.Is(err, sql.ErrNoRows) && c.Rev == 0:
		_, err = t.exec(ctx, "insert check", "INSERT INTO check_definitions (body, source, role, updated_at, updated_by, account, token, name, rev, task_rev, deleted_at) VALUES "+
			tuples(1, 11), append(values, c.Name, int64(1), int64(1), int64(0))...)
		return 1, 1, err
	case errors.Is(err, sql.ErrNoRows):
		return 0, 0, fettle.ErrNotFound
	case err != nil:
		return 0, 0, err
	case c.Rev == 0 && deleted == 0:
		return 0, 0, fmt.Errorf("it is there already: %w", fettle.ErrConflict)
	case c.Rev != 0 && deleted != 0:
		return 0, 0, fettle.ErrNotFound
	case c.Rev != 0 && c.Rev != now:
		return 0, 0, fmt.Errorf("it has rev %d now, and the change was made to rev %d: %w", now, c.Rev, fettle.ErrConflict)
	}
	if rev, taskRev = now+1, task; !c.SameTask || c.Rev == 0 {
		taskRev = rev
	}
	n, err := t.exec(ctx, "update check", "UPDATE check_definitions SET body = ?, source = ?, role = ?, updated_at = ?, updated_by = ?, account = ?, token = ?, deleted_at = 0, rev = ?, task_rev = ? "+
		"WHERE name = ? AND rev = ?", append(values, rev, taskRev, c.Name, now)...)
	if err == nil && n == 0 { // another server was faster
		err = fettle.ErrConflict
	}
	return rev, taskRev, err
}

// DeleteCheck takes a check and its states away; its transitions stay until they are past their keeping. It is ErrNotFound if there is none.
func (s *Store) DeleteCheck(ctx context.Context, name string, at fettle.Millis) error {
	return s.write(ctx, "delete check "+text(name), func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "delete check", "UPDATE check_definitions SET deleted_at = ?, rev = rev + 1 WHERE name = ? AND deleted_at = 0", int64(max(at, 1)), name)
		if err == nil && n == 0 {
			err = fettle.ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "end check states", "INSERT INTO transitions (check_name, node, at, from_status, to_status, hard, output) "+
			"SELECT check_name, node, ?, status, '', 1, 'the check was deleted' FROM check_states WHERE check_name = ?", int64(at), name)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "delete check states", "DELETE FROM check_states WHERE check_name = ?", name)
		return err
	})
}

// Checks lists checks by name. after is the name of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) Checks(ctx context.Context, after string, limit int) ([]fettle.KeptCheck, error) {
	w := where{}
	w.addIf(true, "deleted_at = 0")
	w.addIf(after != "", "name > ?", after)
	var list []fettle.KeptCheck
	query := "SELECT name, rev, task_rev, body, source, role, updated_at, updated_by, account, token FROM check_definitions" + w.String() + " ORDER BY name" + w.limit(page(limit))
	err := s.reader().each(ctx, "read checks", query, w.args, func(rows *sql.Rows) error {
		var c fettle.KeptCheck
		var name, body string
		if err := rows.Scan(&name, &c.Rev, &c.TaskRev, &body, &c.Source, &c.Role, &c.Updated, &c.Editor, &c.Account, &c.Token); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &c.CheckDefinition); err != nil {
			return fmt.Errorf("definition of check %s: %w", name, err)
		}
		c.Name = name
		list = append(list, c)
		return nil
	})
	return list, s.fault(ctx, "list checks", err)
}
