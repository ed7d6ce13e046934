package web

import (
	"context"
	"errors"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// Bounds of a filter that is taken apart on a page.
const (
	maxClauses = 200 // rows
	deepest    = 6   // steps to the right; what is further in stands below it
)

// explained is what a filter does, clause by clause.
type explained struct {
	CEL     fettle.Filter
	Cost    uint64 // of one evaluation at worst, in CEL's units
	Clauses []clauseRow
	More    int // clauses that are left off
	Missing []reason
	Unknown []link // paths that no node has; the link leads to the filter with the one that may have been meant
	Fault   string // why it cannot be said just now; empty: it can
}

// clauseRow is one clause, and for how many nodes it is what.
type clauseRow struct {
	Depth     int    // steps to the right
	Words     string // of those that hold others: all of, any of, not; empty: Text says it
	Text      string // in CEL
	How       string // index and over what, or scan and of how many; empty for those that hold others
	True      int
	False     int
	Undefined int
	Truth     string // for the node that was asked for; empty: none was
	URL       string // to the nodes for which it is true alone; empty: it holds others
}

// explain takes the filter apart; nil: there is none.
func (s *site) explain(ctx context.Context, r reading, q question) (*explained, error) {
	if r.CEL == "" {
		return nil, nil
	}
	if r.AsOf != 0 {
		return &explained{CEL: r.CEL, Fault: "Clauses are counted for the present only."}, nil
	}
	x, err := s.fleet.Explain(ctx, r.CEL, "")
	if errors.Is(err, fettle.ErrUnavailable) { // the table may be drawn all the same
		return &explained{CEL: r.CEL, Fault: said(err)}, nil
	}
	if err != nil {
		return nil, err
	}
	out := &explained{CEL: x.Filter, Cost: x.Cost, Missing: reasons(x.UndefinedBy, q)}
	out.Clauses, out.More = clauseRows(x.Clause, q)
	for _, u := range x.Unknown {
		l := link{Note: u.Path, Label: u.Suggestion}
		if text := strings.ReplaceAll(string(x.Filter), u.Path, u.Suggestion); u.Suggestion != "" && text != string(x.Filter) {
			l.URL = q.where(text).URL()
		}
		out.Unknown = append(out.Unknown, l)
	}
	return out, nil
}

// clauseRows lists a clause and those within it, and counts those that are left off.
func clauseRows(c server.Clause, q question) (rows []clauseRow, more int) {
	var walk func(c server.Clause, depth int)
	walk = func(c server.Clause, depth int) {
		if len(rows) < maxClauses {
			rows = append(rows, clauseRowOf(c, depth, q))
		} else {
			more++
		}
		for _, kid := range c.Kids {
			walk(kid, min(depth+1, deepest))
		}
	}
	walk(c, 0)
	return rows, more
}

// howOf says how a clause is answered: from which index, or for how many nodes one by one.
func howOf(c server.Clause) string {
	switch {
	case c.Index != "":
		return c.How + " over " + c.Index
	case c.Asked > 0:
		return c.How + " of " + strconv.Itoa(c.Asked)
	}
	return c.How
}

func clauseRowOf(c server.Clause, depth int, q question) clauseRow {
	r := clauseRow{Depth: depth, Text: c.Text, How: howOf(c), True: c.True, False: c.False, Undefined: c.Undefined, Truth: c.Truth}
	switch c.Op {
	case "and":
		r.Words = "all of"
	case "or":
		r.Words = "any of"
	case "not":
		r.Words = "not"
	default:
		r.URL = q.where(c.Text).URL()
	}
	return r
}

// verdict says whether one node is in a filter, and why not.
type verdict struct {
	Where   string // as it was typed
	CEL     fettle.Filter
	Short   bool
	Truth   string   // true, false, undefined
	KeptOut []string // the clauses that would have to be otherwise
	Missing []string // what makes it undefined
	Clauses []clauseRow
	More    int
	Fault   *fault // of the filter; when set, of the others only Where is
	Nodes   string // link to the nodes that match
}

// judge asks whether a node is in the filter that somebody typed; nil: there is none.
func (s *site) judge(ctx context.Context, id fettle.NodeID, where string) (*verdict, error) {
	if where == "" {
		return nil, nil
	}
	v := &verdict{Where: where, Nodes: question{Columns: defaultColumns()}.where(where).URL()}
	var x server.Explanation
	r, err := read(reading{Text: where}, func(r reading) (err error) {
		x, err = s.fleet.Explain(ctx, r.CEL, id)
		return err
	})
	if isFault(err) || errors.Is(err, fettle.ErrInvalid) || errors.Is(err, fettle.ErrUnavailable) {
		v.Fault = faultOf(err)
		return v, nil
	}
	if err != nil || x.Node == nil {
		return nil, err
	}
	v.CEL, v.Short, v.Truth, v.KeptOut, v.Missing = x.Filter, r.Short, x.Node.Truth, x.Node.KeptOut, x.Node.Missing
	v.Clauses, v.More = clauseRows(x.Clause, question{Columns: defaultColumns()})
	return v, nil
}
