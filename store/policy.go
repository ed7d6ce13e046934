package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/fettle-dev/fettle"
)

// Policy is a rule on who may do what where, as its maker wrote it.
type Policy struct {
	Name    string          `json:"name"`
	Body    json.RawMessage `json:"body"` // a JSON object
	Owner   string          `json:"owner"`
	Updated fettle.Millis   `json:"updated"`
	Rev     int64           `json:"rev"`
}

// SavePolicy keeps a policy under its name, in the place of what is there; its Rev is ignored. It gives the rev that it has now.
func (s *Store) SavePolicy(ctx context.Context, p Policy) (rev int64, err error) {
	err = s.write(ctx, "save policy "+text(p.Name), func(ctx context.Context, t *tx) error {
		if err := named("policy", p.Name, MaxName); err != nil {
			return err
		}
		_, err := t.exec(ctx, "write policy", "INSERT INTO policies (name, body, owner, updated_at, rev) VALUES (?,?,?,?,1)"+
			t.s.d.upsert("name", "body = new(body), owner = new(owner), updated_at = new(updated_at), rev = policies.rev + 1"),
			p.Name, text(string(p.Body)), text(p.Owner), int64(p.Updated))
		if err != nil {
			return err
		}
		return t.one(ctx, "read rev", "SELECT rev FROM policies WHERE name = ?", []any{p.Name}, &rev)
	})
	return rev, err
}

// Policies lists policies by name. after is the name of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) Policies(ctx context.Context, after string, limit int) ([]Policy, error) {
	w := where{}
	w.addIf(after != "", "name > ?", after)
	var list []Policy
	query := "SELECT name, body, owner, updated_at, rev FROM policies" + w.String() + " ORDER BY name" + w.limit(page(limit))
	err := s.reader().each(ctx, "read policies", query, w.args, func(rows *sql.Rows) error {
		var p Policy
		var body string
		if err := rows.Scan(&p.Name, &body, &p.Owner, &p.Updated, &p.Rev); err != nil {
			return err
		}
		p.Body = json.RawMessage(body)
		list = append(list, p)
		return nil
	})
	return list, s.fault(ctx, "list policies", err)
}

// DeletePolicy takes a policy away. It is ErrNotFound if there is none.
func (s *Store) DeletePolicy(ctx context.Context, name string) error {
	return s.delete(ctx, "delete policy", "DELETE FROM policies WHERE name = ?", name)
}
