package store

import (
	"context"

	"github.com/fettle-dev/fettle"
)

// Setting gives a value that the server keeps for itself, and its rev. It is ErrNotFound if there is none.
func (s *Store) Setting(ctx context.Context, name string) (value string, rev int64, err error) {
	err = s.reader().one(ctx, "read setting", "SELECT value, rev FROM settings WHERE name = ?", []any{name}, &value, &rev)
	return value, rev, s.fault(ctx, "read setting "+name, err)
}

// SetSetting writes a value over the one that has rev, or makes it where rev is zero, and gives the rev that it has now. It is ErrConflict if
// another was faster.
func (s *Store) SetSetting(ctx context.Context, name, value string, rev int64) (newRev int64, err error) {
	err = s.write(ctx, "set setting "+text(name), func(ctx context.Context, t *tx) error {
		if err := named("setting", name, MaxName); err != nil {
			return err
		}
		if rev == 0 {
			_, err := t.exec(ctx, "insert setting", "INSERT INTO settings (name, value, rev) VALUES (?,?,1)", name, text(value))
			return err
		}
		n, err := t.exec(ctx, "update setting", "UPDATE settings SET value = ?, rev = rev + 1 WHERE name = ? AND rev = ?", text(value), name, rev)
		if err == nil && n == 0 {
			err = fettle.ErrConflict
		}
		return err
	})
	return rev + 1, err
}
