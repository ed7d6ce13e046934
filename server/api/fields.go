package api

import (
	"encoding/json"
	"fmt"

	"github.com/valyala/fastjson"

	fettle "github.com/fettle-dev/fettle"
)

// maxFields is how many fields one question may ask for.
const maxFields = 50

// field is something that is asked of each node of a list.
type field struct {
	name string // as it was asked for, which is its key in the answer
	path fettle.Path
	attr func(fettle.Node) any // nil: path leads into the facts
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

// fieldList takes fields out of nodes. It is used by one goroutine.
type fieldList struct {
	fields []field
	facts  bool // some field is of the facts
	parser fastjson.Parser
}

// parseFields reads what stands between commas. A path may begin with facts., which tells a fact from an attribute of the same name.
func parseFields(s string) (*fieldList, error) {
	list := &fieldList{}
	for _, name := range splitList(s) {
		if attr := attributes[name]; attr != nil {
			list.fields = append(list.fields, field{name: name, attr: attr})
			list.facts = list.facts || name == "facts"
			continue
		}
		path, err := factPath(name)
		if err != nil {
			return nil, fmt.Errorf("fields: %w", err)
		}
		list.fields, list.facts = append(list.fields, field{name: name, path: path}), true
	}
	if len(list.fields) > maxFields {
		return nil, fmt.Errorf("%d fields were asked for, and %d are allowed: %w", len(list.fields), maxFields, fettle.ErrInvalid)
	}
	return list, nil
}

// of gives the fields that n has; nil if none were asked for.
func (l *fieldList) of(n fettle.Node) map[string]Value {
	if len(l.fields) == 0 {
		return nil
	}
	var facts *fastjson.Value
	if l.facts && len(n.Facts) > 0 {
		facts, _ = l.parser.ParseBytes(n.Facts) // the inventory holds valid documents only; nil has no fields
	}
	found := make(map[string]Value, len(l.fields))
	for _, f := range l.fields {
		if f.attr != nil {
			if text, err := json.Marshal(f.attr(n)); err == nil {
				found[f.name] = text
			}
		} else if v := facts.Get(f.path...); v != nil {
			found[f.name] = v.MarshalTo(nil)
		}
	}
	return found
}
