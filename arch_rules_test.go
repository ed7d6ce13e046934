package fettle_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// source is one parsed Go file. Files are parsed whatever their build constraints are.
type source struct {
	name      string // from the top of the module
	pkg       string // the folder: "." for the root
	ast       *ast.File
	fset      *token.FileSet
	imports   map[string]token.Pos // path to where; ours as folders
	lines     int
	test      bool
	tagged    bool // has the build constraint "integration"
	generated bool
}

// house is all the Go files of a module.
type house struct {
	files []source
	long  map[string]string
}

// readHouse parses the files itself and does not run "go list": go test's cache then sees every change.
func readHouse(fsys fs.FS) (house, error) {
	h := house{long: long}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || name == "var" || name == "dist"):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		f, err := parse(name, content)
		if err != nil {
			return err
		}
		h.files = append(h.files, f)
		return nil
	})
	return h, err
}

func parse(name string, content []byte) (source, error) {
	s := source{
		name: name, pkg: path.Dir(name), fset: token.NewFileSet(), imports: map[string]token.Pos{},
		test: strings.HasSuffix(name, "_test.go"), lines: bytes.Count(content, []byte("\n")),
	}
	var err error
	if s.ast, err = parser.ParseFile(s.fset, name, content, parser.ParseComments); err != nil {
		return s, err
	}
	s.generated = ast.IsGenerated(s.ast)
	for _, spec := range s.ast.Imports {
		dep, _ := strconv.Unquote(spec.Path.Value) // the parser has seen to it
		if dep == module {
			dep = module + "/."
		}
		s.imports[strings.TrimPrefix(dep, module+"/")] = spec.Pos()
	}
	for _, group := range s.ast.Comments {
		for _, c := range group.List {
			s.tagged = s.tagged || c.Pos() < s.ast.Package && strings.HasPrefix(c.Text, "//go:build ") && strings.Contains(c.Text, "integration")
		}
	}
	return s, nil
}

// at gives a fault with its place and its reason.
func (s source) at(pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: ", s.name, s.fset.Position(pos).Line) + fmt.Sprintf(format, args...)
}

// faults gives all that is wrong with the house, in the order of the files.
func (h house) faults() []string {
	var found []string
	for _, s := range h.files {
		found = append(found, s.importFaults()...)
		found = append(found, s.callFaults()...)
		if !s.test && !s.generated {
			found = append(found, s.commentFaults()...)
		}
		most := maxFileLines
		if strings.HasSuffix(s.name, "_test.go") {
			most = maxTestLines
		}
		if reason := h.long[s.name]; s.lines > most && !s.generated && reason == "" {
			found = append(found, fmt.Sprintf("%s: %d lines: split it by its nouns, or list it in long with the reason", s.name, s.lines))
		} else if s.lines <= most && reason != "" {
			found = append(found, fmt.Sprintf("%s: %d lines: it is not long any more, take it off the list", s.name, s.lines))
		}
	}
	found = append(found, h.packageFaults()...)
	return append(found, h.meetings()...)
}

// importFaults holds one file to the plan. A test may import more, but for what is kept nowhere: real parts are better than fakes.
func (s source) importFaults() (found []string) {
	mine, known := plan[s.pkg]
	for _, dep := range slices.Sorted(maps.Keys(s.imports)) {
		pos := s.imports[dep]
		for _, k := range kept {
			if matches(dep, k.prefix) && !slices.Contains(k.in, s.pkg) && (k.in == nil || !s.test) {
				found = append(found, s.at(pos, "imports %s: %s", dep, k.why))
			}
		}
		if s.test || !known {
			continue
		}
		theirs, ours := plan[dep]
		switch {
		case s.pkg == "." && strings.Contains(dep, "."):
			found = append(found, s.at(pos, "the vocabulary imports %s: standard library only", dep))
		case !ours || dep == ".":
		case strings.HasPrefix(dep, s.pkg+"/"):
			found = append(found, s.at(pos, "%s imports its child %s: a parent never imports its child", s.pkg, dep))
		case theirs.floor >= mine.floor && !strings.HasPrefix(s.pkg, dep+"/"):
			found = append(found, s.at(pos, "%s (floor %d) imports %s (floor %d): imports run downward only", s.pkg, mine.floor, dep, theirs.floor))
		case !slices.Contains(mine.may, dep) && !slices.Contains(mine.may, anything):
			found = append(found, s.at(pos, "%s imports %s, and may import %v: see plan", s.pkg, dep, mine.may))
		}
	}
	return found
}

