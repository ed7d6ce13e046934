package store

import (
	"context"
	"database/sql"

	"github.com/fettle-dev/fettle"
)

// SavedFilter is a filter that is kept under a name, to be used as @name.
type SavedFilter struct {
	Name        string        `json:"name"`
	Filter      fettle.Filter `json:"filter"`
	Description string        `json:"description,omitempty"`
	Owner       string        `json:"owner"`
	Updated     fettle.Millis `json:"updated"`
	Rev         int64         `json:"rev"`
}

// SaveFilter makes a saved filter where f.Rev is zero, and is ErrConflict if there is one of that name; otherwise it writes over the one that
// has f.Rev, and is ErrConflict if that has changed or is gone. It gives the rev that it has now.
func (s *Store) SaveFilter(ctx context.Context, f SavedFilter) (rev int64, err error) {
	err = s.write(ctx, "save filter "+text(f.Name), func(ctx context.Context, t *tx) error {
		if err := named("saved filter", f.Name, MaxName); err != nil {
			return err
		}
		values := []any{text(string(f.Filter)), text(f.Description), text(f.Owner), int64(f.Updated), f.Name}
		if f.Rev == 0 {
			_, err := t.exec(ctx, "insert filter", "INSERT INTO saved_filters (filter, description, owner, updated_at, name, rev) VALUES (?,?,?,?,?,1)", values...)
			return err
		}
		n, err := t.exec(ctx, "update filter", "UPDATE saved_filters SET filter = ?, description = ?, owner = ?, updated_at = ?, rev = rev + 1 "+
			"WHERE name = ? AND rev = ?", append(values, f.Rev)...)
		if err == nil && n == 0 {
			err = fettle.ErrConflict
		}
		return err
	})
	return f.Rev + 1, err
}

// SavedFilters lists saved filters by name. after is the name of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) SavedFilters(ctx context.Context, after string, limit int) ([]SavedFilter, error) {
	w := where{}
	w.addIf(after != "", "name > ?", after)
	var list []SavedFilter
	query := "SELECT name, filter, description, owner, updated_at, rev FROM saved_filters" + w.String() + " ORDER BY name" + w.limit(page(limit))
	err := s.reader().each(ctx, "read saved filters", query, w.args, func(rows *sql.Rows) error {
		var f SavedFilter
		if err := rows.Scan(&f.Name, &f.Filter, &f.Description, &f.Owner, &f.Updated, &f.Rev); err != nil {
			return err
		}
		list = append(list, f)
		return nil
	})
	return list, s.fault(ctx, "list saved filters", err)
}

// DeleteFilter takes a saved filter away. It is ErrNotFound if there is none.
func (s *Store) DeleteFilter(ctx context.Context, name string) error {
	return s.delete(ctx, "delete filter", "DELETE FROM saved_filters WHERE name = ?", name)
}
