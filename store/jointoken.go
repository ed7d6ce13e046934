package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// JoinToken lets machines enrol. Its secret is not kept here.
type JoinToken struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"` // for people
	Uses      int64             `json:"uses"` // how many machines may enrol with it; below zero: no limit
	Used      int64             `json:"used"`
	Expires   fettle.Millis     `json:"expires"`            // zero: never
	Pool      string            `json:"pool,omitempty"`     // for the nodes; empty: none
	Labels    map[string]string `json:"labels,omitempty"`   // for the nodes
	Approval  string            `json:"approval,omitempty"` // auto, manual; empty: as the server is set
	Created   fettle.Millis     `json:"created"`
	CreatedBy string            `json:"created_by"`
	Rev       int64             `json:"rev"`
}

const joinColumns = "id, name, uses_max, used, expires_at, pool, labels, approval, created_at, created_by, rev"

// SaveJoinToken keeps a new token. It is ErrConflict if its ID is taken.
func (s *Store) SaveJoinToken(ctx context.Context, k JoinToken) error {
	return s.write(ctx, "save join token "+text(k.ID), func(ctx context.Context, t *tx) error {
		if err := named("join token", k.ID, MaxID); err != nil {
			return err
		}
		if err := key("pool", k.Pool, MaxName); err != nil {
			return err
		}
		labels, err := object(k.Labels)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "write join token", "INSERT INTO join_tokens ("+joinColumns+") VALUES "+tuples(1, 11),
			k.ID, text(k.Name), k.Uses, k.Used, int64(k.Expires), k.Pool, text(labels), k.Approval, int64(k.Created), text(k.CreatedBy), int64(1))
		return err
	})
}

// JoinTokens lists tokens by ID, spent and ended ones too. after is the ID of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) JoinTokens(ctx context.Context, after string, limit int) ([]JoinToken, error) {
	w := where{}
	w.addIf(after != "", "id > ?", after)
	var out []JoinToken
	query := "SELECT " + joinColumns + " FROM join_tokens" + w.String() + " ORDER BY id" + w.limit(page(limit))
	err := s.reader().each(ctx, "read join tokens", query, w.args, func(rows *sql.Rows) error {
		var k JoinToken
		var labels string
		if err := rows.Scan(&k.ID, &k.Name, &k.Uses, &k.Used, &k.Expires, &k.Pool, &labels, &k.Approval, &k.Created, &k.CreatedBy, &k.Rev); err != nil {
			return err
		}
		out = append(out, k)
		return decode("labels", labels, &out[len(out)-1].Labels)
	})
	return out, s.fault(ctx, "list join tokens", err)
}

// DeleteJoinToken takes a token away; who enrolled with it stays. It is ErrNotFound if there is none.
func (s *Store) DeleteJoinToken(ctx context.Context, id string) error {
	return s.delete(ctx, "delete join token", "DELETE FROM join_tokens WHERE id = ?", id)
}

// spend counts uses of a token. It is ErrConflict if there are not so many left, or if the token is gone.
func spend(ctx context.Context, t *tx, id string, uses int64) error {
	n, err := t.exec(ctx, "spend join token", "UPDATE join_tokens SET used = used + ?, rev = rev + 1 WHERE id = ? AND (uses_max < 0 OR used + ? <= uses_max)",
		uses, id, uses)
	if err == nil && n == 0 {
		err = fmt.Errorf("join token %s has no %d uses left: %w", id, uses, fettle.ErrConflict)
	}
	return err
}
