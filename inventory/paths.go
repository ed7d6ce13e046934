package inventory

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// PathInfo is one fact path that exists.
type PathInfo struct {
	Path     string `json:"path"`     // as fettle.ParsePath reads it
	Type     string `json:"type"`     // string, int, double, bool, null, list; mixed: several of these
	Nodes    int    `json:"nodes"`    // that have it
	Distinct int    `json:"distinct"` // values
}

// Paths gives the fact paths of the nodes that match q.Program, sorted; a path is one that leads to a value that is no object.
func (v *Inventory) Paths(ctx context.Context, q Query) ([]PathInfo, error) {
	type seen struct {
		info   PathInfo
		values map[string]bool
	}
	all := map[string]*seen{}
	err := v.each(ctx, q, func(m match) {
		if m.truth != filter.True {
			return
		}
		walk(m.record.Facts, nil, func(p fettle.Path, value any) {
			key := p.String()
			s := all[key]
			if s == nil {
				s = &seen{info: PathInfo{Path: key, Type: typeOf(value)}, values: map[string]bool{}}
				all[key] = s
			}
			if s.info.Type != typeOf(value) {
				s.info.Type = "mixed"
			}
			s.info.Nodes++
			s.values[valueKey(value)] = true
		})
	})
	if err != nil {
		return nil, err
	}
	out := make([]PathInfo, 0, len(all))
	for _, s := range all {
		s.info.Distinct = len(s.values)
		out = append(out, s.info)
	}
	slices.SortFunc(out, func(a, b PathInfo) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// pathCount is a path and the number of nodes that have it.
type pathCount struct {
	path  fettle.Path
	nodes int
}

// KnownPaths gives every path that leads to a value on some node, in no order: what a misspelt one may be compared with.
func (v *Inventory) KnownPaths() []fettle.Path {
	v.mu.RLock()
	defer v.mu.RUnlock()
	out := make([]fettle.Path, 0, len(v.paths))
	for _, c := range v.paths {
		out = append(out, c.path)
	}
	return out
}

// Unknown is a fact path that a filter reads and no node has.
type Unknown struct {
	Path       string `json:"path"`                 // facts.os.famly
	Suggestion string `json:"suggestion,omitempty"` // facts.os.family; empty: nothing is near
}

// String says so to a person.
func (u Unknown) String() string {
	if u.Suggestion == "" {
		return "no node has " + u.Path
	}
	return "no node has " + u.Path + "; did you mean " + u.Suggestion + "?"
}

// Unknown gives the fact paths that prog reads and no node has.
func (v *Inventory) Unknown(prog *filter.Program) []Unknown {
	if prog == nil {
		return nil
	}
	known := v.KnownPaths()
	var out []Unknown
	for _, p := range prog.Reads().Facts() {
		if slices.ContainsFunc(known, func(k fettle.Path) bool { return len(k) >= len(p) && slices.Equal(k[:len(p)], p) }) {
			continue
		}
		u := Unknown{Path: "facts." + p.String()}
		if near, ok := filter.Nearest(p, known); ok {
			u.Suggestion = "facts." + near.String()
		}
		out = append(out, u)
	}
	return out
}

// count adds by to the path counts of a node's facts. The lock is held.
func (v *Inventory) count(e *entry, by int) {
	if doc, err := filter.ParseDocument(e.node.Facts); err == nil {
		v.countDocument(doc, by)
	}
}

func (v *Inventory) countDocument(doc filter.Object, by int) {
	walk(doc, nil, func(p fettle.Path, _ any) {
		key := strings.Join(p, "\x00")
		c := v.paths[key]
		if c == nil {
			c = &pathCount{path: slices.Clone(p)}
			v.paths[key] = c
		}
		if c.nodes += by; c.nodes == 0 {
			delete(v.paths, key)
		}
	})
}

// walk goes through the leaves of o, lists included, in order. The path belongs to walk.
func walk(o filter.Object, path fettle.Path, leaf func(fettle.Path, any)) {
	for _, k := range o.Keys() {
		v, _ := o.Get(k)
		p := append(path, k)
		if inner, ok := v.(filter.Object); ok {
			walk(inner, p, leaf)
			continue
		}
		leaf(p, v)
	}
}

func typeOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "string"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "double"
	case []any:
		return "list"
	}
	return "object"
}

// valueKey gives a text that two values share when they are the same value: their canonical JSON, where 1 and 1.0 differ.
func valueKey(v any) string {
	text, err := json.Marshal(filter.Plain(v))
	if err != nil {
		return typeOf(v)
	}
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		return string(text) + ".0"
	}
	return string(text)
}
