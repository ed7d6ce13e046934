package files

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// mapping reads keys and values into a struct, whose fields have the names of their JSON.
func (r *reader) mapping(m ast.MapNode, at string, v reflect.Value) {
	fields := fieldsOf(v)
	seen := map[string]bool{}
	if at == "" {
		maps.DeleteFunc(fields, func(name string, _ reflect.Value) bool { return r.hidden[name] })
	}
	for entry := m.MapRange(); entry.Next(); {
		name := keyOf(entry.Key())
		line := lineOf(entry.Key())
		field, known := fields[name]
		switch {
		case at == "" && name == "kind":
			continue // it was read before
		case !known:
			r.bad(line, at+name, "there is no such key%s", nearest(name, slices.Sorted(maps.Keys(fields))))
			continue
		case seen[name]:
			r.bad(line, at+name, "it is there twice")
			continue
		}
		seen[name] = true
		r.lines[at+name] = line
		r.value(entry.Value(), at+name, field)
	}
}

// fieldsOf gives the fields of a struct by the names of their JSON.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		if name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = v.Field(i)
		}
	}
	return fields
}

// value reads a node into v, as v's type has it. Null leaves it open.
func (r *reader) value(node ast.Node, key string, v reflect.Value) {
	if node == nil || node.Type() == ast.NullType {
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		m, is := node.(ast.MapNode)
		if !is {
			r.bad(lineOf(node), key, "keys and values ought to stand here")
			return
		}
		r.mapping(m, key+".", v)
	case reflect.Slice:
		list, is := node.(*ast.SequenceNode)
		if !is {
			r.bad(lineOf(node), key, "a list ought to stand here, such as [a, b]")
			return
		}
		out := reflect.MakeSlice(v.Type(), len(list.Values), len(list.Values))
		for i, item := range list.Values {
			at := fmt.Sprintf("%s[%d]", key, i)
			r.lines[at] = lineOf(item)
			r.value(item, at, out.Index(i))
		}
		v.Set(out)
	case reflect.Map:
		r.object(node, key, v)
	default:
		r.scalar(node, key, v)
	}
}

// object reads a mapping of any keys.
func (r *reader) object(node ast.Node, key string, v reflect.Value) {
	m, is := node.(ast.MapNode)
	if !is {
		r.bad(lineOf(node), key, "keys and values ought to stand here")
		return
	}
	out := reflect.MakeMap(v.Type())
	for entry := m.MapRange(); entry.Next(); {
		name := keyOf(entry.Key())
		at := key + "." + name
		r.lines[at] = lineOf(entry.Key())
		one := reflect.New(v.Type().Elem()).Elem()
		if one.Kind() == reflect.Interface {
			any, err := plain(entry.Value(), 0)
			if err != nil {
				r.bad(lineOf(entry.Value()), at, "%v", err)
				continue
			}
			if any != nil {
				one.Set(reflect.ValueOf(any))
			}
		} else {
			r.value(entry.Value(), at, one)
		}
		out.SetMapIndex(reflect.ValueOf(name), one)
	}
	v.Set(out)
}

// scalar reads one value.
func (r *reader) scalar(node ast.Node, key string, v reflect.Value) {
	text, is := textOf(node)
	if !is {
		r.bad(lineOf(node), key, "one value ought to stand here")
		return
	}
	if reads, is := v.Addr().Interface().(encoding.TextUnmarshaler); is {
		if err := reads.UnmarshalText([]byte(text)); err != nil {
			r.bad(lineOf(node), key, "%q is not a span of time such as 30s, 5m or 7d", text)
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			r.bad(lineOf(node), key, "%q is neither true nor false", text)
		}
		v.SetBool(b)
	default:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			r.bad(lineOf(node), key, "%q is no whole number", text)
		}
		v.SetInt(n)
	}
}

// plain gives what a node holds as JSON would have it. Anchors, aliases and tags are none of it.
func plain(node ast.Node, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d times", maxDepth)
	}
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.IntegerNode:
		if v, err := strconv.ParseInt(n.GetToken().Value, 0, 64); err == nil {
			return v, nil
		}
		return nil, fmt.Errorf("%s is no number that we can hold", n.GetToken().Value)
	case *ast.FloatNode:
		return n.Value, nil
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.SequenceNode:
		out := []any{}
		for _, item := range n.Values {
			v, err := plain(item, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		return out, nil
	case ast.MapNode:
		out := map[string]any{}
		for entry := n.MapRange(); entry.Next(); {
			v, err := plain(entry.Value(), depth+1)
			if err != nil {
				return nil, err
			}
			out[keyOf(entry.Key())] = v
		}
		return out, nil
	}
	if text, is := textOf(node); is {
		return text, nil
	}
	return nil, fmt.Errorf("anchors, aliases and tags are not taken here")
}

// textOf gives the text of a node that is one value.
func textOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimSuffix(n.Value.Value, "\n"), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func keyOf(node ast.MapKeyNode) string {
	if text, is := textOf(node); is {
		return text
	}
	if t := node.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

func lineOf(node ast.Node) int {
	if node == nil {
		return 0
	}
	if m, is := node.(*ast.MappingNode); is && len(m.Values) > 0 {
		return lineOf(m.Values[0].Key)
	}
	if m, is := node.(*ast.MappingValueNode); is {
		return lineOf(m.Key)
	}
	if t := node.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
