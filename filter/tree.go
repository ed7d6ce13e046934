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
// empty. A planner may evaluate a single atom once per distinct value of that thing (With).
func (a *Atom) Single() (name string, path fettle.Path, ok bool) { return a.name, a.path, a.only }

// IsHas tells whether the atom is has(facts.a.b) and nothing else: true where the path is, false where only its last key is missing.
func (a *Atom) IsHas() bool { return a.has }

// Soft tells whether the atom may have a truth where its path is missing, because it asks by has() or `.?`.
func (a *Atom) Soft() bool { return a.soft }

// ClassMember gives the class that the atom asks for, when it is `"class" in classes`.
func (a *Atom) ClassMember() (class string, ok bool) {
	if a.expr.Kind() != ast.CallKind || a.expr.AsCall().FunctionName() != operators.In {
		return "", false
	}
	args := a.expr.AsCall().Args()
	if args[0].Kind() != ast.LiteralKind || args[1].Kind() != ast.IdentKind || args[1].AsIdent() != "classes" {
		return "", false
	}
	class, ok = args[0].AsLiteral().Value().(string)
	return class, ok
}

// PerClass tells whether the atom is classes.exists(c, …) or classes.all(c, …) over each class by itself. By CEL's definition of these macros its
// truth is then the Or, or the And, of its truths for a list of each class alone, and False, or True, for a node without classes.
func (a *Atom) PerClass() (op Op, ok bool) {
	if a.expr.Kind() != ast.ComprehensionKind || len(a.reads) != 1 || a.name != "classes" {
		return Leaf, false
	}
	f := a.expr.AsComprehension()
	if f.IterRange().Kind() != ast.IdentKind || f.HasIterVar2() || len(readsOf(f.LoopStep())) != 0 {
		return Leaf, false
	}
	macro, ok := a.of.ast.NativeRep().SourceInfo().GetMacroCall(a.expr.ID())
	if !ok || macro.Kind() != ast.CallKind {
		return Leaf, false
	}
	switch macro.AsCall().FunctionName() {
	case operators.Exists:
		return Or, true
	case operators.All:
		return And, true
	}
	return Leaf, false
}

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

// Match gives the atom's truth for a node. When ctx ends first, the answer is Undefined, and the caller looks at ctx.
func (a *Atom) Match(ctx context.Context, node Names) Truth {
	v, _, err := a.prog.ContextEval(ctx, activation{node})
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

// With, Without and Blocked give a node that has nothing but what an atom reads that reads one thing only (Single). The atom is for it what it is
// for any node that is like that there, because it cannot see the rest; so a planner decides it once for all of them.

// With is a node where what the atom reads has this value.
func (a *Atom) With(value any) Names { return a.alone(len(a.path), value) }

// Without is a node where only the first depth keys of the atom's path lead to an object, and the next is missing.
func (a *Atom) Without(depth int) Names {
	if a.name != "facts" {
		return nothing{}
	}
	return a.alone(depth, Map(nil))
}

// Blocked is a node where the first depth keys of the atom's path lead to a value that is no object, so that the path ends there.
func (a *Atom) Blocked(depth int, value any) Names { return a.alone(depth, value) }

func (a *Atom) alone(depth int, value any) Names {
	if depth > 0 {
		value = &onePath{keys: a.path[:depth], value: value}
	}
	return &lone{name: a.name, value: value}
}

// onePath is an object that has one path.
type onePath struct {
	keys  []string // at least one
	value any
}

// Get gives the value under key.
func (o *onePath) Get(key string) (any, bool) {
	if key != o.keys[0] {
		return nil, false
	}
	if len(o.keys) == 1 {
		return o.value, true
	}
	return &onePath{keys: o.keys[1:], value: o.value}, true
}

// Keys gives the one key.
func (o *onePath) Keys() []string { return o.keys[:1] }

// Len gives 1.
func (o *onePath) Len() int { return 1 }

// lone is a node that has one name.
type lone struct {
	name  string
	value any
}

// Name gives the value of the one name.
func (l *lone) Name(name string) (any, bool) { return l.value, name == l.name }

// nothing is a node that has no name.
type nothing struct{}

// Name gives nothing.
func (nothing) Name(string) (any, bool) { return nil, false }
