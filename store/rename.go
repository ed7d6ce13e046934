package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// Rename gives what is kept of a node to another name.
type Rename struct {
	From, To fettle.NodeID
	// Node is To as it is from now on; its Rev is ignored.
	Node fettle.Node
	// Bridge is what changed between the last facts of From and the first ones of To, where To has facts of its own already; their Node is ignored.
	Bridge []FactChange
	Events []fettle.Event
}

// RenameNode moves the history of r.From's facts in front of that of r.To, and its transitions and those states of checks that r.To does not have
// itself; then r.From is gone. Its results and events stay under the old name, for that is what it was called then.
func (s *Store) RenameNode(ctx context.Context, r Rename) error {
	return s.write(ctx, fmt.Sprintf("rename node %s to %s", r.From, r.To), func(ctx context.Context, t *tx) error {
		if err := moveHistory(ctx, t, r); err != nil {
			return err
		}
		from, to := string(r.From), string(r.To)
		for _, q := range []struct {
			what, query string
			args        []any
		}{
			{"move transitions", "UPDATE transitions SET node = ? WHERE node = ?", []any{to, from}},
			{"move remedies", "UPDATE remedies SET node = ? WHERE node = ?", []any{to, from}},
			{
				"move states", "UPDATE check_states SET node = ?, rev = rev + 1 WHERE node = ? AND check_name NOT IN " +
					"(SELECT check_name FROM (SELECT check_name FROM check_states WHERE node = ?) own)", []any{to, from, to},
			},
		} {
			if _, err := t.exec(ctx, q.what, q.query, q.args...); err != nil {
				return err
			}
		}
		if err := forget(ctx, t, []fettle.NodeID{r.From}); err != nil {
			return err
		}
		if err := writeNodes(ctx, t, []NodeWrite{{Node: r.Node}}); err != nil {
			return err
		}
		if _, err := t.exec(ctx, "keep enrolment", "UPDATE nodes SET enrolled_at = ? WHERE identity = ?", int64(r.Node.Enrolled), to); err != nil {
			return err
		}
		return writeEvents(ctx, t, r.Events)
	})
}

// moveHistory renumbers the changes of To, because those of From and the bridge come before them: they are undone by number, backwards.
func moveHistory(ctx context.Context, t *tx, r Rename) error {
	var own []FactChange
	query := "SELECT path, at, old, new FROM fact_changes WHERE node = ? ORDER BY seq"
	if err := t.each(ctx, "read changes to renumber", query, []any{string(r.To)}, func(rows *sql.Rows) error {
		c := FactChange{Node: r.To}
		var before, after *string
		if err := rows.Scan(&c.Path, &c.At, &before, &after); err != nil {
			return err
		}
		c.Old, c.New = raw(before), raw(after)
		own = append(own, c)
		return nil
	}); err != nil {
		return err
	}
	if _, err := t.exec(ctx, "take changes out", "DELETE FROM fact_changes WHERE node = ?", string(r.To)); err != nil {
		return err
	}
	if _, err := t.exec(ctx, "move changes", "UPDATE fact_changes SET node = ? WHERE node = ?", string(r.To), string(r.From)); err != nil {
		return err
	}
	all := make([]FactChange, 0, len(r.Bridge)+len(own))
	for _, c := range r.Bridge {
		c.Node = r.To
		all = append(all, c)
	}
	return writeChanges(ctx, t, append(all, own...))
}
