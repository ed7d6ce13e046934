package web

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// Bounds of what stands beside the table.
const (
	maxValues    = 40  // values of a facet
	maxFacets    = 10  // facts to split by
	maxOffered   = 800 // paths for completion
	manyValues   = 40  // a fact with more is no good to split by
	pathsFresh   = 30 * time.Second
	pathsCost    = 100 // the list is kept for so many times as long as it took to make: a large fleet spends a hundredth of its time on it
	widestFacet  = 60  // characters of a value
	percentDigit = 1
)

// facet is the values of one fact over the nodes that match.
type facet struct {
	Path    string
	Values  []facetValue
	Missing *facetValue // nodes that do not have it; nil: all do
	More    int         // values that are left off
	Close   string      // link without it
}

// facetValue is one value, and the way to the nodes that have it.
type facetValue struct {
	Text   string
	Empty  bool // the value is an empty string
	Count  int
	Share  string // of the most frequent value, as a width
	URL    string // empty: there is no filter for it
	Chosen bool   // the filter says so already; URL takes it out
}

// fillFacets counts the values of the chosen fact, and offers others.
func (s *site) fillFacets(ctx context.Context, p *nodesPage) error {
	paths, err := s.paths.get(ctx, s)
	if err != nil {
		return err
	}
	p.Facets = offered(paths, p.Ask)
	for _, info := range paths[:min(len(paths), maxOffered)] {
		p.Paths = append(p.Paths, info.Path)
	}
	if p.Ask.Facet == "" || p.Fault != nil {
		return nil
	}
	path, err := fettle.ParsePath(p.Ask.Facet)
	if err != nil {
		return err
	}
	answer, err := s.fleet.FactValues(ctx, path, p.Read.selection())
	if err != nil {
		return err
	}
	p.Facet = facetOf(path, answer, p.Read, p.Ask)
	return nil
}

func facetOf(path fettle.Path, answer server.ValuesAnswer, r reading, q question) *facet {
	f := &facet{Path: q.Facet, Close: q.facet("").URL(), More: answer.More}
	most := answer.Missing
	if len(answer.Values) > 0 {
		most = max(most, answer.Values[0].Count)
	}
	if len(answer.Values) > maxValues {
		f.More += len(answer.Values) - maxValues
		answer.Values = answer.Values[:maxValues]
	}
	for _, v := range answer.Values {
		text, _ := shown(v.Value)
		value := facetValue{Text: cut(text, widestFacet), Empty: text == "", Count: v.Count, Share: share(v.Count, most)}
		if c, ok := clauseFor(path, v.Value, r.Short); ok {
			value.point(c, r, q)
		}
		f.Values = append(f.Values, value)
	}
	if answer.Missing > 0 {
		f.Missing = &facetValue{Count: answer.Missing, Share: share(answer.Missing, most)}
		f.Missing.point(clauseWithout(path), r, q)
	}
	return f
}

// point gives v the link that adds c to the filter, or takes it out where it is there.
func (v *facetValue) point(c clause, r reading, q question) {
	if text, ok := widened(r, c); ok {
		v.Chosen, v.URL = true, q.where(text).URL()
		return
	}
	v.URL = q.where(narrowed(r, c)).URL()
}

// share gives n of most as a width.
func share(n, most int) string {
	if most == 0 {
		return "0%"
	}
	return strconv.FormatFloat(100*float64(n)/float64(most), 'f', percentDigit, 64) + "%"
}

// offered picks facts that split the fleet well: a few values, on most nodes.
func offered(paths []server.PathInfo, q question) []link {
	most := 0
	for _, p := range paths {
		most = max(most, p.Nodes)
	}
	good := slices.DeleteFunc(slices.Clone(paths), func(p server.PathInfo) bool {
		few := p.Distinct > manyValues || most > 1 && p.Distinct < 2
		return few || 2*p.Nodes < most || p.Type == "list" || p.Type == "null" || p.Path == q.Facet
	})
	slices.SortStableFunc(good, func(a, b server.PathInfo) int { return cmp.Compare(awkward(a), awkward(b)) })
	var out []link
	for _, p := range good[:min(len(good), maxFacets)] {
		out = append(out, link{Label: p.Path, URL: q.facet(p.Path).URL(), Note: thousands(p.Distinct)})
	}
	return out
}

// awkward says how far a fact is from one that people split a fleet by: short words first, then what lies deep and has many values.
func awkward(p server.PathInfo) int {
	path, err := fettle.ParsePath(p.Path)
	if err != nil {
		return 1 << 20
	}
	cost := 8*len(path) + p.Distinct
	if p.Type != "string" {
		cost += 12
	}
	if slices.Contains(familiar(), p.Path) {
		cost -= 40
	}
	return cost
}

// familiar are the facts that people who run fleets look at first.
func familiar() []string {
	return []string{
		"environment", "role", "customer", "datacenter", "country", "os.family", "os.name", "os.release.major", "os.distro.codename",
		"os.architecture", "kernelrelease", "virtual", "is_virtual", "processors.count", "timezone",
	}
}

// pathCache keeps the list of fact paths for a while: it is for completion, and looks at all nodes.
type pathCache struct {
	mu    sync.Mutex
	paths []server.PathInfo // guarded by mu
	until time.Time         // guarded by mu
}

// get gives the fact paths of all nodes. Of many who ask at once, one fetches.
func (p *pathCache) get(ctx context.Context, s *site) ([]server.PathInfo, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := s.cfg.Now()
	if now.Before(p.until) {
		return p.paths, nil
	}
	paths, err := s.fleet.FactPaths(ctx, server.Selection{All: true})
	if err != nil {
		return nil, err
	}
	p.paths, p.until = paths, now.Add(max(pathsFresh, pathsCost*s.cfg.Now().Sub(now)))
	return paths, nil
}
