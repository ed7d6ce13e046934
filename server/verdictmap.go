package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a map: as many values as a person can look over.
const (
	defaultMapValues = 24
	maxMapValues     = 100
)

// OtherValues stands in a map for the values of a fact beyond its bound.
const OtherValues = "(others)"

// MapQuery asks how a check is over the values of two facts.
type MapQuery struct {
	Check   string
	X, Y    string // paths of facts
	Columns int    // values of X that stand apart; zero: 24; at most 100
	Rows    int    // likewise of Y
}

// VerdictMap is a check's states over the values of two facts.
type VerdictMap struct {
	Check      string
	X, Y       fettle.Path
	Columns    []string    // values of X, those of which most nodes are bad kept; the others stand together as the last, OtherValues
	Rows       []string    // likewise of Y
	Cells      [][]MapCell // by row, then column
	MoreX      int         // values within OtherValues
	MoreY      int
	Total, Bad int // nodes
}

// MapCell is the nodes that have two values. Its counts are of states as the check's verdict counts them.
type MapCell struct {
	Total, OK, Warning, Critical, Unknown, Silenced, Shadowed int
}

// Status gives the worst status of those nodes that have a say; empty: there are no nodes.
func (c MapCell) Status() fettle.CheckStatus {
	switch {
	case c.Critical > 0:
		return fettle.CheckCritical
	case c.Unknown > 0:
		return fettle.CheckUnknown
	case c.Warning > 0:
		return fettle.CheckWarning
	case c.Total > 0:
		return fettle.CheckOK
	}
	return ""
}

// VerdictMap spreads the nodes of a check over the values of two facts. It reads what is kept. ErrNotFound: nobody has defined the check.
// ErrInvalid: it is a group, or a path is none.
func (s *Server) VerdictMap(ctx context.Context, q MapQuery) (VerdictMap, error) {
	x, err := factPath(q.X)
	if err != nil {
		return VerdictMap{}, err
	}
	y, err := factPath(q.Y)
	if err != nil {
		return VerdictMap{}, err
	}
	if _, isGroup := s.groups.get(q.Check); isGroup {
		return VerdictMap{}, fmt.Errorf("%s is a group; there are maps of its members: %w", q.Check, fettle.ErrInvalid)
	}
	def, defined := s.definition(q.Check)
	if !defined {
		return VerdictMap{}, s.noCheck(q.Check)
	}
	v, err := s.Verdict(ctx, VerdictQuery{Check: q.Check})
	if err != nil {
		return VerdictMap{}, err
	}
	nodes, _, err := s.placesOf(ctx, def)
	if err != nil {
		return VerdictMap{}, err
	}
	found := mapping{states: statesOf(v), columns: s.valuesOf(nodes, x), rows: s.valuesOf(nodes, y)}
	m := VerdictMap{Check: q.Check, X: x, Y: y, Total: len(nodes)}
	m.Columns, m.MoreX = found.chosen(found.columns, min(orDefault(q.Columns, defaultMapValues), maxMapValues))
	m.Rows, m.MoreY = found.chosen(found.rows, min(orDefault(q.Rows, defaultMapValues), maxMapValues))
	found.fill(&m, nodes)
	return m, nil
}

// mapping is where each node stands on a map, and how it is.
type mapping struct {
	states        map[fettle.NodeID]nodeStanding // of those that are not ok
	columns, rows map[fettle.NodeID]string
}

// nodeStanding is how a node that is not ok counts.
type nodeStanding uint8

const (
	standsOK nodeStanding = iota
	standsWarning
	standsCritical
	standsUnknown
	standsSilenced
	standsShadowed
)

func statesOf(v fettle.Verdict) map[fettle.NodeID]nodeStanding {
	out := map[fettle.NodeID]nodeStanding{}
	put := func(ids []fettle.NodeID, as nodeStanding) {
		for _, id := range ids {
			out[id] = as
		}
	}
	put(v.Nodes[fettle.CheckWarning], standsWarning)
	put(v.Nodes[fettle.CheckCritical], standsCritical)
	put(v.Nodes[fettle.CheckUnknown], standsUnknown)
	put(v.Silenced, standsSilenced)
	put(v.Shadowed, standsShadowed)
	return out
}

// valuesOf gives the value of a fact by node.
func (s *Server) valuesOf(nodes []fettle.NodeID, path fettle.Path) map[fettle.NodeID]string {
	out := make(map[fettle.NodeID]string, len(nodes))
	for value, ids := range s.partsBy(nodes, path) {
		for _, id := range ids {
			out[id] = value
		}
	}
	return out
}

// chosen gives the values that stand apart, in their order, and how many others there are. Those are kept of which most nodes are bad, then those
// that most nodes have.
func (f mapping) chosen(of map[fettle.NodeID]string, most int) (values []string, more int) {
	bad, all := map[string]int{}, map[string]int{}
	for id, value := range of {
		all[value]++
		if as := f.states[id]; as >= standsWarning && as <= standsUnknown {
			bad[value]++
		}
	}
	for value := range all {
		values = append(values, value)
	}
	slices.SortFunc(values, func(a, b string) int {
		return cmp.Or(cmp.Compare(bad[b], bad[a]), cmp.Compare(all[b], all[a]), cmp.Compare(a, b))
	})
	if more = len(values) - most; more <= 0 {
		slices.Sort(values)
		return values, 0
	}
	values = values[:most]
	slices.Sort(values)
	return append(values, OtherValues), more
}

// fill counts the nodes of each cell.
func (f mapping) fill(m *VerdictMap, nodes []fettle.NodeID) {
	at := func(list []string) map[string]int {
		out := make(map[string]int, len(list))
		for i, value := range list {
			out[value] = i
		}
		return out
	}
	columns, rows := at(m.Columns), at(m.Rows)
	place := func(index map[string]int, value string) int {
		if i, own := index[value]; own {
			return i
		}
		return index[OtherValues]
	}
	m.Cells = make([][]MapCell, len(m.Rows))
	for i := range m.Cells {
		m.Cells[i] = make([]MapCell, len(m.Columns))
	}
	for _, id := range nodes {
		c := &m.Cells[place(rows, f.rows[id])][place(columns, f.columns[id])]
		c.Total++
		switch f.states[id] {
		case standsWarning:
			c.Warning++
		case standsCritical:
			c.Critical++
		case standsUnknown:
			c.Unknown++
		case standsSilenced:
			c.Silenced++
		case standsShadowed:
			c.Shadowed++
		default:
			c.OK++
		}
	}
	for _, row := range m.Cells {
		for _, c := range row {
			m.Bad += c.Warning + c.Critical + c.Unknown
		}
	}
}
