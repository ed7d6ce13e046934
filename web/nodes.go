package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// nodesPage is the explorer: a filter, and what it says of the fleet.
type nodesPage struct {
	base
	Ask   question
	AsOf  moment // never: now
	Read  reading
	Fleet []liveCount // of all nodes, whatever the filter
	Total int         // all nodes
	Paths []string    // fact paths, for completion; in whole pages only

	Fault *fault // when set, nothing of what follows is

	Matched   int
	Undefined []reason
	Unclear   int // nodes for which the filter is undefined
	Hints     []string
	ByName    *link  // for who typed a node's name
	ByNode    column // the names
	Columns   []column
	Rows      []row
	More      string // link to the next page; empty: this is the last
	Earlier   string // link to the first page; empty: this is it
	Facet     *facet
	Facets    []link // facts to split by
	Same      []command
	Explained *explained // nil: it was not asked for
}

// Self gives the link to the page, from its first row.
func (p nodesPage) Self() string { return p.Ask.first().URL() }

// Explain gives the link to the same with the filter taken apart, or put together again.
func (p nodesPage) Explain() string { return p.Ask.explain(!p.Ask.Explain).URL() }

// Past tells whether what is shown is of a moment of the past.
func (p nodesPage) Past() bool { return p.Ask.AsOf != 0 }

// Width gives the number of columns of the table.
func (p nodesPage) Width() int {
	if p.Past() {
		return len(p.Columns) + 1
	}
	return len(p.Columns) + 3
}

// Words gives the columns that are not facts.
func (p nodesPage) Words() []string { return words() }

// Said gives what was found as a screen reader says it.
func (p nodesPage) Said() string {
	text := nodes(p.Matched)
	if p.Unclear > 0 {
		text += ", " + thousands(p.Unclear) + " undefined"
	}
	return text
}

// liveCount is how many nodes have a liveness.
type liveCount struct {
	Liveness fettle.Liveness
	Count    int
	URL      string // the filter, narrowed to those
}

// reason is why a filter is undefined for nodes.
type reason struct {
	What  string
	Count int
	URL   string // to those nodes; empty: there is no filter for them
}

// column is one column of the table.
type column struct {
	Name   string
	Split  string // link that counts its values; empty: it is no fact
	Sort   string // link that orders by it, or turns the order round; empty: nothing is ordered by it
	Order  string // as aria-sort has it; empty: rows are not ordered by it
	Remove string // link without it
}

// row is one node of the table.
type row struct {
	Identity fettle.NodeID
	URL      string
	Liveness fettle.Liveness
	Seen     moment
	Cells    []cell
}

// cell is one value of a row.
type cell struct {
	Label   string
	Text    string
	Missing bool
	Number  bool
}

// nodes draws the explorer: all of it, or for htmx what follows the filter, or the next rows.
func (s *site) nodes(c *gin.Context) error {
	ctx := c.Request.Context()
	q, err := parseQuestion(c.Request.URL.Query())
	if err != nil {
		return err
	}
	if why := strings.ToLower(strings.TrimSpace(c.Query("why"))); why != "" { // the form that asks for one node
		c.Redirect(http.StatusSeeOther, nodeAsk{Name: why, Where: q.Where}.URL())
		return nil
	}
	if c.Query("add") != "" { // the form that adds a column; a link has it among the others
		c.Redirect(http.StatusSeeOther, q.URL())
		return nil
	}
	p := nodesPage{base: s.base(c, "Nodes", "nodes"), Ask: q, AsOf: s.moment(q.AsOf)}
	p.Live = q.AsOf == 0
	r, found, err := s.find(ctx, q.Where, server.FindQuery{Selection: server.Selection{AsOf: q.AsOf}, Limit: q.Limit, Cursor: q.Cursor, Facts: needFacts(q.Columns), Sort: q.path(), Descending: q.Desc})
	p.Read = r
	if isFault(err) || q.AsOf != 0 && errors.Is(err, fettle.ErrInvalid) { // there are moments that the history does not have
		return s.drawFault(c, p, err)
	}
	if err != nil {
		return err
	}
	p.fill(s, found)
	if partly(c) && q.Cursor != "" {
		return s.draw(c, http.StatusOK, "nodes.html", "rows", p)
	}
	if q.Explain {
		if p.Explained, err = s.explain(ctx, r, q); err != nil {
			return err
		}
	}
	p.ByName = s.byName(ctx, r, found.Matched, q)
	p.Same = commandsOf(c.Request, q, r)
	if err := s.fillFacets(ctx, &p); err != nil {
		return err
	}
	p.fillFleet(s)
	if partly(c) {
		c.Header("HX-Replace-Url", q.first().URL())
		return s.draw(c, http.StatusOK, "nodes.html", "explorer", p)
	}
	return s.draw(c, http.StatusOK, "nodes.html", "layout", p)
}

