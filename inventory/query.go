package inventory

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Query is a question about all nodes.
type Query struct {
	// Program is the filter; nil asks for every node, on purpose.
	Program *filter.Program
	// Now is what the filter sees as `now`, by the server's clock; zero: `now` is undefined.
	Now fettle.Millis
	// Limit is the number of nodes to give; zero: no node is given, only counted; negative: all.
	Limit int
	// After is the Next of the page before; empty: the first page.
	After string
	// Sort orders by a fact, its numbers before its texts and nodes without it last; nil: by identity. Equals are ordered by identity.
	Sort       fettle.Path
	Descending bool
	// Columns are evaluated for each node given; see Row.
	Columns []*filter.Program
	// Facts asks for the documents of the nodes given; without it Node.Facts is nil.
	Facts bool
	// Uncounted gives up Matched and Undefined where that spares work: they then count what was looked at only.
	Uncounted bool
}

// Answer is what a query gave.
type Answer struct {
	Matched     int            // nodes that the filter is true for, those of other pages included
	Undefined   int            // nodes that it is undefined for
	UndefinedBy map[string]int // why, by Missing.String; may add up to more than Undefined
	Rows        []Row
	Next        string // the cursor of the next page; empty: this is the last
}

// Row is one node of an answer.
type Row struct {
	Node    fettle.Node
	Columns []any // as Query.Columns has them, plain Go values; nil where a column is undefined
}

// maxReasons bounds UndefinedBy; what comes after is counted as "other reasons".
const maxReasons = 100

const otherReasons = "other reasons"

// Query answers q. An unreadable cursor is fettle.ErrInvalid; a deadline of ctx ends it with ctx's error.
func (v *Inventory) Query(ctx context.Context, q Query) (Answer, error) {
	a := Answer{UndefinedBy: map[string]int{}}
	after, err := readCursor(q)
	if err != nil {
		return a, err
	}
	var rows []sortable
	err = v.each(ctx, q, func(m match) {
		switch m.truth {
		case filter.Undefined:
			a.Undefined++
			addReasons(a.UndefinedBy, m.missing)
		case filter.True:
			a.Matched++
			if s := newSortable(q, m); q.Limit != 0 && (after == nil || after.before(s, q.Descending)) {
				rows = append(rows, s)
			}
		}
	})
	if err != nil {
		return Answer{}, err
	}
	if q.Sort != nil || q.Descending {
		slices.SortFunc(rows, func(x, y sortable) int { return x.compare(y, q.Descending) })
	}
	if q.Limit > 0 && len(rows) > q.Limit {
		rows = rows[:q.Limit]
		a.Next = writeCursor(rows[q.Limit-1])
	}
	for _, r := range rows {
		a.Rows = append(a.Rows, v.row(ctx, q, r.match))
	}
	return a, ctx.Err()
}

func (v *Inventory) row(ctx context.Context, q Query, m match) Row {
	r := Row{Node: m.entry.node}
	if !q.Facts {
		r.Node.Facts = nil
	}
	for _, c := range q.Columns {
		value, _, _ := c.Value(ctx, m.record)
		r.Columns = append(r.Columns, value)
	}
	return r
}

func addReasons(by map[string]int, missing []filter.Missing) {
	for _, m := range missing {
		key := m.String()
		if _, ok := by[key]; !ok && len(by) >= maxReasons {
			key = otherReasons
		}
		by[key]++
	}
}

// Roster is the set of nodes that a filter matches.
type Roster struct {
	Nodes       []fettle.NodeID // sorted
	Undefined   int
	UndefinedBy map[string]int
}

// Roster gives the nodes that a filter matches; a nil program matches every node, on purpose.
func (v *Inventory) Roster(ctx context.Context, prog *filter.Program, now fettle.Millis) (Roster, error) {
	r := Roster{UndefinedBy: map[string]int{}}
	err := v.each(ctx, Query{Program: prog, Now: now}, func(m match) {
		switch m.truth {
		case filter.Undefined:
			r.Undefined++
			addReasons(r.UndefinedBy, m.missing)
		case filter.True:
			r.Nodes = append(r.Nodes, m.entry.node.Identity)
		}
	})
	if err != nil {
		return Roster{}, err
	}
	return r, nil
}

