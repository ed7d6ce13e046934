package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/fettle-dev/fettle"
)

// GroupRow is a group of verdicts as it is kept.
type GroupRow struct {
	Name string
	Body json.RawMessage // a JSON object
	Rev  int64
}

// SaveGroup keeps a group under its name, in the place of what is there; its Rev is ignored. It gives the rev that it has now.
func (s *Store) SaveGroup(ctx context.Context, g GroupRow) (rev int64, err error) {
	err = s.write(ctx, "save group "+text(g.Name), func(ctx context.Context, t *tx) error {
		if err := named("group", g.Name, MaxName); err != nil {
			return err
		}
		_, err := t.exec(ctx, "write group", "INSERT INTO verdict_groups (name, body, rev) VALUES (?,?,1)"+
			t.s.d.upsert("name", "body = new(body), rev = verdict_groups.rev + 1"), g.Name, text(string(g.Body)))
		if err != nil {
			return err
		}
		return t.one(ctx, "read rev", "SELECT rev FROM verdict_groups WHERE name = ?", []any{g.Name}, &rev)
	})
	return rev, err
}

// Groups lists groups by name. after is the name of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) Groups(ctx context.Context, after string, limit int) ([]GroupRow, error) {
	w := where{}
	w.addIf(after != "", "name > ?", after)
	var list []GroupRow
	query := "SELECT name, body, rev FROM verdict_groups" + w.String() + " ORDER BY name" + w.limit(page(limit))
	err := s.reader().each(ctx, "read groups", query, w.args, func(rows *sql.Rows) error {
		var g GroupRow
		var body string
		if err := rows.Scan(&g.Name, &body, &g.Rev); err != nil {
			return err
		}
		g.Body = json.RawMessage(body)
		list = append(list, g)
		return nil
	})
	return list, s.fault(ctx, "list groups", err)
}

// DeleteGroup takes a group away, and what its verdict was. It is ErrNotFound if there is none.
func (s *Store) DeleteGroup(ctx context.Context, name string) error {
	return s.write(ctx, "delete group "+text(name), func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "delete group", "DELETE FROM verdict_groups WHERE name = ?", name)
		if err == nil && n == 0 {
			err = fettle.ErrNotFound
		}
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "delete verdict", "DELETE FROM verdicts WHERE name = ?", name)
		return err
	})
}

// SilenceRow is a silence as it is kept.
type SilenceRow struct {
	ID   string
	Body json.RawMessage // a JSON object
	Over fettle.Millis   // when it ends, or was ended
}

// SaveSilence keeps a silence under its ID, in the place of what is there.
func (s *Store) SaveSilence(ctx context.Context, r SilenceRow) error {
	return s.write(ctx, "save silence "+text(r.ID), func(ctx context.Context, t *tx) error {
		if err := key("silence", r.ID, MaxID); err != nil {
			return err
		}
		_, err := t.exec(ctx, "write silence", "INSERT INTO silences (id, body, over_at, rev) VALUES (?,?,?,1)"+
			t.s.d.upsert("id", "body = new(body), over_at = new(over_at), rev = silences.rev + 1"), r.ID, text(string(r.Body)), int64(r.Over))
		return err
	})
}

// Silences lists the silences that are over after a moment, by ID. after is the ID of the last one that the caller has, empty for none. Limit zero:
// MaxPage.
func (s *Store) Silences(ctx context.Context, since fettle.Millis, after string, limit int) ([]SilenceRow, error) {
	w := where{}
	w.addIf(after != "", "id > ?", after)
	w.addIf(since != 0, "over_at > ?", int64(since))
	var list []SilenceRow
	query := "SELECT id, body, over_at FROM silences" + w.String() + " ORDER BY id" + w.limit(page(limit))
	err := s.reader().each(ctx, "read silences", query, w.args, func(rows *sql.Rows) error {
		var r SilenceRow
		var body string
		if err := rows.Scan(&r.ID, &body, &r.Over); err != nil {
			return err
		}
		r.Body = json.RawMessage(body)
		list = append(list, r)
		return nil
	})
	return list, s.fault(ctx, "list silences", err)
}

// PruneSilences drops those that were over before a moment, and tells how many they were.
func (s *Store) PruneSilences(ctx context.Context, before fettle.Millis) (n int64, err error) {
	err = s.write(ctx, "prune silences", func(ctx context.Context, t *tx) error {
		n, err = t.exec(ctx, "delete silences", "DELETE FROM silences WHERE over_at < ?", int64(before))
		return err
	})
	return n, err
}

// VerdictRow is what a verdict was last.
type VerdictRow struct {
	Name   string
	Status fettle.CheckStatus
	Since  fettle.Millis
}

// SaveVerdicts keeps what verdicts are now.
func (s *Store) SaveVerdicts(ctx context.Context, list []VerdictRow) error {
	if len(list) == 0 {
		return nil
	}
	return s.write(ctx, "save verdicts", func(ctx context.Context, t *tx) error {
		tail := t.s.d.upsert("name", "status = new(status), since_at = new(since_at)")
		_, err := t.insert(ctx, "write verdicts", "INSERT INTO verdicts (name, status, since_at)", tail, len(list), func(args []any, i int) []any {
			return append(args, list[i].Name, string(list[i].Status), int64(list[i].Since))
		})
		return err
	})
}

// Verdicts gives what verdicts were last; those of names that are gone among them.
func (s *Store) Verdicts(ctx context.Context) ([]VerdictRow, error) {
	var list []VerdictRow
	err := s.reader().each(ctx, "read verdicts", "SELECT name, status, since_at FROM verdicts ORDER BY name", nil, func(rows *sql.Rows) error {
		var v VerdictRow
		if err := rows.Scan(&v.Name, &v.Status, &v.Since); err != nil {
			return err
		}
		list = append(list, v)
		return nil
	})
	return list, s.fault(ctx, "list verdicts", err)
}
