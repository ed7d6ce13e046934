package filter

import (
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"

	"github.com/fettle-dev/fettle"
)

// Read is one thing that a filter reads: a name of its environment, and a path below it as far as that is written down.
type Read struct {
	Name string      // facts, identity, classes, now…
	Path fettle.Path // below Name; empty: Name itself, whole
	// Soft: its absence is no error there, because it is asked for by has() or `.?`.
	Soft bool
}

// String writes r as an error or a count names it: facts.mountpoints."/boot".size.
func (r Read) String() string {
	if len(r.Path) == 0 {
		return r.Name
	}
	return r.Name + "." + r.Path.String()
}

// Reads is all that a filter reads, in the order in which it stands there, each thing once.
type Reads []Read

// Facts gives the paths below facts.
func (rs Reads) Facts() []fettle.Path {
	var out []fettle.Path
	for _, r := range rs {
		if r.Name == "facts" && len(r.Path) > 0 {
			out = append(out, r.Path)
		}
	}
	return out
}

// Uses tells whether name is read at all.
func (rs Reads) Uses(name string) bool {
	return slices.ContainsFunc(rs, func(r Read) bool { return r.Name == name })
}

// Restless tells whether the filter's truth may change while the node's documents do not: it reads now, seen or liveness.
func (rs Reads) Restless() bool { return rs.Uses("now") || rs.Uses("seen") || rs.Uses("liveness") }

// Checks gives the names of the checks that are read; all is true when that cannot be told from the text, as in checks.exists(…).
func (rs Reads) Checks() (names []string, all bool) {
	for _, r := range rs {
		switch {
		case r.Name != "checks":
		case len(r.Path) == 0:
			all = true
		default:
			names = append(names, r.Path[0])
		}
	}
	return names, all
}

func readsOf(e ast.Expr) Reads {
	c := readCollector{seen: map[string]bool{}}
	c.visit(e, nil)
	return c.reads
}

type readCollector struct {
	reads Reads
	seen  map[string]bool
}

func (c *readCollector) add(r Read) {
	key := r.String()
	if r.Soft {
		key = "?" + key
	}
	if !c.seen[key] {
		c.seen[key] = true
		c.reads = append(c.reads, r)
	}
}

// visit collects what e reads; bound are the variables of the comprehensions around it.
func (c *readCollector) visit(e ast.Expr, bound []string) {
	if r, ok := chain(e); ok {
		if isName(r.Name) && !slices.Contains(bound, r.Name) {
			c.add(r)
		}
		return
	}
	switch e.Kind() {
	case ast.SelectKind:
		c.visit(e.AsSelect().Operand(), bound)
	case ast.CallKind:
		call := e.AsCall()
		if call.IsMemberFunction() {
			c.visit(call.Target(), bound)
		}
		for _, a := range call.Args() {
			c.visit(a, bound)
		}
	case ast.ListKind:
		for _, x := range e.AsList().Elements() {
			c.visit(x, bound)
		}
	case ast.MapKind:
		for _, x := range e.AsMap().Entries() {
			c.visit(x.AsMapEntry().Key(), bound)
			c.visit(x.AsMapEntry().Value(), bound)
		}
	case ast.StructKind:
		for _, x := range e.AsStruct().Fields() {
			c.visit(x.AsStructField().Value(), bound)
		}
	case ast.ComprehensionKind:
		c.comprehension(e.AsComprehension(), bound)
	}
}

func (c *readCollector) comprehension(f ast.ComprehensionExpr, bound []string) {
	c.visit(f.IterRange(), bound)
	c.visit(f.AccuInit(), bound)
	inner := append(slices.Clip(bound), f.IterVar(), f.AccuVar())
	if f.HasIterVar2() {
		inner = append(inner, f.IterVar2())
	}
	c.visit(f.LoopCondition(), inner)
	c.visit(f.LoopStep(), inner)
	c.visit(f.Result(), append(slices.Clip(bound), f.AccuVar()))
}

// isName tells whether name is one of an environment; what else stands like a name is a type, such as int.
func isName(name string) bool {
	switch name {
	case "identity", "facts", "classes", "agent", "checks", "now", "user", "action", "inputs", "context", "steps":
		return true
	}
	return serverOnly(name) || slices.Contains(TallyNames(), name)
}

// chain reads e as a name with a path of literal keys below it: facts.a["b"].c, facts.?a, has(facts.a.b).
func chain(e ast.Expr) (Read, bool) {
	var path []string
	soft := false
	for {
		switch e.Kind() {
		case ast.IdentKind:
			if strings.HasPrefix(e.AsIdent(), "@") {
				return Read{}, false
			}
			slices.Reverse(path)
			return Read{Name: e.AsIdent(), Path: path, Soft: soft}, true
		case ast.SelectKind:
			s := e.AsSelect()
			path, soft, e = append(path, s.FieldName()), soft || s.IsTestOnly(), s.Operand()
		case ast.CallKind:
			key, operand, optional, ok := indexCall(e.AsCall())
			if !ok {
				return Read{}, false
			}
			path, soft, e = append(path, key), soft || optional, operand
		default:
			return Read{}, false
		}
	}
}

// indexCall reads c as operand["key"], operand.?key or operand[?"key"].
func indexCall(c ast.CallExpr) (key string, operand ast.Expr, optional, ok bool) {
	switch c.FunctionName() {
	case operators.Index:
	case operators.OptIndex, operators.OptSelect:
		optional = true
	default:
		return "", nil, false, false
	}
	if len(c.Args()) != 2 || c.Args()[1].Kind() != ast.LiteralKind {
		return "", nil, false, false
	}
	key, ok = c.Args()[1].AsLiteral().Value().(string)
	return key, c.Args()[0], optional, ok
}