// Match gives a filter's truth for one node. fettle.ErrNotFound if there is no such node.
func (v *Inventory) Match(ctx context.Context, prog *filter.Program, id fettle.NodeID, now fettle.Millis) (filter.Truth, []filter.Missing, error) {
	e, ok := v.entry(id)
	if !ok {
		return filter.Undefined, nil, fmt.Errorf("node %s: %w", id, fettle.ErrNotFound)
	}
	m, err := e.match(ctx, Query{Program: prog, Now: now})
	return m.truth, m.missing, err
}

// match is a node and what the filter is for it.
type match struct {
	entry   *entry
	record  *filter.Record
	truth   filter.Truth
	missing []filter.Missing
}

// each gives every node with its truth to f, sorted by identity.
func (v *Inventory) each(ctx context.Context, q Query, f func(match)) error {
	for _, e := range v.snapshot() {
		m, err := e.match(ctx, q)
		if err != nil {
			return err
		}
		f(m)
	}
	return nil
}

func (e *entry) match(ctx context.Context, q Query) (match, error) {
	if err := ctx.Err(); err != nil {
		return match{}, fmt.Errorf("ask the inventory: %w", err)
	}
	rec, err := e.record(q.Now)
	if err != nil {
		return match{}, err
	}
	m := match{entry: e, record: rec, truth: filter.True}
	if q.Program != nil {
		m.truth, m.missing = q.Program.Match(ctx, rec)
	}
	if err := ctx.Err(); err != nil {
		return match{}, fmt.Errorf("ask the inventory: %w", err)
	}
	return m, nil
}

// record gives what a filter may know of the node.
func (e *entry) record(now fettle.Millis) (*filter.Record, error) {
	doc, err := filter.ParseDocument(e.node.Facts)
	if err != nil {
		return nil, fmt.Errorf("facts of node %s: %w", e.node.Identity, err)
	}
	n := &e.node
	return &filter.Record{
		Identity: n.Identity, Facts: doc, Classes: n.Classes, Agent: &n.Agent, Checks: e.checks, Now: now,
		Pools: n.Pools, Labels: n.Labels, Liveness: n.Liveness, Seen: n.Seen, Enrolled: n.Enrolled,
	}, nil
}

// sortable is a match with the value that it is ordered by.
type sortable struct {
	match
	Value any           `json:"v"`
	None  bool          `json:"n,omitempty"`
	ID    fettle.NodeID `json:"i"`
}

func newSortable(q Query, m match) sortable {
	s := sortable{match: m, ID: m.entry.node.Identity, None: true}
	if q.Sort != nil {
		s.Value, s.None = lookup(m.record.Facts, q.Sort)
	}
	return s
}

// lookup gives the value at a path of o; none is true where there is none, or no scalar.
func lookup(o filter.Object, path fettle.Path) (value any, none bool) {
	value = o
	for _, k := range path {
		inner, ok := value.(filter.Object)
		if !ok {
			return nil, true
		}
		if value, ok = inner.Get(k); !ok {
			return nil, true
		}
	}
	switch value.(type) {
	case string, bool, int64, float64:
		return value, false
	}
	return nil, true
}

// compare orders by value, then by identity; nodes without a value come last either way.
func (s sortable) compare(o sortable, descending bool) int {
	c := compareNone(s.None, o.None)
	if c != 0 {
		return c
	}
	if !s.None {
		c = compareValues(s.Value, o.Value)
	}
	if c == 0 {
		c = strings.Compare(string(s.ID), string(o.ID))
	}
	if descending {
		return -c
	}
	return c
}

func (s sortable) before(o sortable, descending bool) bool { return s.compare(o, descending) < 0 }

func compareNone(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// writeCursor gives the place of s in the order, as text that is safe in a URL.
func writeCursor(s sortable) string {
	if f, ok := s.Value.(int64); ok { // JSON's numbers lose digits
		s.Value = map[string]string{"int": fmt.Sprint(f)}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readCursor reads q.After; nil: from the beginning.
func readCursor(q Query) (*sortable, error) {
	if q.After == "" {
		return nil, nil
	}
	bad := fmt.Errorf("cursor %.60q is none of ours: %w", q.After, fettle.ErrInvalid)
	text, err := base64.RawURLEncoding.DecodeString(q.After)
	if err != nil {
		return nil, bad
	}
	var s sortable
	if err := json.Unmarshal(text, &s); err != nil || s.ID == "" {
		return nil, bad
	}
	if m, ok := s.Value.(map[string]any); ok {
		var i int64
		if _, err := fmt.Sscan(fmt.Sprint(m["int"]), &i); err != nil {
			return nil, bad
		}
		s.Value = i
	}
	return &s, nil
}
