package checks

import fettle "github.com/fettle-dev/fettle"

// perfCut is the perfdata of one check along a cut: a book for each part, kept up to date by every result from when somebody asks for it first.
type perfCut struct {
	cut   *cut
	books map[string]*perfBook
	given map[fettle.NodeID]*given
}

// given is what a node has put into the book of its part.
type given struct {
	part   string
	shares []share
}

// perfOf gives the perfdata of the nodes in one part of a cut; of all nodes where the cut is none. It is only read.
func (s *sheet) perfOf(spec CutSpec, part string) *perfBook {
	if spec == (CutSpec{}) {
		return s.perf
	}
	c := s.board.cuts[spec]
	if c == nil {
		return newPerfBook()
	}
	p := s.perfCuts[c]
	if p == nil {
		p = &perfCut{c, map[string]*perfBook{}, map[fettle.NodeID]*given{}}
		for _, cell := range s.cells {
			p.hear(cell)
		}
		s.perfCuts[c] = p
	}
	if b := p.books[part]; b != nil {
		return b
	}
	return newPerfBook()
}

// hear takes what a cell says now in the place of what it said before.
func (p *perfCut) hear(c *cell) {
	part, had := p.cut.parts[c.node], p.given[c.node]
	speaks := c.raw.speaks() && part != "" && part != UndefinedPart
	if had != nil && (!speaks || had.part != part) {
		b := p.books[had.part]
		b.take(had.shares)
		if len(b.series) == 0 && b.over == 0 {
			delete(p.books, had.part)
		}
		delete(p.given, c.node)
		had = nil
	}
	if !speaks || had == nil && len(c.state.Perfdata) == 0 {
		return
	}
	if had == nil {
		had = &given{part: part}
		p.given[c.node] = had
	}
	if p.books[part] == nil {
		p.books[part] = newPerfBook()
	}
	had.shares = p.books[part].put(had.shares, c.state.Perfdata)
}

// perfOf gives the perfdata of a group that is one check, over the nodes of its member, and of where; with by, those with one value of that fact. Values of
// different checks have nothing in common but the name, and are not folded: then it is nil.
func (g *group) perfOf(b *Board, where fettle.Filter, by, value string) *perfBook {
	if len(g.def.Members) != 1 || b.sheets[g.def.Members[0].Check] == nil {
		return nil
	}
	m := g.def.Members[0]
	spec, part := CutSpec{both(m.Filter, where), by}, value
	if by == "" {
		part = InPart
	}
	return b.sheets[m.Check].perfOf(spec, part)
}
