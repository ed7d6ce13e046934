package filter

import (
	"context"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"

	"github.com/fettle-dev/fettle"
)

// Truth is one of the three values of a filter. The zero value is Undefined, so that what nobody decided is never a match.
type Truth int8

// The values of Truth.
const (
	Undefined Truth = 0
	False     Truth = 1
	True      Truth = 2
)

// String gives the word for t.
func (t Truth) String() string {
	switch t {
	case True:
		return "true"
	case False:
		return "false"
	}
	return "undefined"
}

// Program is a filter, compiled. It does not change, and is safe for concurrent use.
type Program struct {
	environment Environment
	text        fettle.Filter
	env         *language
	ast         *cel.Ast
	tree        *Tree
	reads       Reads
	cost        uint64
}

// Text gives the filter as it was compiled.
func (p *Program) Text() fettle.Filter { return p.text }

// Environment gives where the program may be evaluated.
func (p *Program) Environment() Environment { return p.environment }

// Tree gives the filter taken apart, for a planner.
func (p *Program) Tree() *Tree { return p.tree }

// Reads gives what the filter reads.
func (p *Program) Reads() Reads { return p.reads }

// Cost gives what one evaluation may cost at worst, in cel-go's units, by its estimate over documents of a likely size.
func (p *Program) Cost() uint64 { return p.cost }

// Match gives the filter's truth for node and, where it is undefined, why, each reason once. A bound that is exceeded, on cost or by ctx, makes
// it undefined too; whoever goes on after that looks at ctx first.
func (p *Program) Match(ctx context.Context, node Names) (Truth, []Missing) {
	t := p.tree.Match(ctx, node)
	if t != Undefined {
		return t, nil
	}
	return t, p.tree.Missing(ctx, node)
}

// Match gives the tree's truth for node.
func (t *Tree) Match(ctx context.Context, node Names) Truth {
	switch t.Op {
	case Leaf:
		return t.Atom.Match(ctx, node)
	case Not:
		return t.Kids[0].Match(ctx, node).Not()
	}
	stop := False // the truth that decides
	if t.Op == Or {
		stop = True
	}
	all := stop.Not()
	for _, k := range t.Kids {
		switch k.Match(ctx, node) {
		case stop:
			return stop
		case Undefined:
			all = Undefined
		}
	}
	return all
}

// Not swaps true and false.
func (t Truth) Not() Truth {
	switch t {
	case True:
		return False
	case False:
		return True
	}
	return Undefined
}

// Value gives what an expression gives for node, as plain Go values (Plain); ok is false where it is undefined, and missing says why.
func (p *Program) Value(ctx context.Context, node Names) (value any, missing []Missing, ok bool) {
	if p.tree.Op != Leaf {
		t, missing := p.Match(ctx, node)
		return t == True, missing, t != Undefined
	}
	a := p.tree.Atom
	v, _, err := a.prog.ContextEval(ctx, activation{node})
	if err != nil {
		return nil, a.Missing(ctx, node), false
	}
	return goValue(v), nil, true
}

// plan makes a program of one expression of the filter.
func (p *Program) plan(e ast.Expr, opts ...cel.ProgramOption) (cel.Program, error) {
	whole := p.ast.NativeRep()
	part := ast.NewCheckedAST(ast.NewAST(e, whole.SourceInfo()), whole.TypeMap(), whole.ReferenceMap())
	opts = append(opts, p.env.limited)
	if costly(e) {
		opts = append(opts, cel.CostLimit(maxCost), cel.InterruptCheckFrequency(100))
	}
	prog, err := p.env.PlanProgram(part, opts...)
	if err != nil {
		return nil, &Error{Message: "the filter cannot be used: " + err.Error()}
	}
	return prog, nil
}

// textOf writes e in CEL.
func (p *Program) textOf(e ast.Expr) string {
	s, err := cel.ExprToString(e, p.ast.NativeRep().SourceInfo())
	if err != nil {
		return string(p.text)
	}
	return s
}
