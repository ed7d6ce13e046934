package inventory

import (
	"context"
	"fmt"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Explanation says how a filter is answered, and why.
type Explanation struct {
	Filter      fettle.Filter  `json:"filter"` // in CEL
	Cost        uint64         `json:"cost"`   // of one evaluation at worst, estimated; a unit is about 50 ns
	Matched     int            `json:"matched"`
	Undefined   int            `json:"undefined"`
	UndefinedBy map[string]int `json:"undefined_by"`
	Clause      Clause         `json:"clause"`            // the whole filter, taken apart
	Unknown     []Unknown      `json:"unknown,omitempty"` // paths that no node has
	Node        *NodeVerdict   `json:"node,omitempty"`    // of the node that was asked for
}

// Clause is a part of a filter: And, Or and Not have kids, all else is decided by itself.
type Clause struct {
	Op        string   `json:"op"` // and, or, not; clause
	Text      string   `json:"text,omitempty"`
	How       string   `json:"how,omitempty"` // index: once per distinct value; scan: node by node
	True      int      `json:"true"`
	False     int      `json:"false"`
	Undefined int      `json:"undefined"`
	Truth     string   `json:"truth,omitempty"` // for the node that was asked for
	Kids      []Clause `json:"clauses,omitempty"`
}

// NodeVerdict is what the filter is for one node.
type NodeVerdict struct {
	Identity fettle.NodeID `json:"identity"`
	Truth    string        `json:"truth"`
	Missing  []string      `json:"missing,omitempty"`  // why it is undefined
	KeptOut  []string      `json:"kept_out,omitempty"` // the clauses that are not as they would have to be for the node to match
}

// Explain counts what each clause of q.Program keeps. With a node it also says which clause keeps that node out; fettle.ErrNotFound if there is
// no such node.
func (v *Inventory) Explain(ctx context.Context, q Query, node fettle.NodeID) (Explanation, error) {
	if q.Program == nil {
		return Explanation{}, fmt.Errorf("explain a filter: there is none: %w", fettle.ErrInvalid)
	}
	x := Explanation{Filter: q.Program.Text(), Cost: q.Program.Cost(), UndefinedBy: map[string]int{}, Unknown: v.Unknown(q.Program)}
	x.Clause = newClause(q.Program.Tree())
	err := v.each(ctx, q, func(m match) {
		switch m.truth {
		case filter.True:
			x.Matched++
		case filter.Undefined:
			x.Undefined++
			addReasons(x.UndefinedBy, m.missing)
		}
		x.Clause.count(ctx, q.Program.Tree(), m.record)
	})
	if err != nil {
		return Explanation{}, err
	}
	if node != "" {
		err = v.explainNode(ctx, q, node, &x)
	}
	return x, err
}

func newClause(t *filter.Tree) Clause {
	if t.Op == filter.Leaf {
		return Clause{Op: "clause", Text: t.Atom.Text(), How: "scan"}
	}
	c := Clause{Op: [...]string{filter.And: "and", filter.Or: "or", filter.Not: "not"}[t.Op]}
	for _, k := range t.Kids {
		c.Kids = append(c.Kids, newClause(k))
	}
	return c
}

// count adds one node to the clause and to those inside of it.
func (c *Clause) count(ctx context.Context, t *filter.Tree, rec *filter.Record) {
	switch t.Match(ctx, rec) {
	case filter.True:
		c.True++
	case filter.False:
		c.False++
	default:
		c.Undefined++
	}
	for i := range c.Kids {
		c.Kids[i].count(ctx, t.Kids[i], rec)
	}
}

func (v *Inventory) explainNode(ctx context.Context, q Query, node fettle.NodeID, x *Explanation) error {
	e, ok := v.entry(node)
	if !ok {
		return fmt.Errorf("node %s: %w", node, fettle.ErrNotFound)
	}
	m, err := e.match(ctx, q)
	if err != nil {
		return err
	}
	x.Node = &NodeVerdict{Identity: node, Truth: m.truth.String()}
	for _, reason := range m.missing {
		x.Node.Missing = append(x.Node.Missing, reason.String())
	}
	x.Clause.judge(ctx, q.Program.Tree(), m.record)
	keptOut(ctx, q.Program.Tree(), m.record, filter.True, func(text string) { x.Node.KeptOut = append(x.Node.KeptOut, text) })
	return nil
}

// judge writes the node's truth beside each clause.
func (c *Clause) judge(ctx context.Context, t *filter.Tree, rec *filter.Record) {
	c.Truth = t.Match(ctx, rec).String()
	for i := range c.Kids {
		c.Kids[i].judge(ctx, t.Kids[i], rec)
	}
}

// keptOut gives the clauses that are not as they would have to be for t to be want.
func keptOut(ctx context.Context, t *filter.Tree, rec *filter.Record, want filter.Truth, add func(string)) {
	if t.Match(ctx, rec) == want {
		return
	}
	switch t.Op {
	case filter.Leaf:
		if want == filter.False {
			add("!(" + t.Atom.Text() + ")")
		} else {
			add(t.Atom.Text())
		}
	case filter.Not:
		keptOut(ctx, t.Kids[0], rec, want.Not(), add)
	default:
		for _, k := range t.Kids {
			keptOut(ctx, k, rec, want, add)
		}
	}
}
