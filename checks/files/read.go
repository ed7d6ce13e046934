// Package files reads definitions of checks and groups from YAML, and tells every fault of a file by its line and key.
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
	Place
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

// WriteGroup is Write for a group; what is the server's own is left out.
func WriteGroup(g fettle.Group) (string, error) {
	g.Rev, g.Updated, g.UpdatedBy = 0, 0, ""
	raw, err := yaml.MarshalWithOptions(g, yaml.UseJSONMarshaler(), yaml.UseLiteralStyleIfMultiline(true))
	return "kind: group\n" + string(raw), err
}

// Group is a group of verdicts as a file has it. What it leaves open is filled in.
type Group struct {
	fettle.Group
	Place
}

// Place is where something stands.
type Place struct {
	File string
	Line int            // at which it begins
	Keys map[string]int // the lines of its keys, such as members[0].check
}

// At gives "FILE:LINE" of a key, of what is nearest above it, or of the whole.
func (p Place) At(key string) string {
	return p.File + ":" + strconv.Itoa(lineIn(p.Keys, key, p.Line))
}

// Set is what files define, in their order.
type Set struct {
	Checks []Definition
	Groups []Group
}

// Read reads a file of definitions: documents of one each, lists of them, or a list under the key checks. Each says by kind what it is, check or
// group; left out, it is a check. Each is looked at as the server would, but for what the server alone knows. The error is ErrInvalid, and has a *Fault
// for every fault of the file.
func Read(name string, raw []byte) (set Set, err error) {
	defer func() {
		if fault := recover(); fault != nil { // the parser is not ours
			set, err = Set{}, fmt.Errorf("%s: the YAML cannot be read: %w", name, fettle.ErrInvalid)
		}
	}()
	if len(raw) > MaxBytes {
		return Set{}, fmt.Errorf("%s: %d bytes, and %d are allowed: %w", name, len(raw), MaxBytes, fettle.ErrInvalid)
	}
	r := &reader{file: name, named: map[string]int{}}
	tree, err := parser.ParseBytes(raw, 0)
	if err != nil {
		line, text := syntaxFault(err)
		r.bad(line, "", "%s", text)
		return Set{}, errors.Join(r.faults...)
	}
	for _, doc := range tree.Docs {
		r.document(doc.Body)
	}
	if len(r.faults) == 0 && len(r.set.Checks)+len(r.set.Groups) == 0 {
		r.bad(1, "", "there are no checks in it")
	}
	return r.set, errors.Join(r.faults...)
}

// reader reads one file.
type reader struct {
	file   string
	set    Set
	named  map[string]int // the lines of names
	faults []error
	lines  map[string]int  // of the keys of the definition that is being read
	hidden map[string]bool // keys of its own that it is not to have
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

// The kinds of what a file defines.
const (
	kindCheck = "check"
	kindGroup = "group"
)

// definition reads one check or group.
func (r *reader) definition(node ast.Node) {
	m, is := node.(ast.MapNode)
	if !is {
		r.bad(lineOf(node), "", "a check ought to stand here: keys and values, such as name: disk")
		return
	}
	if len(r.set.Checks)+len(r.set.Groups) == maxDefs {
		r.bad(lineOf(node), "", "a file has at most %d checks and groups", maxDefs)
		return
	}
	r.lines = map[string]int{}
	place := Place{File: r.file, Line: lineOf(node), Keys: r.lines}
	switch kind, line := r.kindOf(m); kind {
	case "", kindCheck:
		r.check(m, place)
	case kindGroup:
		r.group(m, place)
	case "silence":
		r.bad(line, "kind", "a silence is of a moment, has an end and no name; fettle silence add makes one")
	default:
		r.bad(line, "kind", "%q is neither check nor group%s", kind, nearest(kind, []string{kindCheck, kindGroup}))
	}
}

// kindOf gives what a mapping says that it is.
func (r *reader) kindOf(m ast.MapNode) (kind string, line int) {
	for entry := m.MapRange(); entry.Next(); {
		if keyOf(entry.Key()) == "kind" {
			kind, _ = textOf(entry.Value())
			return kind, lineOf(entry.Key())
		}
	}
	return "", 0
}

func (r *reader) check(m ast.MapNode, place Place) {
	def := Definition{Place: place}
	before := len(r.faults)
	r.hidden = nil
	r.mapping(m, "", reflect.ValueOf(&def.CheckDefinition).Elem())
	r.name(def.Name, place.Line)
	r.set.Checks = append(r.set.Checks, def)
	if len(r.faults) > before {
		return // what is missing is most likely what was just refused
	}
	_, err := checks.Define(def.CheckDefinition)
	r.tell(err, place.Line)
}

func (r *reader) group(m ast.MapNode, place Place) {
	g := Group{Place: place}
	before := len(r.faults)
	r.hidden = map[string]bool{"rev": true, "updated": true, "updated_by": true} // the server's own
	r.mapping(m, "", reflect.ValueOf(&g.Group).Elem())
	r.name(g.Name, place.Line)
	if len(r.faults) == before {
		var err error
		g.Group, err = checks.DefineGroup(g.Group)
		r.tell(err, place.Line)
	}
	r.set.Groups = append(r.set.Groups, g)
}

// name notes the name of a check or a group; no two have the same.
func (r *reader) name(name string, line int) {
	if other, twice := r.named[name]; twice && name != "" {
		r.bad(r.placeOf("name", 0), "name", "%s is there already, on line %d", name, other)
	}
	r.named[name] = line
}

// tell puts down the faults of a definition, each by the line of its key.
func (r *reader) tell(err error, line int) {
	for _, fault := range fettle.Faults(err) {
		var f *fettle.Fault
		if errors.As(fault, &f) && strings.HasPrefix(fault.Error(), f.Key) {
			r.bad(r.placeOf(f.Key, line), f.Key, "%s", f.Reason)
			continue
		}
		key, reason, _ := strings.Cut(strings.TrimSuffix(fault.Error(), ": "+fettle.ErrInvalid.Error()), ": ")
		r.bad(r.placeOf(key, line), key, "%s", reason)
	}
}

func (r *reader) placeOf(key string, other int) int { return lineIn(r.lines, key, other) }

// lineIn gives the line of a key, or of what is nearest above it, or other.
func lineIn(lines map[string]int, key string, other int) int {
	for k := key; k != ""; k = k[:max(strings.LastIndexAny(k, ".["), 0)] {
		if line, known := lines[k]; known {
			return line
		}
	}
	return other
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
