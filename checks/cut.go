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
		for _, slice := range s.slices {
			if slice.cut == c {
				slice.move(s, node, was, value)
			}
		}
		if p, cell := s.perfCuts[c], s.cells[node]; p != nil && cell != nil {
			p.hear(cell)
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
		delete(s.slices, sliceKey{b.cuts[spec], false})
		delete(s.slices, sliceKey{b.cuts[spec], true})
		delete(s.perfCuts, b.cuts[spec])
	}
	delete(b.cuts, spec)
}

// Cuts gives the cuts that the board has.
func (b *Board) Cuts() []CutSpec {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.cuts))
}

// sliceKey names a slice of a sheet.
type sliceKey struct {
	cut *cut
	all bool // with the nodes of the cut that are no members of the check: they ought to have a state, because somebody asks for it
}

// slice is the parts of a sheet along a cut.
type slice struct {
	sliceKey
	parts map[string]*bucket
	put   map[fettle.NodeID]putAs // of all: what is counted of each node
}

// putAs is where and as what a node is counted.
type putAs struct {
	value string
	as    counted
}

// slice gives a slice, made when it is asked for first: that costs its nodes.
func (s *sheet) slice(spec CutSpec, all bool) (*slice, error) {
	c := s.board.cuts[spec]
	if c == nil {
		return nil, fmt.Errorf("nodes are not cut by filter %q and fact %q: %w", spec.Filter, spec.By, fettle.ErrUnavailable)
	}
	key := sliceKey{c, all}
	if one := s.slices[key]; one != nil {
		return one, nil
	}
	one := &slice{sliceKey: key, parts: map[string]*bucket{}, put: map[fettle.NodeID]putAs{}}
	if all {
		for node := range c.parts {
			one.look(s, node)
		}
	} else {
		for _, cell := range s.cells {
			if value := c.parts[cell.node]; value != "" {
				one.part(value).put(cell.node, cell.counted, 1)
			}
		}
	}
	s.slices[key] = one
	return one, nil
}

func (o *slice) part(value string) *bucket {
	b := o.parts[value]
	if b == nil {
		b = &bucket{}
		o.parts[value] = b
	}
	return b
}

// move takes a node from one part into another.
func (o *slice) move(s *sheet, node fettle.NodeID, from, to string) {
	if o.all {
		o.look(s, node)
		return
	}
	c := s.cells[node]
	if c == nil {
		return
	}
	if from != "" {
		o.take(from, node, c.counted)
	}
	if to != "" {
		o.part(to).put(node, c.counted, 1)
	}
}

// take takes a node out of a part.
func (o *slice) take(value string, node fettle.NodeID, as counted) {
	o.part(value).put(node, as, -1)
	if o.parts[value].empty() {
		delete(o.parts, value)
	}
}

// look counts a node of a slice of all anew.
func (o *slice) look(s *sheet, node fettle.NodeID) {
	is := putAs{value: o.cut.parts[node]}
	if is.value != "" {
		if c := s.cells[node]; c != nil && c.place == Member {
			is.as = c.counted
		} else {
			is.as = s.outsider(node)
		}
	}
	was := o.put[node]
	if was == is {
		return
	}
	if was.value != "" {
		o.take(was.value, node, was.as)
	}
	if delete(o.put, node); is.value != "" {
		o.part(is.value).put(node, is.as, 1)
		o.put[node] = is
	}
}

// look counts a node anew wherever it is counted without being a member.
func (s *sheet) look(node fettle.NodeID) {
	for _, one := range s.slices {
		if one.all {
			one.look(s, node)
		}
	}
}

// outsider says how a node is counted that is no member: it has no state, and ought to.
func (s *sheet) outsider(node fettle.NodeID) counted {
	out := counted{standing: unknown}
	if _, is := s.board.silent[node]; is {
		out.standing = silent
	}
	if out.by = s.board.silencing(s.check.Name, node, fettle.CheckUnknown); out.by != nil {
		out.standing = silenced
	} else if s.isShadowed(node) {
		out.standing = shadowed
	}
	return out
}
