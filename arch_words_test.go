package fettle_test

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

// call forbids a function of the standard library where it does not belong.
type call struct {
	pkg   string // import path
	names []string
	in    func(s source) bool // the files for which it holds
	why   string
}

// calls are the functions that are not used everywhere.
var calls = []call{
	{"time", []string{"Sleep"}, func(s source) bool { return s.test }, "a test waits for a condition, or uses testing/synctest"},
	{
		"context",
		[]string{"Background", "TODO"},
		func(s source) bool { return !s.test && !s.isMain() && !s.generated },
		"a context comes from the caller; it begins in main and in tests",
	},
	{
		"log/slog",
		[]string{"Default", "SetDefault", "Debug", "Info", "Warn", "Error", "Log", "DebugContext", "InfoContext", "WarnContext", "ErrorContext"},
		func(source) bool { return true }, "the logger is handed in",
	},
	{"os", []string{"Exit"}, func(s source) bool { return !s.test && !s.isMain() }, "main alone ends the process"},
}

// wellKnown are methods whose meaning the standard library gives.
var wellKnown = []string{"Error", "Unwrap", "String", "Read", "Write", "ServeHTTP", "MarshalJSON", "UnmarshalJSON", "Len", "Less", "Swap"}

// isMain tells whether s is the file in which a program begins.
func (s source) isMain() bool { return s.ast.Name.Name == "main" && path.Base(s.name) == "main.go" }

// callFaults looks for calls and for init.
func (s source) callFaults() (found []string) {
	locals := s.localNames()
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if f, ok := n.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !s.generated {
			found = append(found, s.at(f.Pos(), "init: what a package needs is made by whoever calls it"))
		}
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		if s.tagged && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, sel.Sel.Name) && slices.Contains([]string{"t", "b", "tb"}, x.Name) {
			found = append(found, s.at(sel.Pos(), "%s.%s: a service that is absent is a failure", x.Name, sel.Sel.Name))
		}
		if x.Obj != nil { // a variable that has the name of a package
			return true
		}
		for _, c := range calls {
			if locals[x.Name] == c.pkg && slices.Contains(c.names, sel.Sel.Name) && c.in(s) {
				found = append(found, s.at(sel.Pos(), "%s.%s: %s", x.Name, sel.Sel.Name, c.why))
			}
		}
		return true
	})
	return found
}

// localNames gives the import path for each name by which the file knows a package.
func (s source) localNames() map[string]string {
	names := map[string]string{}
	for _, spec := range s.ast.Imports {
		dep, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(dep)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = dep
	}
	return names
}

// commentFaults looks for exported names without a comment, and for comments that do not end as a sentence does.
func (s source) commentFaults() (found []string) {
	if s.ast.Doc != nil && !endsWell(s.ast.Doc.Text()) {
		found = append(found, s.at(s.ast.Doc.Pos(), "the package comment does not end in a full stop"))
	}
	for _, decl := range s.ast.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) && !(d.Recv != nil && slices.Contains(wellKnown, d.Name.Name)) {
				found = append(found, s.docFault(d.Pos(), d.Name.Name, d.Doc)...)
			}
		case *ast.GenDecl:
			found = append(found, s.groupFaults(d)...)
		}
	}
	return found
}

// groupFaults looks at a declaration of types, constants or variables. The comment of a group in parentheses speaks for all in it.
func (s source) groupFaults(d *ast.GenDecl) (found []string) {
	if d.Tok == token.IMPORT {
		return nil
	}
	for _, spec := range d.Specs {
		names, own := []*ast.Ident{}, (*ast.CommentGroup)(nil)
		switch sp := spec.(type) {
		case *ast.TypeSpec:
			names, own = []*ast.Ident{sp.Name}, sp.Doc
		case *ast.ValueSpec:
			names, own = sp.Names, sp.Doc
		}
		if own == nil {
			own = d.Doc
		}
		for _, name := range names {
			if name.IsExported() {
				found = append(found, s.docFault(name.Pos(), name.Name, own)...)
			}
		}
	}
	return found
}

func (s source) docFault(pos token.Pos, name string, doc *ast.CommentGroup) []string {
	switch {
	case doc == nil || doc.Text() == "":
		return []string{s.at(pos, "%s is exported and has no comment", name)}
	case !endsWell(doc.Text()):
		return []string{s.at(pos, "the comment of %s does not end in a full stop", name)}
	}
	return nil
}

// endsWell tells whether a comment ends in a full stop, or in a drawing or a list, which Go's documents know by the indent.
func endsWell(text string) bool {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	last := lines[len(lines)-1]
	if strings.HasPrefix(last, "\t") || strings.HasPrefix(last, "  ") {
		return true
	}
	return strings.HasSuffix(strings.TrimRight(last, `)"'`), ".")
}

// exportedReceiver tells whether d is a function, or a method of an exported type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	t := d.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	switch x := t.(type) {
	case *ast.IndexExpr: // of a generic type
		t = x.X
	case *ast.IndexListExpr:
		t = x.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}
