package store

import (
	"context"
	"database/sql"

	"github.com/fettle-dev/fettle"
)

// User is a person who signs in by name.
type User struct {
	Name     string        `json:"name"`
	Hash     string        `json:"-"` // of the password, with its parameters; empty: it is kept elsewhere, or there is none
	Role     string        `json:"role"`
	Groups   []string      `json:"groups,omitempty"`
	Source   string        `json:"source"` // where the password is checked
	Created  fettle.Millis `json:"created"`
	Changed  fettle.Millis `json:"changed"`  // the password
	Seen     fettle.Millis `json:"seen"`     // the last login; zero: never
	Disabled fettle.Millis `json:"disabled"` // zero: the user may sign in
	Rev      int64         `json:"rev"`
}

const userColumns = "name, hash, role, member_of, source, created_at, changed_at, seen_at, disabled_at, rev"

// SaveUser makes a user where u.Rev is zero, and is ErrConflict if there is one of that name; otherwise it writes over the one that has u.Rev,
// and is ErrConflict if that has changed, ErrNotFound if it is gone. It gives the rev that the user has now.
func (s *Store) SaveUser(ctx context.Context, u User) (rev int64, err error) {
	err = s.write(ctx, "save user "+text(u.Name), func(ctx context.Context, t *tx) error {
		if err := named("user", u.Name, MaxName); err != nil {
			return err
		}
		groups, err := list(u.Groups)
		if err != nil {
			return err
		}
		if u.Rev == 0 {
			_, err := t.exec(ctx, "insert user", "INSERT INTO users ("+userColumns+") VALUES "+tuples(1, 10),
				u.Name, u.Hash, u.Role, groups, u.Source, int64(u.Created), int64(u.Changed), int64(u.Seen), int64(u.Disabled), int64(1))
			return err
		}
		n, err := t.exec(ctx, "update user", "UPDATE users SET hash = ?, role = ?, member_of = ?, source = ?, changed_at = ?, seen_at = ?, disabled_at = ?, "+
			"rev = rev + 1 WHERE name = ? AND rev = ?", u.Hash, u.Role, groups, u.Source, int64(u.Changed), int64(u.Seen), int64(u.Disabled), u.Name, u.Rev)
		if err != nil || n == 1 {
			return err
		}
		return t.whyNone(ctx, "SELECT rev FROM users WHERE name = ?", u.Name, u.Rev)
	})
	return u.Rev + 1, err
}

// User gives a user. It is ErrNotFound if there is none of that name.
func (s *Store) User(ctx context.Context, name string) (User, error) {
	w := where{}
	w.addIf(true, "name = ?", name)
	list, err := s.users(ctx, &w, 1)
	if err == nil && len(list) == 0 {
		err = fettle.ErrNotFound
	}
	if err != nil {
		return User{}, s.fault(ctx, "read user "+text(name), err)
	}
	return list[0], nil
}

// Users lists users by name. after is the name of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) Users(ctx context.Context, after string, limit int) ([]User, error) {
	w := where{}
	w.addIf(after != "", "name > ?", after)
	list, err := s.users(ctx, &w, page(limit))
	return list, s.fault(ctx, "list users", err)
}

// DeleteUser takes a user away, with all tokens and sessions that end with the user. It is ErrNotFound if there is none.
func (s *Store) DeleteUser(ctx context.Context, name string) error {
	return s.write(ctx, "delete user "+text(name), func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "delete user", "DELETE FROM users WHERE name = ?", name)
		if err == nil && n == 0 {
			err = fettle.ErrNotFound
		}
		if err == nil {
			_, err = t.exec(ctx, "delete tokens of user", "DELETE FROM tokens WHERE account = ?", name)
		}
		return err
	})
}

// DeleteTokensOf takes away the tokens of one kind that end with a user; an empty kind means all of them.
func (s *Store) DeleteTokensOf(ctx context.Context, account string, kind TokenKind) error {
	w := where{}
	w.addIf(true, "account = ?", account)
	w.addIf(kind != "", "kind = ?", string(kind))
	return s.write(ctx, "delete tokens of "+text(account), func(ctx context.Context, t *tx) error {
		if err := named("user", account, MaxName); err != nil {
			return err
		}
		_, err := t.exec(ctx, "delete tokens of user", "DELETE FROM tokens"+w.String(), w.args...)
		return err
	})
}

func (s *Store) users(ctx context.Context, w *where, limit int) ([]User, error) {
	var list []User
	query := "SELECT " + userColumns + " FROM users" + w.String() + " ORDER BY name" + w.limit(limit)
	err := s.reader().each(ctx, "read users", query, w.args, func(rows *sql.Rows) error {
		var u User
		var groups string
		if err := rows.Scan(&u.Name, &u.Hash, &u.Role, &groups, &u.Source, &u.Created, &u.Changed, &u.Seen, &u.Disabled, &u.Rev); err != nil {
			return err
		}
		list = append(list, u)
		return decode("member_of", groups, &list[len(list)-1].Groups)
	})
	return list, err
}
