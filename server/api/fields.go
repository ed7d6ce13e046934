package api

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/valyala/fastjson"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// maxFields is how many fields one question may ask for.
const maxFields = 50

// field is something that is asked of each node of a list.
type field struct {
	name   string // as it was asked for, which is its key in the answer
	path   fettle.Path
	attr   func(fettle.Node) any // nil: path leads into the facts
	column int                   // of fieldList.columns, from 1; zero: it is one of the others
}

// attributes are the fields that are not facts.
var attributes = map[string]func(fettle.Node) any{
	"facts":    func(n fettle.Node) any { return Object(n.Facts) },
	"classes":  func(n fettle.Node) any { return orNone(n.Classes) },
	"agent":    func(n fettle.Node) any { return n.Agent },
	"commands": func(n fettle.Node) any { return orNone(n.Commands) },
	"pools":    func(n fettle.Node) any { return orNone(n.Pools) },
	"labels":   func(n fettle.Node) any { return orEmpty(n.Labels) },
}

// filterNames are what a filter knows beside facts; a field that begins with one is an expression, and not a fact of that name.
var filterNames = map[string]bool{
	"identity": true, "classes": true, "agent": true, "checks": true, "now": true, "pools": true, "labels": true, "liveness": true, "seen": true, "enrolled": true,
}

// fieldList takes fields out of nodes. It is used by one goroutine.
type fieldList struct {
	fields  []field
	columns []fettle.Filter // expressions that the server evaluates
	facts   bool            // some field is of the facts
	parser  fastjson.Parser
}

// parseFields reads what stands between commas: attributes, fact paths, and expressions of CEL. A path may begin with facts., which tells a fact
// from what else has its name.
func parseFields(s string) (*fieldList, error) {
	list := &fieldList{}
	for _, name := range server.SplitList(s) {
		if attr := attributes[name]; attr != nil {
			list.fields = append(list.fields, field{name: name, attr: attr})
			list.facts = list.facts || name == "facts"
			continue
		}
		path, err := fettle.ParsePath(name)
		switch {
		case err != nil:
			list.add(name, fettle.Filter(name))
		case filterNames[path[0]]:
			list.add(name, fettle.Filter(path[0]+strings.TrimPrefix(server.FactCEL(path[1:]), "facts")))
		default:
			if len(path) > 1 && path[0] == "facts" {
				path = path[1:]
			}
			list.fields, list.facts = append(list.fields, field{name: name, path: path}), true
		}
	}
	if len(list.fields) > maxFields {
		return nil, fmt.Errorf("%d fields were asked for, and %d are allowed: %w", len(list.fields), maxFields, fettle.ErrInvalid)
	}
	return list, nil
}

// add asks for an expression.
func (l *fieldList) add(name string, text fettle.Filter) {
	l.columns = append(l.columns, text)
	l.fields = append(l.fields, field{name: name, column: len(l.columns)})
}

// of gives the fields that n has, of which the server has evaluated columns; nil if none were asked for.
func (l *fieldList) of(n fettle.Node, columns []any) map[string]Value {
	if len(l.fields) == 0 {
		return nil
	}
	var facts *fastjson.Value
	if l.facts && len(n.Facts) > 0 {
		facts, _ = l.parser.ParseBytes(n.Facts) // the inventory holds valid documents only; nil has no fields
	}
	found := make(map[string]Value, len(l.fields))
	put := func(name string, v any) {
		if text, err := json.Marshal(v); err == nil { // NaN and infinity have no JSON, and are not there
			found[name] = text
		}
	}
	for _, f := range l.fields {
		switch {
		case f.attr != nil:
			put(f.name, f.attr(n))
		case f.column > 0:
			if v := columns[f.column-1]; v != nil {
				put(f.name, v)
			}
		default:
			if v := facts.Get(f.path...); v != nil {
				found[f.name] = v.MarshalTo(nil)
			}
		}
	}
	return found
}
