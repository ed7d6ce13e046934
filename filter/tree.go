package filter

import (
	"context"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"

	"github.com/fettle-dev/fettle"
)

// Op says what a Tree is.
type Op int

// The values of Op. They combine truths as CEL does: And is false where any kid is false, true where all are true, undefined elsewhere; Or is
// its mirror; Not swaps true and false and keeps undefined.
const (
	Leaf Op = iota // an Atom
	And
	Or
	Not
)

// Tree is a filter taken apart: only `&&`, `||` and `!` are inner nodes, all else is an Atom. It does not change.
type Tree struct {
	Op   Op
	Kids []*Tree // of And and Or at least two, of Not one
	Atom *Atom   // of a Leaf
}

// Atom is a part of a filter that cel-go decides. It is safe for concurrent use.
type Atom struct {
	text string
	expr ast.Expr
	prog cel.Program
	of   *Program

	name  string      // what it reads, when that is one thing
	path  fettle.Path // of it, below facts
	only  bool        // it reads exactly one thing, or nothing
	has   bool        // it is has(facts.…) and nothing else
	soft  bool        // it reads something by has() or `.?`
	reads Reads

	track func() (cel.Program, error) // the program that keeps what each part gave; made when first asked why
}

// Text gives the atom in CEL.
func (a *Atom) Text() string { return a.text }

// Reads gives what the atom reads.
func (a *Atom) Reads() Reads { return a.reads }

// Single gives the one thing that the atom reads, and false when there are several. An atom that reads nothing is always the same: name is
// empty. A planner may evaluate a single atom once per distinct value of that thing (Value).
func (a *Atom) Single() (name string, path fettle.Path, ok bool) { return a.name, a.path, a.only }

// IsHas tells whether the atom is has(facts.a.b) and nothing else: true where the path is, false where only its last key is missing.
func (a *Atom) IsHas() bool { return a.has }

// Soft tells whether the atom may have a truth where its path is missing, because it asks by has() or `.?`.
func (a *Atom) Soft() bool { return a.soft }

// newTree takes e apart.
func (p *Program) newTree(e ast.Expr) (*Tree, error) {
	if e.Kind() == ast.CallKind {
		switch c := e.AsCall(); c.FunctionName() {
		case operators.LogicalAnd:
			return p.newInner(And, c.Args())
		case operators.LogicalOr:
			return p.newInner(Or, c.Args())
		case operators.LogicalNot:
			return p.newInner(Not, c.Args())
		}
	}
	a, err := p.newAtom(e)
	if err != nil {
		return nil, err
	}
	return &Tree{Op: Leaf, Atom: a}, nil
}

// newInner makes an inner node, and takes kids of the same kind into itself.
func (p *Program) newInner(op Op, args []ast.Expr) (*Tree, error) {
	t := &Tree{Op: op}
	for _, a := range args {
		k, err := p.newTree(a)
		if err != nil {
			return nil, err
		}
		if k.Op == op && op != Not {
			t.Kids = append(t.Kids, k.Kids...)
		} else {
			t.Kids = append(t.Kids, k)
		}
	}
	return t, nil
}

func (p *Program) newAtom(e ast.Expr) (*Atom, error) {
	a := &Atom{of: p, expr: e, text: p.textOf(e), reads: readsOf(e)}
	prog, err := p.plan(e, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	a.prog = prog
	a.track = sync.OnceValues(func() (cel.Program, error) { return p.plan(e, cel.EvalOptions(cel.OptTrackState)) })
	for _, r := range a.reads {
		a.soft = a.soft || r.Soft
	}
	a.name, a.path, a.only = single(a.reads)
	a.has = a.only && a.name == "facts" && e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() && !chainSoft(e.AsSelect().Operand())
	return a, nil
}

// chainSoft tells whether e asks for a part of its path by `.?`.
func chainSoft(e ast.Expr) bool {
	r, ok := chain(e)
	return !ok || r.Soft
}

// single gives the one thing that rs read: a name, or a path below facts. Two paths are two things, also when one leads to the other.
func single(rs Reads) (string, fettle.Path, bool) {
	if len(rs) == 0 {
		return "", nil, true
	}
	first := rs[0]
	for _, r := range rs[1:] {
		if r.Name != first.Name || first.Name == "facts" && r.Path.String() != first.Path.String() {
			return "", nil, false
		}
	}
	if first.Name == "facts" {
		return "facts", first.Path, len(first.Path) > 0
	}
	return first.Name, nil, true
}

// Match gives the atom's truth for rec. When ctx ends first, the answer is Undefined, and the caller looks at ctx.
func (a *Atom) Match(ctx context.Context, rec *Record) Truth {
	v, _, err := a.prog.ContextEval(ctx, activation{rec})
	if err != nil {
		return Undefined
	}
	switch v {
	case types.True:
		return True
	case types.False:
		return False
	}
	return Undefined
}

// Value gives the truth of an atom over one path below facts where that path has this value (nil, bool, int64, float64, string, []any, Object).
// It is what Match gives for any node whose document has this value there, because the atom cannot see the rest.
func (a *Atom) Value(ctx context.Context, value any) Truth {
	return a.Match(ctx, &Record{Facts: nest(a.path, value)})
}

// Absent gives the truth of an atom over one path below facts where only the first depth keys of that path lead anywhere.
func (a *Atom) Absent(ctx context.Context, depth int) Truth {
	return a.Match(ctx, &Record{Facts: nest(a.path[:depth], Map(nil))})
}

// Blocked gives the truth of an atom over one path below facts where the first depth keys of that path lead to a value that is no object, so that
// the path ends there. A depth of the whole path is Value.
func (a *Atom) Blocked(ctx context.Context, depth int, value any) Truth {
	return a.Match(ctx, &Record{Facts: nest(a.path[:depth], value)})
}

// nest gives the document that has value at path, and nothing else.
func nest(path fettle.Path, value any) Object {
	for i := len(path) - 1; i >= 0; i-- {
		value = &fields{keys: path[i : i+1], values: []any{value}}
	}
	o, _ := value.(Object)
	return o
}
