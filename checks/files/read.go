// Package files reads definitions of checks from YAML, and tells every fault of a file by its line and key.
package files

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
)

// Bounds of a file.
const (
	MaxBytes = 4 << 20
	maxDefs  = 1000
	maxDepth = 20 // of inputs
)

// Definition is a check as a file has it.
type Definition struct {
	fettle.CheckDefinition
	File string
	Line int // at which it begins
}

// Fault is something wrong at one place of a file. It is ErrInvalid.
type Fault struct {
	File   string
	Line   int    // zero: nowhere in particular
	Key    string // such as flap.low; empty: none
	Reason string
}

// Error gives "FILE:LINE: KEY: reason", without what is not known.
func (f *Fault) Error() string {
	text := f.File
	if f.Line > 0 {
		text += ":" + strconv.Itoa(f.Line)
	}
	if f.Key != "" {
		text += ": " + f.Key
	}
	return text + ": " + f.Reason
}

// Unwrap gives ErrInvalid.
func (f *Fault) Unwrap() error { return fettle.ErrInvalid }

// Write gives a definition as a file that Read takes.
func Write(d fettle.CheckDefinition) (string, error) {
	raw, err := yaml.MarshalWithOptions(d, yaml.UseJSONMarshaler(), yaml.UseLiteralStyleIfMultiline(true))
	return string(raw), err
}

// Read reads a file of definitions: documents of one each, lists of them, or a list under the key checks. Each is looked at as the server would,
// but for what the server alone knows. The error is ErrInvalid, and has a *Fault for every fault of the file.
func Read(name string, raw []byte) (defs []Definition, err error) {
	defer func() {
		if fault := recover(); fault != nil { // the parser is not ours
			defs, err = nil, fmt.Errorf("%s: the YAML cannot be read: %w", name, fettle.ErrInvalid)
		}
	}()
	if len(raw) > MaxBytes {
		return nil, fmt.Errorf("%s: %d bytes, and %d are allowed: %w", name, len(raw), MaxBytes, fettle.ErrInvalid)
	}
	r := &reader{file: name}
	tree, err := parser.ParseBytes(raw, 0)
	if err != nil {
		line, text := syntaxFault(err)
		r.bad(line, "", "%s", text)
		return nil, errors.Join(r.faults...)
	}
	for _, doc := range tree.Docs {
		r.document(doc.Body)
	}
	if len(r.faults) == 0 && len(r.defs) == 0 {
		r.bad(1, "", "there are no checks in it")
	}
	return r.defs, errors.Join(r.faults...)
}

// reader reads one file.
type reader struct {
	file   string
	defs   []Definition
	faults []error
	lines  map[string]int // of the keys of the definition that is being read
}

func (r *reader) bad(line int, key, format string, args ...any) {
	r.faults = append(r.faults, &Fault{File: r.file, Line: line, Key: key, Reason: fmt.Sprintf(format, args...)})
}

func (r *reader) document(node ast.Node) {
	switch body := node.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.SequenceNode:
		for _, item := range body.Values {
			r.definition(item)
		}
	case ast.MapNode:
		entries := body.MapRange()
		if entries.Next() && keyOf(entries.Key()) == "checks" {
			list, is := entries.Value().(*ast.SequenceNode)
			if !is || entries.Next() {
				r.bad(lineOf(node), "checks", "a list of checks ought to stand here, and nothing beside it")
				return
			}
			r.document(list)
			return
		}
		r.definition(node)
	default:
		r.bad(lineOf(node), "", "a check ought to stand here: keys and values, such as name: disk")
	}
}

// definition reads one check.
func (r *reader) definition(node ast.Node) {
	m, is := node.(ast.MapNode)
	if !is {
		r.bad(lineOf(node), "", "a check ought to stand here: keys and values, such as name: disk")
		return
	}
	if len(r.defs) == maxDefs {
		r.bad(lineOf(node), "", "a file has at most %d checks", maxDefs)
		return
	}
	def := Definition{File: r.file, Line: lineOf(node)}
	before := len(r.faults)
	r.lines = map[string]int{}
	r.mapping(m, "", reflect.ValueOf(&def.CheckDefinition).Elem())
	for _, d := range r.defs {
		if d.Name == def.Name && d.Name != "" {
			r.bad(r.lineFor("name"), "name", "%s is there already, on line %d", d.Name, d.Line)
		}
	}
	r.defs = append(r.defs, def)
	if len(r.faults) > before {
		return // what is missing is most likely what was just refused
	}
	_, err := checks.Define(def.CheckDefinition)
	for _, fault := range parts(err) {
		var f *fettle.Fault
		if errors.As(fault, &f) {
			r.bad(r.placeOf(f.Key, def.Line), f.Key, "%s", f.Reason)
			continue
		}
		key, reason, _ := strings.Cut(strings.TrimSuffix(fault.Error(), ": "+fettle.ErrInvalid.Error()), ": ")
		r.bad(r.placeOf(key, def.Line), key, "%s", reason)
	}
}

// placeOf gives the line of a key, or of what is nearest above it.
func (r *reader) placeOf(key string, other int) int {
	for k := key; k != ""; k = k[:max(strings.LastIndexAny(k, ".["), 0)] {
		if line, known := r.lines[k]; known {
			return line
		}
	}
	return other
}

func (r *reader) lineFor(key string) int { return r.placeOf(key, 0) }

// parts takes an error apart that is many.
func parts(err error) []error {
	if many, is := err.(interface{ Unwrap() []error }); is { //nolint:errorlint // errors.Join's own, not one below
		return many.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// nearest gives the key that word may have been meant to be, ready to be read; empty: none is near.
func nearest(word string, names []string) string {
	known := make([]fettle.Path, len(names))
	for i, name := range names {
		known[i] = fettle.Path{name}
	}
	if p, ok := filter.Nearest(fettle.Path{word}, known); ok {
		return ", did you mean " + p[0] + "?"
	}
	return ""
}

// place is how the YAML library begins its errors: [line:column].
var place = regexp.MustCompile(`^\[(\d+):\d+\] `)

// syntaxFault gives the line of a fault in the syntax, and what it is.
func syntaxFault(err error) (line int, text string) {
	text, _, _ = strings.Cut(strings.TrimSpace(yaml.FormatError(err, false, false)), "\n")
	if m := place.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits only
		text = text[len(m[0]):]
	}
	return line, text
}
