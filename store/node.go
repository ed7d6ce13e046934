package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// NodeWrite is a node as it is now, and what changed in its facts. Node.Rev is ignored: the store counts it, from 1. Node.Enrolled is kept from the
// first write; Node.Liveness and Node.Seen are written too.
type NodeWrite struct {
	Node    fettle.Node
	Changes []FactChange // their Node is ignored
}

// Seen is what a beat changes in a node.
type Seen struct {
	Node     fettle.NodeID
	Liveness fettle.Liveness
	At       fettle.Millis // when a byte of it was last received
}

const nodeColumns = "n.identity, n.facts, n.facts_hash, n.facts_at, n.classes, n.agent, n.commands, n.pools, n.labels, n.enrolled_at, n.session, n.seq, " +
	"n.rev, COALESCE(s.liveness, ''), COALESCE(s.seen_at, 0)"

const nodeTables = " FROM nodes n LEFT JOIN node_seen s ON s.node = n.identity"

// LoadNodes calls fn for every node, in no order, while it reads them. An error of fn ends it and is given back.
func (s *Store) LoadNodes(ctx context.Context, fn func(fettle.Node) error) error {
	var r nodeReader
	err := s.reader().each(ctx, "load nodes", "SELECT "+nodeColumns+nodeTables, nil, func(rows *sql.Rows) error {
		n, err := r.scan(rows)
		if err != nil {
			return err
		}
		return fn(n)
	})
	return s.fault(ctx, "load nodes", err)
}

// Node gives one node. It is ErrNotFound if there is none.
func (s *Store) Node(ctx context.Context, id fettle.NodeID) (fettle.Node, error) {
	var r nodeReader
	var n fettle.Node
	err := sql.ErrNoRows
	e := s.reader().each(ctx, "read node", "SELECT "+nodeColumns+nodeTables+" WHERE n.identity = ?", []any{string(id)}, func(rows *sql.Rows) (e error) {
		n, e = r.scan(rows)
		err = nil
		return e
	})
	if e != nil {
		err = e
	}
	return n, s.fault(ctx, "read node "+string(id), err)
}

// nodeReader reads rows of nodeColumns. It keeps what is the same for most nodes as text, to decode it once for each node that differs.
type nodeReader struct {
	facts                                   *string
	classes, agent, commands, pools, labels string
}

func (r *nodeReader) scan(rows *sql.Rows) (fettle.Node, error) {
	var n fettle.Node
	err := rows.Scan(&n.Identity, &r.facts, &n.Hash, &n.FactsAt, &r.classes, &r.agent, &r.commands, &r.pools, &r.labels, &n.Enrolled, &n.Session, &n.Seq,
		&n.Rev, &n.Liveness, &n.Seen)
	if err != nil {
		return n, err
	}
	n.Facts = raw(r.facts)
	for _, c := range []struct {
		name, text string
		to         any
	}{{"classes", r.classes, &n.Classes}, {"agent", r.agent, &n.Agent}, {"commands", r.commands, &n.Commands}, {"pools", r.pools, &n.Pools}, {"labels", r.labels, &n.Labels}} {
		if err := decode(c.name, c.text, c.to); err != nil {
			return n, fmt.Errorf("node %s: %w", n.Identity, err)
		}
	}
	return n, nil
}

// writeNodes puts down nodes, their changes, and that they were seen.
func writeNodes(ctx context.Context, t *tx, ws []NodeWrite) error {
	rows, changes, seen, err := nodeRows(ws)
	if err != nil {
		return err
	}
	const head = "INSERT INTO nodes (identity, facts, facts_hash, facts_at, classes, agent, commands, pools, labels, enrolled_at, session, seq, rev)"
	tail := t.s.d.upsert("identity", "facts = new(facts), facts_hash = new(facts_hash), facts_at = new(facts_at), classes = new(classes), "+
		"agent = new(agent), commands = new(commands), pools = new(pools), labels = new(labels), session = new(session), seq = new(seq), rev = nodes.rev + 1")
	_, err = t.insert(ctx, "write nodes", head, tail, len(rows), func(args []any, i int) []any { return append(args, rows[i][:]...) })
	if err != nil {
		return err
	}
	if err := writeChanges(ctx, t, changes); err != nil {
		return err
	}
	return writeSeen(ctx, t, seen)
}

// nodeRows turns ws into rows of three tables.
func nodeRows(ws []NodeWrite) (rows [][13]any, changes []FactChange, seen []Seen, err error) {
	rows = make([][13]any, len(ws))
	seen = make([]Seen, len(ws))
	for i := range ws {
		n := &ws[i].Node
		if rows[i], err = nodeRow(n); err != nil {
			return nil, nil, nil, fmt.Errorf("node %s: %w", n.Identity, err)
		}
		seen[i] = Seen{Node: n.Identity, Liveness: n.Liveness, At: n.Seen}
		for _, c := range ws[i].Changes {
			c.Node = n.Identity
			changes = append(changes, c)
		}
	}
	return rows, changes, seen, nil
}

func nodeRow(n *fettle.Node) (row [13]any, err error) {
	if err := named("identity", string(n.Identity), fettle.MaxIdentity); err != nil {
		return row, err
	}
	if err := key("facts hash", n.Hash, MaxName); err != nil {
		return row, err
	}
	row = [13]any{string(n.Identity), document(n.Facts), n.Hash, int64(n.FactsAt), nil, nil, nil, nil, nil, int64(n.Enrolled), text(n.Session), n.Seq, int64(1)}
	if row[4], err = list(n.Classes); err != nil {
		return row, err
	}
	if row[5], err = encode(n.Agent); err != nil {
		return row, err
	}
	if row[6], err = list(n.Commands); err != nil {
		return row, err
	}
	if row[7], err = list(n.Pools); err != nil {
		return row, err
	}
	row[8], err = object(n.Labels)
	return row, err
}

func writeSeen(ctx context.Context, t *tx, seen []Seen) error {
	for _, s := range seen {
		if err := named("identity", string(s.Node), fettle.MaxIdentity); err != nil {
			return err
		}
	}
	tail := t.s.d.upsert("node", "liveness = new(liveness), seen_at = new(seen_at), rev = node_seen.rev + 1")
	_, err := t.insert(ctx, "write seen", "INSERT INTO node_seen (node, liveness, seen_at, rev)", tail, len(seen), func(args []any, i int) []any {
		return append(args, string(seen[i].Node), string(seen[i].Liveness), int64(seen[i].At), int64(1))
	})
	return err
}

// forget takes nodes away, with their states and the history of their facts. Their results, transitions and events stay for their time.
func forget(ctx context.Context, t *tx, ids []fettle.NodeID) error {
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = string(id)
	}
	for _, q := range []string{
		"DELETE FROM nodes WHERE identity IN %s", "DELETE FROM node_seen WHERE node IN %s",
		"DELETE FROM check_states WHERE node IN %s", "DELETE FROM fact_changes WHERE node IN %s",
	} {
		if _, err := t.execIn(ctx, "forget nodes", q, nil, keys); err != nil {
			return err
		}
	}
	return nil
}
