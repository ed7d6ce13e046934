package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/fettle-dev/fettle"
)

// Transition is a change of a check's state on one node.
type Transition struct {
	Seq    int64              `json:"seq"` // given by the store
	Check  string             `json:"check"`
	Node   fettle.NodeID      `json:"node"`
	At     fettle.Millis      `json:"at"`   // by the server's clock
	From   fettle.CheckStatus `json:"from"` // empty: there was no state
	To     fettle.CheckStatus `json:"to"`
	Hard   bool               `json:"hard"`
	Output string             `json:"output"`
	Flap   fettle.FlapChange  `json:"flap,omitempty"`
}

// TransitionQuery says which transitions are asked for.
type TransitionQuery struct {
	Check  string        // empty: of all checks
	Node   fettle.NodeID // empty: of all nodes
	Since  fettle.Millis // those after it; zero: all
	Until  fettle.Millis // those up to it; zero: all
	Hard   bool          // those alone that changed what counts
	Before int64         // those with a smaller Seq, to go on; zero: from the newest
	Limit  int           // zero: MaxPage
}

// LoadStates calls fn for the state of every check on every node, in no order, while it reads them. An error of fn ends it and is given back.
func (s *Store) LoadStates(ctx context.Context, fn func(fettle.CheckState) error) error {
	const query = "SELECT check_name, node, check_rev, status, soft, attempt, since_at, received_at, output, perfdata, session, seq, task, changes, flapping, stale_at FROM check_states"
	err := s.reader().each(ctx, "load check states", query, nil, func(rows *sql.Rows) error {
		var c fettle.CheckState
		var perfdata string
		err := rows.Scan(&c.Check, &c.Node, &c.Rev, &c.Status, &c.Soft, &c.Attempt, &c.Since, &c.At, &c.Output, &perfdata, &c.Session, &c.Seq, &c.Task, &c.Changes, &c.Flapping, &c.Stale)
		if err != nil {
			return err
		}
		if err := decode("perfdata", perfdata, &c.Perfdata); err != nil {
			return fmt.Errorf("check %s on %s: %w", c.Check, c.Node, err)
		}
		return fn(c)
	})
	return s.fault(ctx, "load check states", err)
}

// Transitions lists transitions, the newest first.
func (s *Store) Transitions(ctx context.Context, q TransitionQuery) ([]Transition, error) {
	w := where{}
	w.addIf(q.Check != "", "check_name = ?", q.Check)
	w.addIf(q.Node != "", "node = ?", string(q.Node))
	w.addIf(q.Since != 0, "at > ?", int64(q.Since))
	w.addIf(q.Until != 0, "at <= ?", int64(q.Until))
	w.addIf(q.Hard, "hard = 1")
	w.addIf(q.Before != 0, "seq < ?", q.Before)
	list, err := s.transitions(ctx, &w, " ORDER BY seq DESC", q.Limit)
	return list, s.fault(ctx, "list transitions", err)
}

func (s *Store) transitions(ctx context.Context, w *where, order string, limit int) ([]Transition, error) {
	var list []Transition
	query := "SELECT seq, check_name, node, at, from_status, to_status, hard, output, flap FROM transitions" + w.String() + order + w.limit(page(limit))
	err := s.reader().each(ctx, "read transitions", query, w.args, func(rows *sql.Rows) error {
		var c Transition
		if err := rows.Scan(&c.Seq, &c.Check, &c.Node, &c.At, &c.From, &c.To, &c.Hard, &c.Output, &c.Flap); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, err
}

func writeStates(ctx context.Context, t *tx, cs []fettle.CheckState) error {
	perfdata := make([]string, len(cs))
	for i := range cs {
		if err := stateKeys(cs[i].Check, cs[i].Node); err != nil {
			return err
		}
		if err := key("task id", string(cs[i].Task), MaxID); err != nil {
			return err
		}
		perfdata[i] = "[]"
		if len(cs[i].Perfdata) > 0 {
			text, err := encode(cs[i].Perfdata)
			if err != nil {
				return fmt.Errorf("check %s on %s: perfdata: %w", cs[i].Check, cs[i].Node, err)
			}
			perfdata[i] = text
		}
	}
	const head = "INSERT INTO check_states (check_name, node, check_rev, status, soft, attempt, since_at, received_at, output, perfdata, session, seq, task, changes, flapping, stale_at, rev)"
	tail := t.s.d.upsert("check_name, node", "check_rev = new(check_rev), status = new(status), soft = new(soft), attempt = new(attempt), "+
		"since_at = new(since_at), received_at = new(received_at), output = new(output), perfdata = new(perfdata), session = new(session), seq = new(seq), "+
		"task = new(task), changes = new(changes), flapping = new(flapping), stale_at = new(stale_at), rev = check_states.rev + 1")
	_, err := t.insert(ctx, "write check states", head, tail, len(cs), func(args []any, i int) []any {
		c := &cs[i]
		return append(args, c.Check, string(c.Node), c.Rev, string(c.Status), string(c.Soft), int64(c.Attempt), int64(c.Since), int64(c.At), text(c.Output),
			perfdata[i], text(c.Session), c.Seq, string(c.Task), int64(c.Changes), flag(c.Flapping), int64(c.Stale), int64(1))
	})
	return err
}

// StateKey names a state.
type StateKey struct {
	Check string
	Node  fettle.NodeID
}

func dropStates(ctx context.Context, t *tx, keys []StateKey) error {
	byCheck := map[string][]string{}
	for _, k := range keys {
		byCheck[k.Check] = append(byCheck[k.Check], string(k.Node))
	}
	for _, check := range slices.Sorted(maps.Keys(byCheck)) {
		if _, err := t.execIn(ctx, "drop check states", "DELETE FROM check_states WHERE check_name = ? AND node IN %s", []any{check}, byCheck[check]); err != nil {
			return err
		}
	}
	return nil
}

func writeTransitions(ctx context.Context, t *tx, cs []Transition) error {
	for i := range cs {
		if err := stateKeys(cs[i].Check, cs[i].Node); err != nil {
			return err
		}
	}
	const head = "INSERT INTO transitions (check_name, node, at, from_status, to_status, hard, output, flap)"
	_, err := t.insert(ctx, "write transitions", head, "", len(cs), func(args []any, i int) []any {
		c := &cs[i]
		return append(args, c.Check, string(c.Node), int64(c.At), string(c.From), string(c.To), flag(c.Hard), text(c.Output), int64(c.Flap))
	})
	return err
}

func stateKeys(check string, node fettle.NodeID) error {
	if err := named("check", check, MaxName); err != nil {
		return err
	}
	return named("identity", string(node), fettle.MaxIdentity)
}
