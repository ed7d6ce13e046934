package server

import (
	"context"
	"fmt"
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
)

// Bounds of a page of nodes.
const (
	defaultPage = 100
	maxPage     = 10_000
	maxSpenders = 100
)

// FindQuery asks which nodes match.
type FindQuery struct {
	Selection
	Limit     int    // nodes a page; zero: 100; at most 10,000
	Cursor    string // Next of the page before; empty: from the first
	CountOnly bool   // no nodes, just how many
	Facts     bool   // with the facts documents of the nodes
	// Columns are expressions of CEL, of any type, to evaluate for each node of the answer.
	Columns []fettle.Filter
	// Sort orders by a fact, nodes without it last; nil: by identity. Equals are ordered by identity.
	Sort       fettle.Path
	Descending bool
	// BecameTrueSince leaves those nodes out for which the filter was true at that moment, too; zero: none.
	BecameTrueSince fettle.Millis
}

// FindAnswer says which nodes match, and of how many it cannot be said.
type FindAnswer struct {
	Matched     int
	Undefined   int
	UndefinedBy map[string]int // by what is missing; a node may count under several
	Nodes       []fettle.Node
	Columns     [][]any  // for each of Nodes, what FindQuery.Columns gave, plain Go values; nil where one is undefined
	Next        string   // cursor of the next page; empty: this is the last
	Hints       []string // what a person who meant something else may want to know
}

// Find asks which nodes match. ErrInvalid: the filter; the error is a *filter.Error where it has a place in the text.
func (s *Server) Find(ctx context.Context, q FindQuery) (FindAnswer, error) {
	if q.Limit < 0 || q.Limit > maxPage {
		return FindAnswer{}, fmt.Errorf("limit %d is not between 1 and %d: %w", q.Limit, maxPage, fettle.ErrInvalid)
	}
	program, inv, now, err := s.asked(ctx, q.Selection)
	if err != nil {
		return FindAnswer{}, err
	}
	asked := s.query(program, now)
	asked.Limit, asked.After, asked.Facts, asked.Sort, asked.Descending = orDefault(q.Limit, defaultPage), q.Cursor, q.Facts, q.Sort, q.Descending
	if q.CountOnly {
		asked.Limit = 0
	}
	if asked.Columns, err = s.columns(ctx, q.Columns); err != nil {
		return FindAnswer{}, err
	}
	if q.BecameTrueSince != 0 {
		if asked.Keep, err = s.becameTrue(ctx, q, program, inv, now); err != nil {
			return FindAnswer{}, err
		}
	}
	a, err := inv.Query(ctx, asked)
	if err != nil {
		return FindAnswer{}, err
	}
	out := FindAnswer{Matched: a.Matched, Undefined: a.Undefined, UndefinedBy: a.UndefinedBy, Next: a.Next, Nodes: make([]fettle.Node, len(a.Rows))}
	for i, row := range a.Rows {
		out.Nodes[i] = row.Node
		if len(asked.Columns) > 0 {
			out.Columns = append(out.Columns, row.Columns)
		}
	}
	for _, unknown := range inv.Unknown(program) {
		out.Hints = append(out.Hints, unknown.String())
	}
	return out, nil
}

// query asks the inventory on behalf of a person, whose filter must not keep the server from everybody else.
func (s *Server) query(program *filter.Program, now fettle.Millis) inventory.Query {
	return inventory.Query{Program: program, Now: now, Budget: s.cfg.FilterBudget}
}

// columns compiles expressions of any type.
func (s *Server) columns(ctx context.Context, texts []fettle.Filter) ([]*filter.Program, error) {
	var out []*filter.Program
	for _, text := range texts {
		cel, err := s.ExpandFilter(ctx, text)
		if err != nil {
			return nil, err
		}
		program, err := filter.CompileColumn(filter.Node, cel)
		if err != nil {
			return nil, err
		}
		out = append(out, program)
	}
	return out, nil
}

// asked gives the compiled filter of a selection, nil for every node, and the inventory that it is about.
func (s *Server) asked(ctx context.Context, sel Selection) (*filter.Program, *inventory.Inventory, fettle.Millis, error) {
	if sel.Roster != "" {
		return nil, nil, 0, fmt.Errorf("a roster can be run, not asked: %w", fettle.ErrInvalid)
	}
	program, err := s.program(ctx, sel)
	if err != nil {
		return nil, nil, 0, err
	}
	inv, now, err := s.view(ctx, sel, program)
	return program, inv, now, err
}

// NodeDetail is one node with the states of its checks.
type NodeDetail struct {
	fettle.Node
	Checks map[string]fettle.CheckState
}

// Node gives one node. ErrNotFound, with a suggestion where a name is near, if there is none.
func (s *Server) Node(_ context.Context, id fettle.NodeID) (NodeDetail, error) {
	n, known := s.Inventory.Get(id)
	if !known {
		return NodeDetail{}, fmt.Errorf("node %s: %w", id, fettle.ErrNotFound)
	}
	return NodeDetail{Node: n, Checks: s.Board.States(id, fettle.MillisOf(s.Now()))}, nil
}

// FactPaths lists the paths that the documents of the selected nodes have.
func (s *Server) FactPaths(ctx context.Context, sel Selection) ([]inventory.PathInfo, error) {
	program, inv, now, err := s.asked(ctx, sel)
	if err != nil {
		return nil, err
	}
	return inv.Paths(ctx, s.query(program, now))
}

// FactValuesBy counts the values of a path over the selected nodes, and for each of them the values of a second path.
func (s *Server) FactValuesBy(ctx context.Context, path, by fettle.Path, sel Selection) (inventory.ValuesAnswer, error) {
	program, inv, now, err := s.asked(ctx, sel)
	if err != nil {
		return inventory.ValuesAnswer{}, err
	}
	return inv.ValuesBy(ctx, path, by, s.query(program, now))
}

// FactValues counts the values of a path over the selected nodes.
func (s *Server) FactValues(ctx context.Context, path fettle.Path, sel Selection) (inventory.ValuesAnswer, error) {
	program, inv, now, err := s.asked(ctx, sel)
	if err != nil {
		return inventory.ValuesAnswer{}, err
	}
	return inv.Values(ctx, path, s.query(program, now))
}

// Explain says what a filter does, clause by clause, and for one node which clause kept it out. The node may be empty.
func (s *Server) Explain(ctx context.Context, text fettle.Filter, node fettle.NodeID) (inventory.Explanation, error) {
	program, err := s.compile(ctx, text)
	if err != nil {
		return inventory.Explanation{}, err
	}
	return s.Inventory.Explain(ctx, s.query(program, fettle.MillisOf(s.Now())), node)
}

// Spenders gives the filters that have cost the most time, of those that were asked lately about the present.
func (s *Server) Spenders(context.Context) []Spender { return s.Inventory.Spenders(maxSpenders) }

// Commands lists every check command that some node offers.
func (s *Server) Commands(context.Context) []string {
	return slices.Sorted(maps.Keys(s.Inventory.Commands()))
}
