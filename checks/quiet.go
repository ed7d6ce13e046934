package checks

import (
	"cmp"
	"path"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Quiet is a silence while it holds.
type Quiet struct {
	fettle.SilencedBy
	Checks   []string             // names or patterns, as of path.Match; none: all
	Statuses []fettle.CheckStatus // none: all that are not ok
}

// covers tells whether a silence is about a state of a check with a status.
func (q *Quiet) covers(check string, status fettle.CheckStatus) bool {
	return CoversCheck(q.Checks, check) && (len(q.Statuses) == 0 || slices.Contains(q.Statuses, status))
}

// CoversCheck tells whether a silence's list of checks has one in it; a list that is empty has all.
func CoversCheck(patterns []string, check string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, err := path.Match(pattern, check)
		return pattern == check || ok && err == nil
	})
}

// silence is a Quiet on the board, and the nodes that it is about.
type silence struct {
	Quiet
	nodes map[fettle.NodeID]bool
}

// BeginSilence has a silence hold for some nodes, from now on. One of its ID that holds already is replaced.
func (b *Board) BeginSilence(q Quiet, nodes []fettle.NodeID, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	touched := b.dropSilence(q.ID)
	s := &silence{q, make(map[fettle.NodeID]bool, len(nodes))}
	b.silences[q.ID] = s
	for _, node := range nodes {
		s.nodes[node] = true
		b.addQuiet(node, s)
		touched = append(touched, node)
	}
	b.recountNodes(touched, now)
}

// EndSilence has a silence hold no longer.
func (b *Board) EndSilence(id string, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recountNodes(b.dropSilence(id), now)
}

// PutSilenced says whether a silence that holds is about a node.
func (b *Board) PutSilenced(id string, node fettle.NodeID, is bool, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.silences[id]
	if s == nil || s.nodes[node] == is {
		return
	}
	if is {
		s.nodes[node] = true
		b.addQuiet(node, s)
	} else {
		delete(s.nodes, node)
		b.dropQuiet(node, s)
	}
	b.recountNodes([]fettle.NodeID{node}, now)
}

// SilencedBy tells which silence holds for a check on a node, if one does: in the status that it has there, or, where that is ok or there is
// none, in whatever it may come to have. Of several it is the one of the first ID.
func (b *Board) SilencedBy(check string, node fettle.NodeID) (fettle.SilencedBy, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	status := fettle.CheckStatus("")
	if s := b.sheets[check]; s != nil && s.cells[node] != nil {
		status = s.cells[node].raw.status()
	}
	for _, q := range b.quiet[node] {
		if q.covers(check, status) || status == "" && CoversCheck(q.Checks, check) && len(q.Statuses) == 0 {
			return q.SilencedBy, true
		}
	}
	return fettle.SilencedBy{}, false
}

// Silencing gives the silence that leaves out a check with a status on a node; nil: none does.
func (b *Board) Silencing(check string, node fettle.NodeID, status fettle.CheckStatus) *fettle.SilencedBy {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.silencing(check, node, status)
}

// silencing gives the silence that leaves out a check with a status on a node; nil: none does.
func (b *Board) silencing(check string, node fettle.NodeID, status fettle.CheckStatus) *fettle.SilencedBy {
	for _, q := range b.quiet[node] {
		if q.covers(check, status) {
			return &q.SilencedBy
		}
	}
	return nil
}

// dropSilence takes a silence away, and gives the nodes that it was about: they are to be counted anew.
func (b *Board) dropSilence(id string) (nodes []fettle.NodeID) {
	s := b.silences[id]
	if s == nil {
		return nil
	}
	delete(b.silences, id)
	for node := range s.nodes {
		b.dropQuiet(node, s)
		nodes = append(nodes, node)
	}
	return nodes
}

func (b *Board) addQuiet(node fettle.NodeID, s *silence) {
	list := append(slices.Clone(b.quiet[node]), s)
	slices.SortFunc(list, func(x, y *silence) int { return cmp.Compare(x.ID, y.ID) })
	b.quiet[node] = list
}

func (b *Board) dropQuiet(node fettle.NodeID, s *silence) {
	list := slices.DeleteFunc(slices.Clone(b.quiet[node]), func(o *silence) bool { return o == s })
	if len(list) == 0 {
		delete(b.quiet, node)
		return
	}
	b.quiet[node] = list
}

func (b *Board) recountNodes(nodes []fettle.NodeID, now fettle.Millis) {
	for _, s := range b.sheets {
		for _, node := range nodes {
			if c := s.cells[node]; c != nil && c.raw.bad() {
				s.count(c, now)
			}
			s.look(node)
		}
	}
	b.change++
}
