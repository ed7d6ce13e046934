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
	Cost        uint64         `json:"cost"`   // of one evaluation at worst, estimated, in CEL's units
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
	How       string   `json:"how,omitempty"`   // index: once for all nodes that are alike in it; scan: node by node
	Index     string   `json:"index,omitempty"` // what the index that answers it is over: a path of facts, or a name such as identity
	Asked     int      `json:"asked,omitempty"` // scan: how many nodes the other clauses left to be asked about
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
	x := Explanation{Filter: q.Program.Text(), Cost: q.Program.Cost(), Unknown: v.Unknown(q.Program)}
	h, err := v.ask(ctx, q, true)
	if err != nil {
		return Explanation{}, err
	}
	defer h.done()
	x.Matched, x.Undefined, x.UndefinedBy = h.matched, h.undefined, h.reasons
	if x.Clause, err = v.explainClause(ctx, q, h, q.Program.Tree()); err != nil {
		return Explanation{}, err
	}
	if node != "" {
		err = v.explainNode(ctx, q, node, &x)
	}
	return x, err
}

// explainClause counts one clause over all nodes, and those inside of it.
func (v *Inventory) explainClause(ctx context.Context, q Query, h *hits, t *filter.Tree) (Clause, error) {
	v.plans.mu.Lock()
	c, evicted := v.plans.clause(t)
	v.plans.mu.Unlock()
	for _, a := range evicted {
		v.evict(a)
	}
	out := Clause{Op: [...]string{filter.Leaf: "clause", filter.And: "and", filter.Or: "or", filter.Not: "not"}[t.Op]}
	if c.atom != nil {
		out.Text, out.How, out.Index, out.Asked = c.atom.Text(), c.atom.how(), c.atom.over(), h.asked[c.atom.Text()]
	}
	qu := &question{v: v, ctx: ctx, plan: &plan{root: c}, now: q.Now, budget: q.Budget, ahead: v.Len()}
	for _, sh := range h.shards {
		if err := qu.countClause(sh, c, &out); err != nil {
			return Clause{}, err
		}
	}
	for _, k := range t.Kids {
		kid, err := v.explainClause(ctx, q, h, k)
		if err != nil {
			return Clause{}, err
		}
		out.Kids = append(out.Kids, kid)
	}
	return out, nil
}

func (q *question) countClause(sh *shard, c *clause, out *Clause) error {
	return q.parts(sh, c, func(p part) error {
		b, done := borrow(2)
		defer done()
		if err := q.decide(sh, c, p.nodes, b[0], b[1]); err != nil {
			return err
		}
		yes, no := b[0].count(p.to), b[1].count(p.to)
		out.True += yes
		out.False += no
		out.Undefined += p.count - yes - no
		return nil
	})
}

func (v *Inventory) explainNode(ctx context.Context, q Query, node fettle.NodeID, x *Explanation) error {
	found := v.seeNode(node, func(sh *shard, slot int) {
		names, tree := v.names(sh, slot, q.Now), q.Program.Tree()
		truth, missing := q.Program.Match(ctx, names)
		x.Node = &NodeVerdict{Identity: node, Truth: truth.String()}
		for _, reason := range missing {
			x.Node.Missing = append(x.Node.Missing, reason.String())
		}
		x.Clause.judge(ctx, tree, names)
		keptOut(ctx, tree, names, filter.True, func(text string) { x.Node.KeptOut = append(x.Node.KeptOut, text) })
	})
	switch {
	case !found:
		return fmt.Errorf("node %s: %w", node, fettle.ErrNotFound)
	case ctx.Err() != nil:
		return fmt.Errorf("ask the inventory: %w", ctx.Err())
	}
	return nil
}

// judge writes the node's truth beside each clause.
func (c *Clause) judge(ctx context.Context, t *filter.Tree, node filter.Names) {
	c.Truth = t.Match(ctx, node).String()
	for i := range c.Kids {
		c.Kids[i].judge(ctx, t.Kids[i], node)
	}
}

// keptOut gives the clauses that are not as they would have to be for t to be want.
func keptOut(ctx context.Context, t *filter.Tree, node filter.Names, want filter.Truth, add func(string)) {
	if t.Match(ctx, node) == want {
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
		keptOut(ctx, t.Kids[0], node, want.Not(), add)
	default:
		for _, k := range t.Kids {
			keptOut(ctx, k, node, want, add)
		}
	}
}
