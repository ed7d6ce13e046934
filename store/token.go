package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/fettle-dev/fettle"
)

// Token lets its bearer in. The secret itself is kept nowhere, only its hash.
type Token struct {
	ID      string        `json:"id"`
	Hash    string        `json:"-"`    // of the secret, in hex, by a hash of the caller's choice
	Kind    TokenKind     `json:"kind"` //
	Name    string        `json:"name"` // for people
	Role    string        `json:"role"`
	Scopes  []string      `json:"scopes,omitempty"`
	Owner   string        `json:"owner,omitempty"`   // who made it; for people
	Account string        `json:"account,omitempty"` // the user with whom it ends; empty: nobody's
	Created fettle.Millis `json:"created"`
	Expires fettle.Millis `json:"expires"`   // zero: never
	Uses    int64         `json:"uses_left"` // below zero: no limit
	Rev     int64         `json:"rev"`
}

// TokenKind tells what a token opens. It is stored as its word.
type TokenKind string

// The values of TokenKind.
const (
	TokenAPI     TokenKind = "api"
	TokenLogin   TokenKind = "login"   // a link that is followed once
	TokenSession TokenKind = "session" // a browser's
	TokenJoin    TokenKind = "join"    // an agent's
)

const tokenColumns = "id, hash, kind, name, role, scopes, owner, account, created_at, expires_at, uses_left, rev"

// SaveToken keeps a new token. It is ErrConflict if its ID or Hash is taken.
func (s *Store) SaveToken(ctx context.Context, k Token) error {
	return s.write(ctx, "save token "+text(k.Name), func(ctx context.Context, t *tx) error {
		if err := named("token id", k.ID, MaxID); err != nil {
			return err
		}
		if err := named("token hash", k.Hash, MaxName); err != nil {
			return err
		}
		if err := key("role", k.Role, MaxName); err != nil {
			return err
		}
		if err := errors.Join(key("owner", k.Owner, MaxName), key("user", k.Account, MaxName)); err != nil {
			return err
		}
		scopes, err := list(k.Scopes)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "write token", "INSERT INTO tokens ("+tokenColumns+") VALUES "+tuples(1, 12),
			k.ID, k.Hash, string(k.Kind), text(k.Name), k.Role, scopes, k.Owner, k.Account, int64(k.Created), int64(k.Expires), k.Uses, int64(1))
		return err
	})
}

// TokenByHash gives the token whose secret has that hash, if it is valid at now. It is ErrNotFound if there is none, if it has expired or if
// it is used up.
func (s *Store) TokenByHash(ctx context.Context, kind TokenKind, hash string, now fettle.Millis) (Token, error) {
	w := valid(kind, hash, now)
	list, err := s.reader().tokens(ctx, &w, 1)
	if err == nil && len(list) == 0 {
		err = fettle.ErrNotFound
	}
	if err != nil {
		return Token{}, s.fault(ctx, "find token", err)
	}
	return list[0], nil
}

// Token gives a token, valid or not. It is ErrNotFound if there is none.
func (s *Store) Token(ctx context.Context, id string) (Token, error) {
	w := where{}
	w.addIf(true, "id = ?", id)
	list, err := s.reader().tokens(ctx, &w, 1)
	if err == nil && len(list) == 0 {
		err = fettle.ErrNotFound
	}
	if err != nil {
		return Token{}, s.fault(ctx, "read token "+text(id), err)
	}
	return list[0], nil
}

// UseToken takes one use of a token and gives the token as it was before. It is ErrNotFound where TokenByHash is: of many who use the last
// use of a token at the same time, one succeeds.
func (s *Store) UseToken(ctx context.Context, kind TokenKind, hash string, now fettle.Millis) (Token, error) {
	var k Token
	err := s.write(ctx, "use token", func(ctx context.Context, t *tx) error {
		w := valid(kind, hash, now)
		list, err := t.tokens(ctx, &w, 1)
		if err == nil && len(list) == 0 {
			err = fettle.ErrNotFound
		}
		if err != nil {
			return err
		}
		if k = list[0]; k.Uses < 0 {
			return nil
		}
		n, err := t.exec(ctx, "use token", "UPDATE tokens SET uses_left = uses_left - 1, rev = rev + 1 WHERE id = ? AND uses_left > 0", k.ID)
		if err == nil && n == 0 {
			err = fettle.ErrNotFound
		}
		return err
	})
	return k, err
}

// Tokens lists tokens by ID. after is the ID of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) Tokens(ctx context.Context, kind TokenKind, after string, limit int) ([]Token, error) {
	w := where{}
	w.addIf(kind != "", "kind = ?", string(kind))
	w.addIf(after != "", "id > ?", after)
	list, err := s.reader().tokens(ctx, &w, page(limit))
	return list, s.fault(ctx, "list tokens", err)
}

// DeleteToken takes a token away. It is ErrNotFound if there is none.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	return s.delete(ctx, "delete token", "DELETE FROM tokens WHERE id = ?", id)
}

// delete runs one statement that takes the row away which id names.
func (s *Store) delete(ctx context.Context, what, query, id string) error {
	return s.write(ctx, what+" "+text(id), func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, what, query, id)
		if err == nil && n == 0 {
			err = fettle.ErrNotFound
		}
		return err
	})
}

func valid(kind TokenKind, hash string, now fettle.Millis) where {
	w := where{}
	w.addIf(true, "hash = ?", hash)
	w.addIf(true, "kind = ?", string(kind))
	w.addIf(true, "(expires_at = 0 OR expires_at > ?)", int64(now))
	w.addIf(true, "uses_left <> 0")
	return w
}

func (t *tx) tokens(ctx context.Context, w *where, limit int) ([]Token, error) {
	var list []Token
	query := "SELECT " + tokenColumns + " FROM tokens" + w.String() + " ORDER BY id" + w.limit(limit)
	err := t.each(ctx, "read tokens", query, w.args, func(rows *sql.Rows) error {
		var k Token
		var scopes string
		if err := rows.Scan(&k.ID, &k.Hash, &k.Kind, &k.Name, &k.Role, &scopes, &k.Owner, &k.Account, &k.Created, &k.Expires, &k.Uses, &k.Rev); err != nil {
			return err
		}
		list = append(list, k)
		return decode("scopes", scopes, &list[len(list)-1].Scopes)
	})
	return list, err
}
