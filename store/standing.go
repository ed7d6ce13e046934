package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// NewStanding keeps a standing run. It is ErrConflict if there is one of that name. Its Rev is ignored, and is 1 afterwards.
func (s *Store) NewStanding(ctx context.Context, st fettle.Standing) error {
	return s.write(ctx, "save standing run "+text(st.Name), func(ctx context.Context, t *tx) error {
		if err := named("name of a standing run", st.Name, MaxName); err != nil {
			return err
		}
		body, err := encode(st)
		if err != nil {
			return err
		}
		_, err = t.exec(ctx, "write standing run", "INSERT INTO standing (name, body, rev) VALUES (?,?,1)", st.Name, text(body))
		return err
	})
}

// UpdateStanding writes a standing run over the row that has st.Rev, and gives the new rev. It is ErrConflict if the row has another rev,
// ErrNotFound if there is no such run.
func (s *Store) UpdateStanding(ctx context.Context, st fettle.Standing) (rev int64, err error) {
	body, err := encode(st)
	if err != nil {
		return 0, fmt.Errorf("update standing run %s: %w", st.Name, err)
	}
	err = s.write(ctx, "update standing run "+st.Name, func(ctx context.Context, t *tx) error {
		n, err := t.exec(ctx, "update standing run", "UPDATE standing SET body = ?, rev = rev + 1 WHERE name = ? AND rev = ?", text(body), st.Name, st.Rev)
		if err != nil || n == 1 {
			return err
		}
		return t.whyNone(ctx, "SELECT rev FROM standing WHERE name = ?", st.Name, st.Rev)
	})
	return st.Rev + 1, err
}

// Standing lists standing runs by name. after is the name of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) Standing(ctx context.Context, after string, limit int) ([]fettle.Standing, error) {
	w := where{}
	w.addIf(after != "", "name > ?", after)
	var list []fettle.Standing
	query := "SELECT body, rev FROM standing" + w.String() + " ORDER BY name" + w.limit(page(limit))
	err := s.reader().each(ctx, "read standing runs", query, w.args, func(rows *sql.Rows) error {
		var body string
		var st fettle.Standing
		var rev int64
		if err := rows.Scan(&body, &rev); err != nil {
			return err
		}
		if err := decode("body", body, &st); err != nil {
			return err
		}
		st.Rev = rev
		list = append(list, st)
		return nil
	})
	return list, s.fault(ctx, "list standing runs", err)
}

// DeleteStanding takes a standing run away. It is ErrNotFound if there is none. Its rounds stay.
func (s *Store) DeleteStanding(ctx context.Context, name string) error {
	return s.delete(ctx, "delete standing run", "DELETE FROM standing WHERE name = ?", name)
}

// LastEnds tells of each node when its task in one of the runs ended: when its result came, or when it expired unanswered. Nodes that were sent
// nothing in any of them are not in it. Give a few runs only: it reads all their tasks.
func (s *Store) LastEnds(ctx context.Context, runs []fettle.RunID) (map[fettle.NodeID]fettle.Millis, error) {
	ends := map[fettle.NodeID]fettle.Millis{}
	if len(runs) == 0 {
		return ends, nil
	}
	err := s.reader().parts(stringsOf(runs), func(list string, values []any) error {
		query := "SELECT t.node, MAX(COALESCE(r.received_at, t.expires_at)) FROM tasks t LEFT JOIN results r ON r.task = t.id " +
			"WHERE t.sent_at > 0 AND t.run IN " + list + " GROUP BY t.node"
		return s.reader().each(ctx, "read last ends", query, values, func(rows *sql.Rows) error {
			var node fettle.NodeID
			var at fettle.Millis
			err := rows.Scan(&node, &at)
			ends[node] = max(ends[node], at)
			return err
		})
	})
	return ends, s.fault(ctx, "read last ends", err)
}

// RunsOf lists the latest runs of a standing run, the newest first.
func (s *Store) RunsOf(ctx context.Context, standing string, limit int) ([]fettle.Run, error) {
	w := where{}
	w.addIf(true, "standing = ?", standing)
	list, err := s.runs(ctx, &w, page(limit))
	return list, s.fault(ctx, "list runs of standing run "+text(standing), err)
}
