package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// rosterPart is how many identities stand in one row: some 250 KiB at most ordinary lengths.
const rosterPart = 10_000

// SaveRoster keeps a roster under its id. It is ErrConflict if the id is taken.
func (s *Store) SaveRoster(ctx context.Context, r fettle.Roster) error {
	return s.write(ctx, "save roster "+r.ID, func(ctx context.Context, t *tx) error { return writeRoster(ctx, t, &r) })
}

// Roster gives a roster. It is ErrNotFound if there is none.
func (s *Store) Roster(ctx context.Context, id string) (fettle.Roster, error) {
	var r fettle.Roster
	err := s.reader().each(ctx, "read roster", `SELECT r.id, r.filter, r.undefined_count, r.created_at, COALESCE(p.nodes, '')
		FROM rosters r LEFT JOIN roster_parts p ON p.roster = r.id WHERE r.id = ? ORDER BY p.part`, []any{id}, func(rows *sql.Rows) error {
		var nodes string
		if err := rows.Scan(&r.ID, &r.Filter, &r.Undefined, &r.Created, &nodes); err != nil {
			return err
		}
		var part []fettle.NodeID
		if err := decode("nodes", nodes, &part); err != nil {
			return err
		}
		r.Nodes = append(r.Nodes, part...)
		return nil
	})
	if err == nil && r.ID == "" {
		err = fettle.ErrNotFound
	}
	return r, s.fault(ctx, "read roster "+id, err)
}

func writeRoster(ctx context.Context, t *tx, r *fettle.Roster) error {
	if err := named("roster id", r.ID, MaxID); err != nil {
		return err
	}
	_, err := t.exec(ctx, "write roster", "INSERT INTO rosters (id, filter, undefined_count, created_at) VALUES (?,?,?,?)",
		r.ID, text(string(r.Filter)), r.Undefined, int64(r.Created))
	if err != nil {
		return err
	}
	for part := 0; part*rosterPart < len(r.Nodes); part++ {
		nodes, err := list(r.Nodes[part*rosterPart : min((part+1)*rosterPart, len(r.Nodes))])
		if err != nil {
			return fmt.Errorf("roster %s: %w", r.ID, err)
		}
		if _, err := t.exec(ctx, "write roster part", "INSERT INTO roster_parts (roster, part, nodes) VALUES (?,?,?)", r.ID, part, nodes); err != nil {
			return err
		}
	}
	return nil
}
