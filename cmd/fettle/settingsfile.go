package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// readFile reads the settings of a file. The tree is walked here and not by the YAML library, so that every fault in it is found, each in words
// that a person understands.
func (s *settings) readFile(name string, explicit bool) {
	if name == "" {
		return
	}
	raw, err := readBounded(name)
	if errors.Is(err, os.ErrNotExist) && !explicit {
		return
	}
	s.file = name
	if err != nil {
		s.refuse(0, "", reason(err))
		return
	}
	tree, err := parser.ParseBytes(raw, 0)
	if err != nil {
		line, text := yamlFault(err)
		s.refuse(line, "", text)
		return
	}
	for i, doc := range tree.Docs {
		switch body := doc.Body.(type) {
		case nil, *ast.NullNode:
		case ast.MapNode:
			if i > 0 {
				s.refuse(lineOf(doc.Body), "", "a second document; one is read")
				continue
			}
			s.readMapping(body, "", s.fields())
		default:
			s.refuse(lineOf(body), "", "settings ought to stand here, a key and a value a line")
		}
	}
}

// refuse adds a fault of the file. Line zero: it has none.
func (s *settings) refuse(line int, key, reason string) {
	s.faults = append(s.faults, fault{from: origin{kind: fromFile, name: s.file, line: line}, key: key, reason: reason})
}

// fields are the values of the settings by key.
func (s *settings) fields() map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for _, one := range s.list {
		fields[one.key] = one.value
	}
	return fields
}

// readMapping reads a mapping of keys to values; at is its own key, with a dot, such as "checks[0].".
func (s *settings) readMapping(m ast.MapNode, at string, fields map[string]reflect.Value) {
	for entry := m.MapRange(); entry.Next(); {
		token := entry.Key().GetToken()
		key := at + token.Value
		field, known := fields[token.Value]
		if !known {
			var names []string
			for name := range fields {
				names = append(names, name)
			}
			s.refuse(token.Position.Line, "", fmt.Sprintf("there is no setting %q%s", key, didYouMean(token.Value, names)))
			continue
		}
		s.lines[key] = token.Position.Line
		if one := s.find(key); one != nil {
			one.from = origin{kind: fromFile, name: s.file, line: token.Position.Line}
		}
		s.readValue(entry.Value(), key, field)
	}
}

// readValue reads a scalar, a list or a mapping into v, as v's type has it. Null leaves the default.
func (s *settings) readValue(node ast.Node, key string, v reflect.Value) {
	if node == nil || node.Type() == ast.NullType {
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		list, is := node.(*ast.SequenceNode)
		if !is {
			s.refuse(lineOf(node), key, "a list ought to stand here, such as [a, b]")
			return
		}
		out := reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values))
		for i, item := range list.Values {
			at := fmt.Sprintf("%s[%d]", key, i)
			s.lines[at] = lineOf(item)
			s.readValue(item, at, out.Index(i))
		}
		v.Set(out)
	case reflect.Struct:
		m, is := node.(ast.MapNode)
		if !is {
			s.refuse(lineOf(node), key, "keys and values ought to stand here")
			return
		}
		fields := map[string]reflect.Value{}
		fieldsOf(v, fields)
		s.readMapping(m, key+".", fields)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		s.readValue(node, key, v.Elem())
	case reflect.Map:
		s.readMap(node, key, v)
	default:
		text, is := scalar(node)
		if !is {
			s.refuse(lineOf(node), key, "one value ought to stand here")
			return
		}
		if err := setScalar(v, text); err != nil {
			s.refuse(lineOf(node), key, err.Error())
		}
	}
}

// fieldsOf gathers the fields of v by their keys; those of embedded structs are its own.
func fieldsOf(v reflect.Value, fields map[string]reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if name := yamlKey(field); name != "" {
			fields[name] = v.Field(i)
		} else if field.Anonymous {
			fieldsOf(v.Field(i), fields)
		}
	}
}

// readMap reads a mapping whose keys are the user's own.
func (s *settings) readMap(node ast.Node, key string, v reflect.Value) {
	m, is := node.(ast.MapNode)
	if !is {
		s.refuse(lineOf(node), key, "keys and values ought to stand here")
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for entry := m.MapRange(); entry.Next(); {
		name, one := entry.Key().GetToken().Value, reflect.New(v.Type().Elem()).Elem()
		s.readValue(entry.Value(), key+"."+name, one)
		v.SetMapIndex(reflect.ValueOf(name), one)
	}
}

// scalar gives the text of a node that is one value. Anchors, aliases and tags are not: a file of settings needs none.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func lineOf(node ast.Node) int {
	if t := node.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// yamlPlace is how the YAML library begins its errors: [line:column].
var yamlPlace = regexp.MustCompile(`^\[(\d+):\d+\] `)

// yamlRef is how it refers to another place in its text.
var yamlRef = regexp.MustCompile(`at \[(\d+):\d+\]`)

// yamlFault gives the line of a fault in the syntax, and the text with the excerpt of the file that the library draws.
func yamlFault(err error) (line int, text string) {
	text = strings.TrimRight(yaml.FormatError(err, false, true), "\n ")
	if m := yamlPlace.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits only
		text = text[len(m[0]):]
	}
	return line, yamlRef.ReplaceAllString(text, "on line $1")
}
