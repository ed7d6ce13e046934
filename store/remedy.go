package store

import (
	"context"
	"database/sql"

	"github.com/fettle-dev/fettle"
)

// Remedy is a run that was started because the state of a check changed on a node.
type Remedy struct {
	Seq    int64 // given by the store
	Check  string
	Node   fettle.NodeID
	At     fettle.Millis // by the server's clock
	Run    fettle.RunID
	Action string
}

// AddRemedy puts down a remedy. It comes before the run, so that one that is started is never forgotten.
func (s *Store) AddRemedy(ctx context.Context, r Remedy) error {
	return s.write(ctx, "add remedy", func(ctx context.Context, t *tx) error {
		if err := stateKeys(r.Check, r.Node); err != nil {
			return err
		}
		_, err := t.exec(ctx, "write remedy", "INSERT INTO remedies (check_name, node, at, run, action) VALUES (?,?,?,?,?)", r.Check, string(r.Node), int64(r.At), string(r.Run), text(r.Action))
		return err
	})
}

// Remedies lists remedies after a moment, the newest first. Empty check, node: of all. Limit zero: MaxPage.
func (s *Store) Remedies(ctx context.Context, check string, node fettle.NodeID, since fettle.Millis, limit int) ([]Remedy, error) {
	w := where{}
	w.addIf(check != "", "check_name = ?", check)
	w.addIf(node != "", "node = ?", string(node))
	w.addIf(since != 0, "at > ?", int64(since))
	var list []Remedy
	query := "SELECT seq, check_name, node, at, run, action FROM remedies" + w.String() + " ORDER BY seq DESC" + w.limit(page(limit))
	err := s.reader().each(ctx, "read remedies", query, w.args, func(rows *sql.Rows) error {
		var r Remedy
		if err := rows.Scan(&r.Seq, &r.Check, &r.Node, &r.At, &r.Run, &r.Action); err != nil {
			return err
		}
		list = append(list, r)
		return nil
	})
	return list, s.fault(ctx, "list remedies", err)
}

// TransitionsAfter lists the hard transitions after seq, in the order in which they were committed. Limit zero: MaxPage.
func (s *Store) TransitionsAfter(ctx context.Context, seq int64, limit int) ([]Transition, error) {
	w := where{}
	w.addIf(true, "seq > ?", seq)
	w.addIf(true, "hard = 1")
	list, err := s.transitions(ctx, &w, " ORDER BY seq", limit)
	return list, s.fault(ctx, "follow transitions", err)
}

// LastTransition gives the seq of the newest transition; zero: there is none.
func (s *Store) LastTransition(ctx context.Context) (seq int64, err error) {
	err = s.reader().one(ctx, "read last transition", "SELECT COALESCE(MAX(seq), 0) FROM transitions", nil, &seq)
	return seq, s.fault(ctx, "last transition", err)
}
