package facts

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	fettle "github.com/fettle-dev/fettle"
)

// maxNodes is the number of nodes that a YAML document may have once its aliases are replaced by what they stand for. A few lines of aliases
// to aliases would else fill any memory.
const maxNodes = 10 * MaxLeaves

// maxYAML is the size of the largest YAML that is read. The parser takes time that grows with the square of the size: a third of a second for
// the worst of this size, two minutes for 1 MiB. What is larger is better written as JSON.
const maxYAML = 64 << 10 // bytes

// parseYAML reads one mapping. Its syntax is read by a library, its values by us, so that aliases are counted.
func parseYAML(raw []byte) (out object, err error) {
	if len(raw) > maxYAML {
		return nil, fmt.Errorf("more than %d bytes of YAML, write it as JSON: %w", maxYAML, fettle.ErrInvalid)
	}
	if !utf8.Valid(raw) {
		return nil, errText
	}
	defer func() { // the parser is not ours, and the file may hold anything
		if fault := recover(); fault != nil {
			out, err = nil, fmt.Errorf("the YAML cannot be read: %w", fettle.ErrInvalid)
		}
	}()
	file, err := parser.ParseBytes([]byte(strings.TrimPrefix(string(raw), bom)), 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", firstLine(err), fettle.ErrInvalid)
	}
	r := yamlReader{anchors: map[string]ast.Node{}}
	for _, document := range file.Docs {
		if document.Body == nil || document.Body.Type() == ast.CommentType || document.Body.Type() == ast.NullType {
			continue
		}
		if out != nil {
			return nil, fmt.Errorf("more than one YAML document: %w", fettle.ErrInvalid)
		}
		value, err := r.value(document.Body, 1)
		if err != nil {
			return nil, err
		}
		var ok bool
		if out, ok = value.(object); !ok {
			return nil, fmt.Errorf("the YAML is no mapping: %w", fettle.ErrInvalid)
		}
	}
	if out == nil {
		out = object{}
	}
	return out, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return line
}

// yamlReader turns a syntax tree into values.
type yamlReader struct {
	anchors map[string]ast.Node
	open    []string // anchors that are being read, so that none stands inside of itself
	nodes   int
}

func (r *yamlReader) value(node ast.Node, levels int) (any, error) {
	if r.nodes++; r.nodes > maxNodes {
		return nil, fmt.Errorf("more than %d nodes: %w", maxNodes, fettle.ErrInvalid)
	}
	if levels > MaxLevels+1 {
		return nil, errDeep
	}
	switch n := node.(type) {
	case *ast.MappingNode:
		return r.mapping(n.Values, levels)
	case *ast.MappingValueNode:
		return r.mapping([]*ast.MappingValueNode{n}, levels)
	case *ast.SequenceNode:
		return r.sequence(n.Values, levels)
	case *ast.AnchorNode:
		return r.anchor(n, levels)
	case *ast.AliasNode:
		return r.alias(n, levels)
	case *ast.TagNode:
		return r.tagged(n, levels)
	case *ast.LiteralNode:
		return n.Value.Value, nil
	}
	return scalar(node)
}

// scalar reads a leaf.
func scalar(node ast.Node) (any, error) {
	switch n := node.(type) {
	case nil, *ast.NullNode:
		return nil, nil
	case *ast.StringNode:
		return word(n), nil
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.IntegerNode:
		switch v := n.Value.(type) {
		case int64:
			return v, nil
		case uint64:
			if v <= math.MaxInt64 {
				return int64(v), nil
			}
			return v, nil
		}
		return number(n.Token.Value)
	case *ast.FloatNode:
		return n.Value, nil
	}
	return nil, at(node, "a %s is no fact", strings.ToLower(node.Type().String()))
}

// word reads a string; yes, no, on and off without quotes are what they are in facter: true and false.
func word(n *ast.StringNode) any {
	if n.Token == nil || n.Token.Type != token.StringType {
		return n.Value
	}
	switch n.Value {
	case "yes", "Yes", "YES", "on", "On", "ON":
		return true
	case "no", "No", "NO", "off", "Off", "OFF":
		return false
	}
	return n.Value
}

