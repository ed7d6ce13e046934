package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/fettle-dev/fettle"
)

// NodeKey is what the server knows of one key pair of a node.
type NodeKey struct {
	ID         string            `json:"id"`
	Node       fettle.NodeID     `json:"node"`
	Sign       string            `json:"sign"` // the public half, base64
	Seal       string            `json:"seal"` // the public half, base64
	State      KeyState          `json:"state"`
	Token      string            `json:"token,omitempty"`   // with which it enrolled; empty: it replaced a key
	Machine    string            `json:"machine,omitempty"` // as the machine described itself
	Agent      string            `json:"agent,omitempty"`   // the agent's version then
	Pool       string            `json:"pool,omitempty"`    // of the token
	Labels     map[string]string `json:"labels,omitempty"`  // of the token
	Created    fettle.Millis     `json:"created"`
	Approved   fettle.Millis     `json:"approved"`              // zero: never
	ApprovedBy string            `json:"approved_by,omitempty"` // empty: nobody had to
	Rotate     bool              `json:"rotate,omitempty"`      // the node has been asked for a new key
	Rev        int64             `json:"rev"`                   // ignored when it is written: the store counts it, from 1
}

// KeyState tells what a key is good for. It is stored as its word.
type KeyState string

// The values of KeyState.
const (
	KeyPending KeyState = "pending" // an operator has to approve it
	KeyActive  KeyState = "active"
	KeyRevoked KeyState = "revoked"
)

// ContestedSessions is the Claim of an identity that two agents use in turns, with the same key.
const ContestedSessions = "sessions"

// Contested is a claim to an identity that belongs to somebody else.
type Contested struct {
	Node    fettle.NodeID `json:"node"`
	Claim   string        `json:"claim"`             // id of the key that asked, or ContestedSessions
	Machine string        `json:"machine,omitempty"` // as it described itself
	Reason  string        `json:"reason"`
	Tries   int64         `json:"tries"`
	First   fettle.Millis `json:"first"`
	Last    fettle.Millis `json:"last"`
}

// Enrolment is what one commit of the registry writes.
type Enrolment struct {
	Keys     []NodeKey        // made or replaced
	DropKeys []string         // by id
	Uses     map[string]int64 // of join tokens, by id; ErrConflict if there are not so many left
	// Contested are made, or replaced but for their First. Beyond MaxContested the oldest are dropped.
	Contested []Contested
	Clear     []fettle.NodeID // whose claims are dropped
}

// MaxContested is how many claims are kept. Who claims many identities pushes out claims, and nothing else.
const MaxContested = 10_000

const keyColumns = "id, node, sign, seal, state, token, machine, agent, pool, labels, created_at, approved_at, approved_by, rotate, rev"

// Enrol writes e in one transaction.
func (s *Store) Enrol(ctx context.Context, e Enrolment) error {
	return s.write(ctx, "enrol", func(ctx context.Context, t *tx) error {
		for _, id := range slices.Sorted(maps.Keys(e.Uses)) { // in one order, so that two servers do not lock each other
			if err := spend(ctx, t, id, e.Uses[id]); err != nil {
				return err
			}
		}
		if _, err := t.execIn(ctx, "drop node keys", "DELETE FROM node_keys WHERE id IN %s", nil, e.DropKeys); err != nil {
			return err
		}
		if err := writeKeys(ctx, t, e.Keys); err != nil {
			return err
		}
		for _, id := range e.Clear {
			if _, err := t.exec(ctx, "clear contested", "DELETE FROM contested WHERE node = ?", string(id)); err != nil {
				return err
			}
		}
		return writeContested(ctx, t, e.Contested)
	})
}