// drawFault draws what is wrong with the filter. htmx puts it above the last good table, which stays.
func (s *site) drawFault(c *gin.Context, p nodesPage, err error) error {
	p.Fault = faultOf(err)
	if partly(c) {
		c.Header("HX-Retarget", "#status")
		c.Header("HX-Replace-Url", p.Ask.first().URL())
		return s.draw(c, http.StatusOK, "nodes.html", "status", p) // an error status would stand in the browser's console at every other key
	}
	if err := s.fillFacets(c.Request.Context(), &p); err != nil {
		return err
	}
	p.fillFleet(s)
	return s.draw(c, http.StatusUnprocessableEntity, "nodes.html", "layout", p)
}

// fill takes over what was found.
func (p *nodesPage) fill(s *site, found server.FindAnswer) {
	p.Matched, p.Unclear, p.Hints = found.Matched, found.Undefined, found.Hints
	p.Undefined = reasons(found.UndefinedBy, p.Ask)
	p.ByNode = column{Name: "Node", Sort: p.Ask.by("").URL(), Order: p.Ask.Order("")}
	p.Columns = columns(p.Ask)
	for _, n := range found.Nodes {
		p.Rows = append(p.Rows, row{Identity: n.Identity, URL: nodeAsk{Name: string(n.Identity), AsOf: p.Ask.AsOf}.URL(), Liveness: n.Liveness, Seen: s.moment(n.Seen), Cells: cells(n, p.Ask.Columns)})
	}
	if found.Next != "" {
		p.More = p.Ask.at(found.Next).URL()
	}
	if p.Ask.Cursor != "" {
		p.Earlier = p.Ask.first().URL()
	}
}

// fillFleet counts all nodes by their liveness.
func (p *nodesPage) fillFleet(s *site) {
	counts := s.fleet.Counts()
	for _, l := range []fettle.Liveness{fettle.Alive, fettle.Late, fettle.Silent} {
		p.Total += counts[l]
		clause := "liveness == " + quoteCEL(string(l))
		p.Fleet = append(p.Fleet, liveCount{Liveness: l, Count: counts[l], URL: p.Ask.where(clause).URL()})
	}
}

func columns(q question) []column {
	out := make([]column, len(q.Columns))
	for i, name := range q.Columns {
		out[i] = column{Name: name, Remove: q.without(name).URL()}
		if !isWord(name) {
			out[i].Split, out[i].Sort, out[i].Order = q.facet(name).URL(), q.by(name).URL(), q.Order(name)
		}
	}
	return out
}

// needFacts tells whether a column is a fact.
func needFacts(columns []string) bool {
	return slices.ContainsFunc(columns, func(c string) bool { return !isWord(c) })
}

func isWord(column string) bool { return slices.Contains(words(), column) }

// reasons lists why the filter is undefined, the most frequent first.
func reasons(by map[string]int, q question) []reason {
	var out []reason
	for what, n := range by {
		r := reason{What: what, Count: n}
		if path, err := fettle.ParsePath(strings.TrimPrefix(what, "facts.")); err == nil && strings.HasPrefix(what, "facts.") {
			r.What, r.URL = what+" missing", q.where(clauseWithout(path).Text).URL()
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b reason) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.What, b.What)) })
	return out
}
