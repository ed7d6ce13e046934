package checks

import (
	"container/list"
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
	check      fettle.Check
	thresholds Thresholds
	cells      map[fettle.NodeID]*cell
	tally      fettle.CheckTally
	shown      map[fettle.NodeID]*cell // those that a verdict names: not ok, or soft
	fresh      *list.List              // cells with a state that is not known to be stale, the oldest first
	expired    map[fettle.NodeID]*cell // those that have become stale, and have not been told by TakeStale
	kept       *fettle.Verdict         // the verdict as long as nothing changes; nil: to be made
}

// cell is one node on a sheet.
type cell struct {
	state    fettle.CheckState
	node     fettle.NodeID
	place    Place
	silent   bool
	standing standing
	inFresh  *list.Element // nil: not in sheet.fresh
}

func newSheet(check fettle.Check, th Thresholds) *sheet {
	return &sheet{check: check, thresholds: th, cells: map[fettle.NodeID]*cell{}, shown: map[fettle.NodeID]*cell{}, fresh: list.New(), expired: map[fettle.NodeID]*cell{}}
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
	was := c.standing
	switch c.place {
	case Member:
		c.standing = standingOf(c.state, s.check, c.silent, now)
	case Undefined:
		c.standing = undefinedAs(s.check.Undefined)
	default:
		c.standing = absent
	}
	if was != c.standing {
		was.add(&s.tally, -1)
		c.standing.add(&s.tally, 1)
	}
	_, wasShown := s.shown[c.node]
	if s.text(c) != "" || c.standing.status() != "" {
		s.shown[c.node] = c
		s.kept = nil
	} else if wasShown {
		delete(s.shown, c.node)
		s.kept = nil
	}
	if was != c.standing {
		s.kept = nil
	}
}

// text gives what a verdict says of c.
func (s *sheet) text(c *cell) string {
	if c.place == Undefined {
		return undefinedText(c.standing)
	}
	return outputOf(c.standing, c.state, s.check.Attempts)
}

// set gives c a state that was received at state.At.
func (s *sheet) set(c *cell, state fettle.CheckState, now fettle.Millis) {
	c.state = state
	delete(s.expired, c.node)
	if c.inFresh == nil {
		c.inFresh = s.fresh.PushBack(c)
	} else {
		s.fresh.MoveToBack(c.inFresh)
	}
	s.count(c, now)
}

// expire counts the states that have become stale. Each is looked at once, so that reading a verdict costs what has changed.
func (s *sheet) expire(now fettle.Millis) {
	for e := s.fresh.Front(); e != nil; e = s.fresh.Front() {
		c, is := e.Value.(*cell)
		if !is || !isStale(c.state, s.check, now) {
			return
		}
		s.fresh.Remove(e)
		c.inFresh = nil
		s.expired[c.node] = c
		s.count(c, now)
	}
}

// remove forgets c.
func (s *sheet) remove(c *cell, now fettle.Millis) {
	c.place = Outside
	s.count(c, now)
	if c.inFresh != nil {
		s.fresh.Remove(c.inFresh)
	}
	delete(s.cells, c.node)
	delete(s.expired, c.node)
}

// recount counts everything anew: the check is another one now.
func (s *sheet) recount(now fettle.Millis) {
	s.kept = nil
	s.fresh.Init()
	cells := slices.SortedFunc(maps.Values(s.cells), func(a, b *cell) int { return int(max(min(a.state.At-b.state.At, 1), -1)) })
	for _, c := range cells {
		c.inFresh = nil
		if c.state.Status != "" {
			c.inFresh = s.fresh.PushBack(c)
		}
		s.count(c, now)
	}
}

// verdict gives the folded states. Its maps and slices are shared with later calls.
func (s *sheet) verdict(now fettle.Millis) fettle.Verdict {
	s.expire(now)
	if s.kept == nil {
		f := newFolding(s.check.Name)
		f.v.Tally = s.tally
		for node, c := range s.shown {
			f.list(node, c.standing, s.text(c))
		}
		v := f.verdict(s.thresholds)
		s.kept = &v
	}
	return *s.kept
}
