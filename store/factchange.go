package store

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/fettle-dev/fettle"
)

// FactChange is one leaf of a node's facts that changed.
type FactChange struct {
	Seq  int64           `json:"seq"` // given by the store; a later change of a node has a larger one
	Node fettle.NodeID   `json:"node"`
	Path string          `json:"path"` // as fettle.Path writes it
	At   fettle.Millis   `json:"at"`   // by the server's clock
	Old  json.RawMessage `json:"old"`  // nil: it was not there
	New  json.RawMessage `json:"new"`  // nil: it is not there any more
}

// ChangeQuery says which changes are asked for.
type ChangeQuery struct {
	Node   fettle.NodeID // empty: of all nodes
	Path   string        // and all below it; empty: of all paths
	Since  fettle.Millis // those after it; zero: all
	Before int64         // those with a smaller Seq, to go on; zero: from the newest
	Limit  int           // zero: MaxPage
}

// FactChanges lists changes, the newest first.
func (s *Store) FactChanges(ctx context.Context, q ChangeQuery) ([]FactChange, error) {
	var list []FactChange
	err := s.changes(ctx, q, page(q.Limit), func(c FactChange) error { list = append(list, c); return nil })
	return list, s.fault(ctx, "list fact changes", err)
}

// UndoFacts calls fn for every change after q.Since, the newest first: undoing them in this order gives the facts as of q.Since. q.Limit is
// ignored. An error of fn ends it and is given back.
func (s *Store) UndoFacts(ctx context.Context, q ChangeQuery, fn func(FactChange) error) error {
	return s.fault(ctx, "undo facts", s.changes(ctx, q, 0, fn))
}

// ChangedNodes gives the nodes whose facts changed after a moment, in no order.
func (s *Store) ChangedNodes(ctx context.Context, since fettle.Millis) ([]fettle.NodeID, error) {
	var ids []fettle.NodeID
	err := s.reader().each(ctx, "read changed nodes", "SELECT DISTINCT node FROM fact_changes WHERE at > ?", []any{int64(since)}, func(rows *sql.Rows) error {
		var id fettle.NodeID
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, s.fault(ctx, "list changed nodes", err)
}

// historyFrom is the name of the counter that holds the moment before which changes were pruned.
const historyFrom = "fact_changes_from"

// HistoryFrom gives the moment since which all changes are kept: facts as of an earlier one cannot be told. Zero: nothing was pruned yet.
func (s *Store) HistoryFrom(ctx context.Context) (fettle.Millis, error) {
	n, err := s.counter(ctx, historyFrom)
	return fettle.Millis(n), s.fault(ctx, "read begin of history", err)
}

func (s *Store) changes(ctx context.Context, q ChangeQuery, limit int, fn func(FactChange) error) error {
	w := where{}
	w.addIf(q.Node != "", "node = ?", string(q.Node))
	w.addIf(q.Path != "", "(path = ? OR (path > ? AND path < ?))", q.Path, q.Path+".", q.Path+"/") // '/' follows '.'
	w.addIf(q.Since != 0, "at > ?", int64(q.Since))
	w.addIf(q.Before != 0, "seq < ?", q.Before)
	query := "SELECT seq, node, path, at, old, new FROM fact_changes" + w.String() + " ORDER BY seq DESC" + w.limit(limit)
	return s.reader().each(ctx, "read fact changes", query, w.args, func(rows *sql.Rows) error {
		var c FactChange
		var before, after *string
		if err := rows.Scan(&c.Seq, &c.Node, &c.Path, &c.At, &before, &after); err != nil {
			return err
		}
		c.Old, c.New = raw(before), raw(after)
		return fn(c)
	})
}

func writeChanges(ctx context.Context, t *tx, cs []FactChange) error {
	_, err := t.insert(ctx, "write fact changes", "INSERT INTO fact_changes (node, path, at, old, new)", "", len(cs), func(args []any, i int) []any {
		c := &cs[i]
		return append(args, string(c.Node), text(c.Path), int64(c.At), document(c.Old), document(c.New))
	})
	return err
}
