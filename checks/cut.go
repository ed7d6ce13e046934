package checks

import (
	"fmt"
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// CutSpec says how nodes are cut into parts: those for which a filter is true, and these by the values of a fact.
type CutSpec struct {
	Filter fettle.Filter // empty: all nodes
	By     string        // the path of a fact; empty: one part
}

// Values of a node in a cut, beside those of facts.
const (
	InPart        = "\x01" // where there is no fact, and the filter is true
	UndefinedPart = "\x00" // the filter is undefined
	NoValue       = "(none)"
)

// cut is a way of cutting nodes into parts, kept up to date by PutPart.
type cut struct {
	spec  CutSpec
	parts map[fettle.NodeID]string // a node that is in no part is not there
}

// PutCut gives a cut as it is now, by node; what the board had of it is forgotten.
func (b *Board) PutCut(spec CutSpec, parts map[fettle.NodeID]string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropCut(spec)
	c := &cut{spec, make(map[fettle.NodeID]string, len(parts))}
	maps.Copy(c.parts, parts)
	b.cuts[spec] = c
	b.change++
}

// PutPart says in which part of a cut a node is now; empty: in none. A cut that the board does not have is let be.
func (b *Board) PutPart(spec CutSpec, node fettle.NodeID, value string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.cuts[spec]
	if c == nil || c.parts[node] == value {
		return
	}
	was := c.parts[node]
	if value == "" {
		delete(c.parts, node)
	} else {
		c.parts[node] = value
	}
	for _, s := range b.sheets {
		parts, kept := s.slices[c]
		one := s.cells[node]
		if !kept || one == nil {
			continue
		}
		if was != "" {
			part(parts, was).put(node, one.counted, -1)
			if parts[was].empty() {
				delete(parts, was)
			}
		}
		if value != "" {
			part(parts, value).put(node, one.counted, 1)
		}
	}
	b.change++
}

// DropCut forgets a cut.
func (b *Board) DropCut(spec CutSpec) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropCut(spec)
}

func (b *Board) dropCut(spec CutSpec) {
	for _, s := range b.sheets {
		delete(s.slices, b.cuts[spec])
	}
	delete(b.cuts, spec)
}

// Cuts gives the cuts that the board has.
func (b *Board) Cuts() []CutSpec {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.cuts))
}

// slice gives the parts of a sheet along a cut, made when it is asked for first: that costs its cells.
func (s *sheet) slice(spec CutSpec) (map[string]*bucket, error) {
	c := s.board.cuts[spec]
	if c == nil {
		return nil, fmt.Errorf("nodes are not cut by filter %q and fact %q: %w", spec.Filter, spec.By, fettle.ErrUnavailable)
	}
	parts := s.slices[c]
	if parts == nil {
		parts = map[string]*bucket{}
		for _, one := range s.cells {
			if value := c.parts[one.node]; value != "" {
				part(parts, value).put(one.node, one.counted, 1)
			}
		}
		s.slices[c] = parts
	}
	return parts, nil
}
