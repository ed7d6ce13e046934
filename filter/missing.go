package filter

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/interpreter"

	"github.com/fettle-dev/fettle"
)

// Missing is one reason for which a filter is undefined for a node.
type Missing struct {
	Path  string // what the node does not have, as facts.env; empty: see Fault
	Fault string // a fault in what it does have, such as `facts.role > 3: no > for string and int`
}

// String gives the reason as it is counted and shown.
func (m Missing) String() string {
	if m.Path != "" {
		return m.Path
	}
	return m.Fault
}

// Missing gives why the tree is undefined for node, each reason once: those of all parts that are undefined and whose truth could have decided.
func (t *Tree) Missing(ctx context.Context, node Names) []Missing {
	var out []Missing
	t.missing(ctx, node, func(m Missing) {
		for _, o := range out {
			if o == m {
				return
			}
		}
		out = append(out, m)
	})
	return out
}

func (t *Tree) missing(ctx context.Context, node Names, add func(Missing)) {
	if t.Op == Leaf {
		for _, m := range t.Atom.Missing(ctx, node) {
			add(m)
		}
		return
	}
	for _, k := range t.Kids {
		if k.Match(ctx, node) == Undefined {
			k.missing(ctx, node, add)
		}
	}
}

// Missing gives why the atom is undefined for node.
func (a *Atom) Missing(ctx context.Context, node Names) []Missing {
	v, _, err := a.prog.ContextEval(ctx, activation{node})
	var stopped interpreter.EvalCancelledError
	switch {
	case ctx.Err() != nil:
		return []Missing{{Fault: "the time ran out"}}
	case err == nil && (v == types.True || v == types.False):
		return nil
	case err == nil:
		return []Missing{{Fault: fmt.Sprintf("%s: is %s, not bool", a.short(a.expr), valueWord(v))}}
	case errors.As(err, &stopped):
		return []Missing{{Fault: a.short(a.expr) + ": costs too much"}}
	}
	if m, ok := a.plainlyMissing(node); ok {
		return []Missing{m}
	}
	prog, err := a.track()
	if err != nil {
		return []Missing{{Fault: a.short(a.expr) + ": " + withoutValues(err.Error())}}
	}
	_, details, err := prog.ContextEval(ctx, activation{node})
	if err == nil {
		return nil
	}
	return []Missing{a.reason(culprit(a.expr, details.State()), details.State(), err)}
}

// plainlyMissing spares the search for the reason where the atom reads one fact, not softly, and the node does not have it.
func (a *Atom) plainlyMissing(node Names) (Missing, bool) {
	if !a.only || a.name != "facts" || a.soft {
		return Missing{}, false
	}
	var facts Object
	switch v, _ := node.Name("facts"); v := v.(type) {
	case object:
		facts = v.Object
	case Object:
		facts = v
	}
	if _, ok := Lookup(facts, a.path); ok {
		return Missing{}, false
	}
	return Missing{Path: a.reads[0].String()}, true
}

// Lookup gives the value at a path of o; nil is an empty object.
func Lookup(o Object, path fettle.Path) (any, bool) {
	var value any = o
	for _, k := range path {
		inner, ok := value.(Object)
		if !ok || inner == nil {
			return nil, false
		}
		if value, ok = inner.Get(k); !ok {
			return nil, false
		}
	}
	return value, true
}

// culprit finds the innermost part of e that gave an error although none of its own parts did.
func culprit(e ast.Expr, state interpreter.EvalState) ast.Expr {
	if _, ok := chain(e); ok {
		return e
	}
	for _, k := range parts(e) {
		if v, ok := state.Value(k.ID()); ok && types.IsError(v) {
			return culprit(k, state)
		}
	}
	return e
}

// parts gives the expressions that e evaluates before itself.
func parts(e ast.Expr) []ast.Expr {
	switch e.Kind() {
	case ast.SelectKind:
		return []ast.Expr{e.AsSelect().Operand()}
	case ast.CallKind:
		c := e.AsCall()
		if c.IsMemberFunction() {
			return append([]ast.Expr{c.Target()}, c.Args()...)
		}
		return c.Args()
	case ast.ListKind:
		return e.AsList().Elements()
	case ast.ComprehensionKind:
		c := e.AsComprehension()
		return []ast.Expr{c.IterRange(), c.LoopStep(), c.Result()}
	}
	return nil
}

// reason says in words why e failed.
func (a *Atom) reason(e ast.Expr, state interpreter.EvalState, err error) Missing {
	if r, ok := chain(e); ok {
		if e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() { // has(facts.a.b) fails where facts.a is missing
			r.Path = r.Path[:len(r.Path)-1]
		}
		return Missing{Path: r.String()}
	}
	text := a.short(e)
	if e.Kind() == ast.CallKind && strings.HasPrefix(err.Error(), "no such overload") {
		var words []string
		for _, k := range parts(e) {
			if v, ok := operand(k, state); ok {
				words = append(words, valueWord(v))
			}
		}
		return Missing{Fault: fmt.Sprintf("%s: no %s for %s", text, functionWord(e.AsCall().FunctionName()), join(words))}
	}
	return Missing{Fault: text + ": " + withoutValues(err.Error())}
}

// operand gives what k gave; a literal is not tracked.
func operand(k ast.Expr, state interpreter.EvalState) (ref.Val, bool) {
	if k.Kind() == ast.LiteralKind {
		return k.AsLiteral(), true
	}
	return state.Value(k.ID())
}

// short gives e in CEL, cut to a length that fits a line.
func (a *Atom) short(e ast.Expr) string {
	s := strings.Join(strings.Fields(a.of.textOf(e)), " ")
	if r := []rune(s); len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return s
}

var quotedValue = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// withoutValues cuts the node's own values out of a message, so that a thousand nodes with one fault count as one reason.
func withoutValues(msg string) string {
	msg, _, _ = strings.Cut(quotedValue.ReplaceAllString(msg, "…"), "\n")
	for _, what := range []string{"no such key", "index out of bounds"} {
		if strings.HasPrefix(msg, what+": ") {
			return what
		}
	}
	if i := strings.LastIndex(msg, "ParseAddr("); i >= 0 {
		msg = strings.TrimRight(msg[:i], ": ")
	}
	if r := []rune(msg); len(r) > 120 {
		return string(r[:119]) + "…"
	}
	return msg
}

func join(words []string) string {
	if len(words) == 2 {
		return words[0] + " and " + words[1]
	}
	return strings.Join(words, ", ")
}
