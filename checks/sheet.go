package checks

import (
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Place says what a node is to a check.
type Place uint8

// The values of Place.
const (
	Outside   Place = iota // the check's filter is false for the node
	Member                 // it is true: the node ought to have a state
	Undefined              // it is undefined
)

// sheet is one check on a Board: the states of all its nodes, and how they are counted, kept up to date by every change.
type sheet struct {
	board      *Board
	check      fettle.Check
	thresholds Thresholds
	cells      map[fettle.NodeID]*cell
	whole      bucket
	slices     map[sliceKey]*slice // those that somebody asked for
	first      *cell               // of those with a state that is not known to be stale, the oldest first
	last       *cell
	expired    map[fettle.NodeID]*cell // those that have become stale, and have not been told by TakeStale
	parents    []*sheet                // checks that this one depends on
	fleetwide  []*parent               // the same, and groups, as a whole
	children   []*sheet                // checks that depend on this one
	perf       *perfBook
	perfCuts   map[*cut]*perfCut // those that somebody asked for
}

// cell is one node on a sheet.
type cell struct {
	state      fettle.CheckState
	node       fettle.NodeID
	counted    counted
	raw        standing // what it would be counted as, if nothing was left out
	place      Place
	silent     bool
	fresh      bool // it is in the list of those that are not known to be stale
	prev, next *cell
	shares     []share // in sheet.perf
}

func (b *Board) newSheet(check fettle.Check, th Thresholds) *sheet {
	return &sheet{
		board: b, check: check, thresholds: th, cells: map[fettle.NodeID]*cell{}, slices: map[sliceKey]*slice{}, expired: map[fettle.NodeID]*cell{},
		perf: newPerfBook(), perfCuts: map[*cut]*perfCut{},
	}
}

// cell gives the cell of node, made when it is missing.
func (s *sheet) cell(node fettle.NodeID, isSilent bool) *cell {
	c, found := s.cells[node]
	if !found {
		c = &cell{node: node, silent: isSilent}
		s.cells[node] = c
	}
	return c
}

// count counts c anew, after a change of anything in it.
func (s *sheet) count(c *cell, now fettle.Millis) {
	was, rawWas := c.counted, c.raw
	switch c.place {
	case Member:
		c.raw = standingOf(c.state, s.check, c.silent, now)
	case Undefined:
		c.raw = undefinedAs(s.check.Undefined)
	default:
		c.raw = absent
	}
	c.counted = s.countAs(c)
	if was != c.counted {
		s.move(c, was, c.counted)
	}
	if (rawWas == critical) != (c.raw == critical) {
		s.tellChildren(c.node, now)
	}
	s.perf.count(c)
	for _, p := range s.perfCuts {
		p.hear(c)
	}
}

// tellChildren counts a node anew on the checks that depend on this one.
func (s *sheet) tellChildren(node fettle.NodeID, now fettle.Millis) {
	for _, child := range s.children {
		if below := child.cells[node]; below != nil {
			child.count(below, now)
		}
		child.look(node)
	}
}

// countAs says how a cell is counted, once it is known what it is.
func (s *sheet) countAs(c *cell) counted {
	out := counted{standing: c.raw}
	if c.place == Member {
		out.soft, out.flapping = isSoft(c.raw, c.state), isFlapping(c.raw, c.state)
	}
	if !c.raw.bad() {
		return out
	}
	if out.by = s.board.silencing(s.check.Name, c.node, c.raw.status()); out.by != nil {
		out.standing = silenced
	} else if s.isShadowed(c.node) {
		out.standing = shadowed
	}
	return out
}

// move counts a cell as another than before, in all the buckets that it is in.
func (s *sheet) move(c *cell, from, to counted) {
	s.board.change++
	s.whole.put(c.node, from, -1)
	s.whole.put(c.node, to, 1)
	for _, one := range s.slices {
		if one.all {
			one.look(s, c.node)
		} else if value := one.cut.parts[c.node]; value != "" {
			one.part(value).put(c.node, from, -1)
			one.part(value).put(c.node, to, 1)
		}
	}
}

// text gives what a verdict says of a node.
func (s *sheet) text(node fettle.NodeID) string {
	c := s.cells[node]
	switch {
	case c == nil:
		return ""
	case c.place == Undefined:
		return undefinedText(c.raw)
	}
	return outputOf(c.raw, c.state, s.check.Attempts)
}

// textOfAll is text where nodes are meant that are no members.
func (s *sheet) textOfAll(node fettle.NodeID) string {
	if c := s.cells[node]; c != nil && c.place == Member {
		return s.text(node)
	}
	if _, is := s.board.silent[node]; is {
		return outputOf(silent, fettle.CheckState{}, 0)
	}
	return outputOf(unknown, fettle.CheckState{}, 0)
}

// set gives c a state that was received at state.At.
func (s *sheet) set(c *cell, state fettle.CheckState, now fettle.Millis) {
	c.state = state
	delete(s.expired, c.node)
	s.unlink(c)
	s.link(c)
	s.count(c, now)
}

// link puts c at the end of those that are fresh.
func (s *sheet) link(c *cell) {
	c.fresh, c.prev, c.next = true, s.last, nil
	if s.last != nil {
		s.last.next = c
	} else {
		s.first = c
	}
	s.last = c
}

func (s *sheet) unlink(c *cell) {
	if !c.fresh {
		return
	}
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		s.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		s.last = c.prev
	}
	c.fresh, c.prev, c.next = false, nil, nil
}

// expire counts the states that have become stale. Each is looked at once, so that reading a verdict costs what has changed.
func (s *sheet) expire(now fettle.Millis) {
	if s.board.deaf {
		return
	}
	for c := s.first; c != nil && isStale(c.state, s.check, now); c = s.first {
		s.unlink(c)
		s.expired[c.node] = c
		s.count(c, now)
	}
}

// remove forgets c.
func (s *sheet) remove(c *cell, now fettle.Millis) {
	c.place = Outside
	s.count(c, now)
	s.unlink(c)
	delete(s.cells, c.node)
	delete(s.expired, c.node)
	s.look(c.node)
	s.tellChildren(c.node, now)
}

// recount counts everything anew: the check is another one now.
func (s *sheet) recount(now fettle.Millis) {
	s.first, s.last = nil, nil
	cells := slices.SortedFunc(maps.Values(s.cells), func(a, b *cell) int { return int(max(min(a.state.At-b.state.At, 1), -1)) })
	for _, c := range cells {
		c.fresh, c.prev, c.next = false, nil, nil
		if c.state.Status != "" {
			s.link(c)
		}
		s.count(c, now)
	}
}

// recountBad counts those anew that are not well: what leaves them out has changed.
func (s *sheet) recountBad(now fettle.Millis) {
	for _, l := range []list{listCritical, listUnknown, listWarning, listSilenced, listShadowed} {
		for _, node := range s.whole.names[l].all() {
			s.count(s.cells[node], now)
		}
	}
	for _, one := range s.slices {
		if !one.all {
			continue
		}
		for node, put := range one.put {
			if c := s.cells[node]; put.as.list() != unlisted && (c == nil || c.place != Member) {
				one.look(s, node)
			}
		}
	}
}
