package store

import (
	"context"
	"database/sql"

	"github.com/fettle-dev/fettle"
)

// Events lists events after seq, in the order in which they were committed. Limit zero: MaxPage.
func (s *Store) Events(ctx context.Context, after int64, limit int) ([]fettle.Event, error) {
	w := where{}
	w.addIf(true, "seq > ?", after)
	list, err := s.events(ctx, &w, " ORDER BY seq", limit)
	return list, s.fault(ctx, "list events", err)
}

// NodeEvents lists the events of a node, the newest first; before is the Seq of the last one that the caller has, zero for none.
func (s *Store) NodeEvents(ctx context.Context, node fettle.NodeID, before int64, limit int) ([]fettle.Event, error) {
	w := where{}
	w.addIf(true, "node = ?", string(node))
	w.addIf(before != 0, "seq < ?", before)
	list, err := s.events(ctx, &w, " ORDER BY seq DESC", limit)
	return list, s.fault(ctx, "list events of node "+string(node), err)
}

// AppendEvents puts events down; their Seq is ignored.
func (s *Store) AppendEvents(ctx context.Context, es []fettle.Event) error {
	return s.write(ctx, "append events", func(ctx context.Context, t *tx) error { return writeEvents(ctx, t, es) })
}

func (s *Store) events(ctx context.Context, w *where, order string, limit int) ([]fettle.Event, error) {
	var list []fettle.Event
	query := "SELECT seq, kind, node, at, body FROM events" + w.String() + order + w.limit(page(limit))
	err := s.reader().each(ctx, "read events", query, w.args, func(rows *sql.Rows) error {
		var e fettle.Event
		var body *string
		if err := rows.Scan(&e.Seq, &e.Kind, &e.Node, &e.At, &body); err != nil {
			return err
		}
		e.Body = raw(body)
		list = append(list, e)
		return nil
	})
	return list, err
}

func writeEvents(ctx context.Context, t *tx, es []fettle.Event) error {
	for _, e := range es {
		if err := key("identity", string(e.Node), fettle.MaxIdentity); err != nil {
			return err
		}
	}
	_, err := t.insert(ctx, "write events", "INSERT INTO events (kind, node, at, body)", "", len(es), func(args []any, i int) []any {
		return append(args, string(es[i].Kind), string(es[i].Node), int64(es[i].At), document(es[i].Body))
	})
	return err
}