func (r *yamlReader) mapping(entries []*ast.MappingValueNode, levels int) (any, error) {
	out := object{}
	var merged []object
	for _, entry := range entries {
		if entry.Key.IsMergeKey() {
			more, err := r.merge(entry.Value, levels)
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
			continue
		}
		key, err := r.key(entry.Key)
		if err != nil {
			return nil, err
		}
		if _, twice := out[key]; twice {
			return nil, at(entry.Key, "the key %q stands twice", key)
		}
		if out[key], err = r.value(entry.Value, levels+1); err != nil {
			return nil, err
		}
	}
	for _, one := range merged {
		for key, value := range one {
			if _, own := out[key]; !own {
				out[key] = value
			}
		}
	}
	for key, value := range out {
		if value == nil { // as good as absent
			delete(out, key)
		}
	}
	return out, nil
}

// merge reads what stands after "<<": a mapping, or a list of them.
func (r *yamlReader) merge(node ast.Node, levels int) ([]object, error) {
	value, err := r.value(node, levels)
	if err != nil {
		return nil, err
	}
	if one, ok := value.(object); ok {
		return []object{one}, nil
	}
	many, _ := value.([]any)
	var out []object
	for _, one := range many {
		if o, ok := one.(object); ok {
			out = append(out, o)
		}
	}
	if len(out) == 0 || len(out) != len(many) {
		return nil, at(node, "only mappings can be merged")
	}
	return out, nil
}

// key gives a mapping's key as text, whatever it is.
func (r *yamlReader) key(node ast.MapKeyNode) (string, error) {
	inner := ast.Node(node)
	if explicit, ok := inner.(*ast.MappingKeyNode); ok {
		inner = explicit.Value
	}
	switch n := inner.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, nil
	case *ast.AliasNode, *ast.AnchorNode:
		value, err := r.value(n, 1)
		if text, ok := value.(string); ok && err == nil {
			return text, nil
		}
	}
	return "", at(node, "this cannot be a key")
}

func (r *yamlReader) sequence(nodes []ast.Node, levels int) (any, error) {
	out := make([]any, 0, len(nodes))
	for _, node := range nodes {
		value, err := r.value(node, levels+1)
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	return out, nil
}

func (r *yamlReader) anchor(n *ast.AnchorNode, levels int) (any, error) {
	name := n.Name.GetToken().Value
	r.open = append(r.open, name)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	value, err := r.value(n.Value, levels)
	r.anchors[name] = n.Value
	return value, err
}

// alias reads the anchor's node again, so that every place has values of its own.
func (r *yamlReader) alias(n *ast.AliasNode, levels int) (any, error) {
	name := n.Value.GetToken().Value
	for _, open := range r.open {
		if open == name {
			return nil, at(n, "the anchor %q stands inside of itself", name)
		}
	}
	target, ok := r.anchors[name]
	if !ok {
		return nil, at(n, "there is no anchor %q", name)
	}
	r.open = append(r.open, name)
	defer func() { r.open = r.open[:len(r.open)-1] }()
	return r.value(target, levels)
}

// tagged reads !!str as text, and what other tags of YAML's own stand before as it is.
func (r *yamlReader) tagged(n *ast.TagNode, levels int) (any, error) {
	switch n.Start.Value {
	case "!!str":
		if n.Value == nil {
			return "", nil
		}
		switch n.Value.(type) {
		case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode, *ast.AliasNode, *ast.AnchorNode:
			return nil, at(n, "!!str stands before what is no scalar")
		case *ast.LiteralNode:
			return r.value(n.Value, levels)
		}
		return n.Value.GetToken().Value, nil
	case "!!map", "!!seq", "!!int", "!!float", "!!bool", "!!null":
		return r.value(n.Value, levels)
	}
	return nil, at(n, "the tag %s is not known", n.Start.Value)
}

// at says where a fault stands.
func at(node ast.Node, format string, args ...any) error {
	line := 0
	if node != nil && node.GetToken() != nil && node.GetToken().Position != nil {
		line = node.GetToken().Position.Line
	}
	return fmt.Errorf("line %d: %s: %w", line, fmt.Sprintf(format, args...), fettle.ErrInvalid)
}
