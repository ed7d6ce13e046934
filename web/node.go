package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// nodePage is one node.
type nodePage struct {
	base
	Ask      nodeAsk
	Node     fettle.Node
	Seen     moment
	Enrolled moment
	AsOf     moment // never: now
	FactsAt  moment
	Summary  []property // what a person wants to know first
	Classes  []link
	Labels   []property
	Checks   []checkRow
	Facts    tree
	Same     []command
	History  history
	Verdict  *verdict // of the filter that was asked about; nil: none was
}

// Past tells whether what is shown is of a moment of the past.
func (p nodePage) Past() bool { return p.Ask.AsOf != 0 }

// property is a name and what it is.
type property struct{ Name, Text string }

// checkRow is the state of one check on the node.
type checkRow struct {
	Name    string
	URL     string // of the check on this node
	Status  fettle.CheckStatus
	Soft    fettle.CheckStatus // of the last result; empty: the same
	Attempt int
	Since   moment
	At      moment
	Output  string
}

// node draws one node; for htmx the facts that its search finds.
func (s *site) node(c *gin.Context) error {
	id, err := fettle.ParseNodeID(c.Param("identity"))
	if err != nil {
		return s.noNode(c, c.Param("identity"))
	}
	ask, err := parseNodeAsk(string(id), c.Request.URL.Query())
	if err != nil {
		return err
	}
	n, err := s.fleet.Node(c.Request.Context(), id)
	if errors.Is(err, fettle.ErrNotFound) {
		return s.noNode(c, string(id))
	}
	if err != nil {
		return err
	}
	if ask.AsOf != 0 {
		n, err = s.fleet.NodeAt(c.Request.Context(), id, ask.AsOf)
		if errors.Is(err, fettle.ErrNotFound) {
			return fmt.Errorf("%s was not there at %s: %w", id, s.moment(ask.AsOf).Full, fettle.ErrNotFound)
		}
		if err != nil {
			return err
		}
	}
	p := nodePage{
		base: s.base(c, string(id), "nodes"), Ask: ask, Node: n.Node, Seen: s.moment(n.Seen), Enrolled: s.moment(n.Enrolled), FactsAt: s.moment(n.FactsAt),
		Facts: grow(parse(n.Facts), ask), Same: commandsOfNode(c.Request, id, ask.AsOf), AsOf: s.moment(ask.AsOf),
	}
	p.Live = ask.AsOf == 0
	p.Summary = summary(n.Node)
	for _, class := range n.Classes {
		p.Classes = append(p.Classes, link{Label: class, URL: question{Columns: defaultColumns()}.where(quoteCEL(class) + " in classes").URL()})
	}
	for name, text := range n.Labels {
		p.Labels = append(p.Labels, property{name, text})
	}
	slices.SortFunc(p.Labels, func(a, b property) int { return strings.Compare(a.Name, b.Name) })
	p.Checks = s.checkRows(id, n.Checks)
	if partly(c) && c.GetHeader("HX-Target") != "state" {
		c.Header("HX-Replace-Url", ask.URL())
		return s.draw(c, http.StatusOK, "node.html", "facts", p)
	}
	if !p.Past() {
		if p.Verdict, err = s.judge(c.Request.Context(), id, ask.Where); err != nil {
			return err
		}
	}
	if partly(c) {
		return s.draw(c, http.StatusOK, "node.html", "state", p)
	}
	if p.History, err = s.history(c.Request.Context(), id, ask); err != nil {
		return err
	}
	return s.draw(c, http.StatusOK, "node.html", "layout", p)
}

