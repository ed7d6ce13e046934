package checks

import (
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// parent is something that checks depend on as a whole: a group, or a check on the nodes that it does not have.
type parent struct {
	name     string
	critical bool
	children []*sheet
}

// link finds anew who depends on whom, after a check or a group has come, gone or changed; all that is bad is counted anew.
func (b *Board) link(now fettle.Millis) {
	old := b.parents
	b.parents = map[string]*parent{}
	for _, s := range b.sheets {
		s.parents, s.fleetwide, s.children = nil, nil, nil
	}
	for _, s := range b.sheets {
		for _, name := range s.check.DependsOn {
			if above := b.sheets[name]; above != nil && above != s {
				s.parents = append(s.parents, above)
				above.children = append(above.children, s)
			}
			p := b.parents[name]
			if p == nil {
				p = &parent{name: name, critical: old[name] != nil && old[name].critical}
				b.parents[name] = p
			}
			s.fleetwide = append(s.fleetwide, p)
			p.children = append(p.children, s)
		}
	}
	for _, s := range b.sheets {
		s.recountBad(now)
	}
	b.change++
}

// isShadowed tells whether something that a check depends on is critical on a node. A node that has the state of a parent has its own word in
// it; for the others, and of a group, the verdict counts. What is only warning, or cannot be told, hides nothing.
func (s *sheet) isShadowed(node fettle.NodeID) bool {
	own := 0
	for _, above := range s.parents {
		if c := above.cells[node]; c != nil && c.place == Member {
			if own++; c.raw == critical {
				return true
			}
		}
	}
	if own == len(s.fleetwide) {
		return false
	}
	return slices.ContainsFunc(s.fleetwide, func(p *parent) bool {
		if !p.critical {
			return false
		}
		above := s.board.sheets[p.name]
		return above == nil || above.cells[node] == nil || above.cells[node].place != Member
	})
}

// followParents lets the children of those parents see it of which the verdict has become critical, or is so no longer. One round may have the
// next parent's verdict change; there are no cycles, so that as many rounds as there are parents are enough.
func (b *Board) followParents(now fettle.Millis) {
	for range b.parents {
		changed := false
		for _, p := range b.parents {
			status, known := b.statusOf(p.name, now)
			if is := known && status == fettle.CheckCritical; is != p.critical {
				p.critical, changed = is, true
				for _, s := range p.children {
					s.recountBad(now)
				}
				b.change++
			}
		}
		if !changed {
			return
		}
	}
}