func writeKeys(ctx context.Context, t *tx, keys []NodeKey) error {
	labels := make([]string, len(keys))
	for i := range keys {
		k := &keys[i]
		if err := named("key", k.ID, MaxID); err != nil {
			return err
		}
		if err := named("identity", string(k.Node), fettle.MaxIdentity); err != nil {
			return err
		}
		if err := key("pool", k.Pool, MaxName); err != nil {
			return err
		}
		var err error
		if labels[i], err = object(k.Labels); err != nil {
			return fmt.Errorf("key %s: %w", k.ID, err)
		}
	}
	tail := t.s.d.upsert("id", "node = new(node), sign = new(sign), seal = new(seal), state = new(state), token = new(token), machine = new(machine), "+
		"agent = new(agent), pool = new(pool), labels = new(labels), created_at = new(created_at), approved_at = new(approved_at), "+
		"approved_by = new(approved_by), rotate = new(rotate), rev = node_keys.rev + 1")
	_, err := t.insert(ctx, "write node keys", "INSERT INTO node_keys ("+keyColumns+")", tail, len(keys), func(args []any, i int) []any {
		k := &keys[i]
		return append(args, k.ID, string(k.Node), k.Sign, k.Seal, string(k.State), k.Token, text(k.Machine), text(k.Agent), k.Pool, text(labels[i]),
			int64(k.Created), int64(k.Approved), text(k.ApprovedBy), flag(k.Rotate), int64(1))
	})
	return err
}

func writeContested(ctx context.Context, t *tx, claims []Contested) error {
	for _, c := range claims {
		if err := named("identity", string(c.Node), fettle.MaxIdentity); err != nil {
			return err
		}
		if err := named("claim", c.Claim, MaxID); err != nil {
			return err
		}
	}
	if len(claims) == 0 {
		return nil
	}
	tail := t.s.d.upsert("node, claim", "machine = new(machine), reason = new(reason), tries = new(tries), last_at = new(last_at)")
	_, err := t.insert(ctx, "write contested", "INSERT INTO contested (node, claim, machine, reason, tries, first_at, last_at)", tail, len(claims), func(args []any, i int) []any {
		c := &claims[i]
		return append(args, string(c.Node), c.Claim, text(c.Machine), text(c.Reason), c.Tries, int64(c.First), int64(c.Last))
	})
	if err != nil {
		return err
	}
	var count int64
	if err := t.one(ctx, "count contested", "SELECT COUNT(*) FROM contested", nil, &count); err != nil || count <= MaxContested {
		return err
	}
	var last int64 // of those beyond the bound, the newest
	if err := t.one(ctx, "find oldest contested", "SELECT last_at FROM contested ORDER BY last_at DESC LIMIT 1 OFFSET ?", []any{MaxContested}, &last); err != nil {
		return err
	}
	_, err = t.exec(ctx, "drop contested", "DELETE FROM contested WHERE last_at <= ?", last)
	return err
}

// LoadNodeKeys calls fn for every key, in no order, while it reads them. An error of fn ends it and is given back.
func (s *Store) LoadNodeKeys(ctx context.Context, fn func(NodeKey) error) error {
	err := s.reader().each(ctx, "load node keys", "SELECT "+keyColumns+" FROM node_keys", nil, func(rows *sql.Rows) error {
		var k NodeKey
		var labels string
		if err := rows.Scan(&k.ID, &k.Node, &k.Sign, &k.Seal, &k.State, &k.Token, &k.Machine, &k.Agent, &k.Pool, &labels,
			&k.Created, &k.Approved, &k.ApprovedBy, &k.Rotate, &k.Rev); err != nil {
			return err
		}
		if err := decode("labels", labels, &k.Labels); err != nil {
			return fmt.Errorf("key %s: %w", k.ID, err)
		}
		return fn(k)
	})
	return s.fault(ctx, "load node keys", err)
}

// LoadContested gives all claims, by node and claim.
func (s *Store) LoadContested(ctx context.Context) ([]Contested, error) {
	var out []Contested
	const query = "SELECT node, claim, machine, reason, tries, first_at, last_at FROM contested ORDER BY node, claim"
	err := s.reader().each(ctx, "load contested", query, nil, func(rows *sql.Rows) error {
		var c Contested
		if err := rows.Scan(&c.Node, &c.Claim, &c.Machine, &c.Reason, &c.Tries, &c.First, &c.Last); err != nil {
			return err
		}
		out = append(out, c)
		return nil
	})
	return out, s.fault(ctx, "load contested", err)
}