// checkRows lists states: the worst first, then by name.
func (s *site) checkRows(id fettle.NodeID, states map[string]fettle.CheckState) []checkRow {
	var out []checkRow
	for name, state := range states {
		r := checkRow{Name: name, URL: checkNodePage{Check: name, Node: id}.Path(), Status: state.Status, Attempt: state.Attempt, Since: s.moment(state.Since), At: s.moment(state.At), Output: clean(state.Output)}
		if state.Soft != state.Status {
			r.Soft = state.Soft
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b checkRow) int {
		if d := badness(b.Status) - badness(a.Status); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	return out
}

// badness orders what a person has to look at: first what is bad, then what nobody knows.
func badness(s fettle.CheckStatus) int {
	return slices.Index([]fettle.CheckStatus{fettle.CheckOK, fettle.CheckStale, fettle.CheckUnknown, fettle.CheckWarning, fettle.CheckCritical}, s)
}

// summary picks the facts that a person wants to know first; those that a node lacks are left out.
func summary(n fettle.Node) []property {
	document := parse(n.Facts)
	get := func(paths ...string) string {
		var words []string
		for _, path := range paths {
			if value, ok := valueOf(n, document, path); ok {
				text, _ := shown(value)
				words = append(words, text)
			}
		}
		return strings.Join(words, " ")
	}
	var out []property
	for _, p := range []property{
		{"System", get("os.name", "os.release.full")},
		{"Kernel", get("kernelrelease")},
		{"Address", get("networking.ip")},
		{"Processors", get("processors.count")},
		{"Memory", get("memory.system.total")},
		{"Up", get("system_uptime.uptime")},
		{"Agent", strings.TrimSpace(n.Agent.Version + " " + n.Agent.OS + "/" + n.Agent.Arch)},
		{"Pools", strings.Join(n.Pools, " ")},
	} {
		if strings.Trim(p.Text, " /") != "" {
			out = append(out, p)
		}
	}
	return out
}

// noNode says that there is no such node, and which have names like it.
func (s *site) noNode(c *gin.Context, name string) error {
	p := errorPage{base: s.base(c, "No such node", "nodes"), Status: http.StatusNotFound}
	p.Person = auth.From(c.Request.Context())
	p.Detail = fmt.Sprintf("No node has the name %q.", cut(name, fettle.MaxIdentity))
	near, err := s.near(c, strings.ToLower(name))
	if err != nil {
		return err
	}
	for _, id := range near {
		p.Near = append(p.Near, link{Label: string(id), URL: "/nodes/" + string(id)})
	}
	s.drawError(c, p)
	return nil
}

// Bounds of the search for near names.
const (
	nearNames      = 8    // shown
	nearCandidates = 1000 // compared
	maxNearName    = 64   // bytes of a name that are compared
)

// near gives the nodes whose names are like name, the nearest first: it looks among those that share a part of it, for ever shorter parts.
func (s *site) near(c *gin.Context, name string) ([]fettle.NodeID, error) {
	name = cut(name, maxNearName)
	for _, part := range parts(name) {
		where := fettle.Filter("identity.contains(" + quoteCEL(part) + ")")
		found, err := s.fleet.Find(c.Request.Context(), server.FindQuery{Selection: server.Selection{Where: where}, Limit: nearCandidates})
		if err != nil {
			return nil, err
		}
		if len(found.Nodes) == 0 {
			continue
		}
		ids := make([]fettle.NodeID, len(found.Nodes))
		for i, n := range found.Nodes {
			ids[i] = n.Identity
		}
		slices.SortStableFunc(ids, func(a, b fettle.NodeID) int { return distance(name, string(a)) - distance(name, string(b)) })
		return ids[:min(len(ids), nearNames)], nil
	}
	return nil, nil
}

// parts gives what a name may share with the one that was meant: all of it, its first label, that without its number, its first letters.
func parts(name string) []string {
	label, _, _ := strings.Cut(name, ".")
	stem := strings.TrimRight(label, "0123456789-_")
	list := []string{name, label, stem}
	for _, n := range []int{4, 3, 2} {
		if len(stem) > n {
			list = append(list, stem[:n], stem[len(stem)-n:])
		}
	}
	return slices.DeleteFunc(slices.Compact(list), func(s string) bool { return s == "" })
}

// distance is the number of letters by which a and b differ (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