// matches tells whether dep is prefix or a path below it; a prefix that ends in "$" is matched by itself alone.
func matches(dep, prefix string) bool {
	return dep == strings.TrimRight(prefix, "/$") || strings.HasPrefix(dep, strings.TrimSuffix(prefix, "/")+"/")
}

// packageFaults looks at each package as a whole: its row in the plan, its name, its comment, and the size of the root.
func (h house) packageFaults() (found []string) {
	type state struct{ code, comment bool }
	pkgs, lines := map[string]state{}, 0
	for _, s := range h.files {
		p := pkgs[s.pkg]
		if !s.test {
			p = state{code: true, comment: p.comment || s.ast.Doc.Text() != "" || s.generated}
		}
		pkgs[s.pkg] = p
		if name := strings.TrimSuffix(s.ast.Name.Name, "_test"); name != "main" && name != path.Base(path.Join(path.Base(module), s.pkg)) {
			found = append(found, s.at(s.ast.Package, "package %s does not have the name of its folder", name))
		}
		if s.pkg == "." && !s.test {
			lines += s.lines
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(pkgs)) {
		if _, ok := plan[pkg]; !ok {
			found = append(found, pkg+": stands on no floor: give it a row in plan")
		}
		for word := range strings.SplitSeq(pkg, "/") {
			if slices.Contains(nameless, word) {
				found = append(found, fmt.Sprintf("%s: %q does not say what the package gives", pkg, word))
			}
		}
		if pkgs[pkg].code && !pkgs[pkg].comment {
			found = append(found, pkg+": has no package comment")
		}
	}
	if lines >= maxRootLines {
		found = append(found, fmt.Sprintf("the root package has %d lines: it is a vocabulary, below %d", lines, maxRootLines))
	}
	return found
}

// meetings gives the pairs in apart that meet.
func (h house) meetings() (found []string) {
	deps := map[string]map[string]bool{} // of package, tests left out
	for _, s := range h.files {
		if deps[s.pkg] == nil {
			deps[s.pkg] = map[string]bool{}
		}
		for dep := range s.imports {
			if _, ours := plan[dep]; ours && !s.test {
				deps[s.pkg][dep] = true
			}
		}
	}
	for _, a := range apart {
		for _, pkg := range slices.Sorted(maps.Keys(deps)) {
			if chain := reach(deps, pkg, a.from); matches(pkg, a.part) && chain != nil {
				found = append(found, fmt.Sprintf("%s: %s", strings.Join(chain, " imports "), a.why))
			}
		}
		for _, s := range h.files {
			for dep := range s.imports {
				if a.tests && s.test && matches(s.pkg, a.part) && matches(dep, a.from) {
					found = append(found, s.at(s.imports[dep], "a test of %s imports %s: %s", s.pkg, dep, a.why))
				}
			}
		}
	}
	return found
}

// reach gives the shortest chain of imports that leads from a package to a part, or nil.
func reach(deps map[string]map[string]bool, pkg, part string) []string {
	chains, seen := [][]string{{pkg}}, map[string]bool{pkg: true}
	for len(chains) > 0 {
		chain := chains[0]
		chains = chains[1:]
		last := chain[len(chain)-1]
		if len(chain) > 1 && matches(last, part) {
			return chain
		}
		for _, dep := range slices.Sorted(maps.Keys(deps[last])) {
			if !seen[dep] {
				seen[dep] = true
				chains = append(chains, append(slices.Clone(chain), dep))
			}
		}
	}
	return nil
}
