package web

import (
	"cmp"
	"context"

	fettle "github.com/fettle-dev/fettle"
)

// byShown is how many values of a fact a page of a check lists.
const byShown = 40

// byFact is a verdict by the values of a fact.
type byFact struct {
	Path    string // empty: none is chosen
	Paths   []string
	Offered []link // facts by which it may be split
	Rows    []byRow
	More    int // values that are not shown
	Close   string
	Map     string // link to the map of two facts
}

// byRow is the verdict of one value.
type byRow struct {
	Value  string
	URL    string // to the nodes that are bad there; empty: none are, or there is no filter for them
	Status fettle.CheckStatus
	Bar    tallyBar
	Worst  []placed
}

// byFact splits the verdict of a check.
func (s *site) byFact(ctx context.Context, name string, v fettle.Verdict, path string) (byFact, error) {
	b := byFact{Path: path, Close: checkURL(name), Map: mapURL(name, path, "")}
	paths, err := s.paths.get(ctx, s)
	if err != nil {
		return b, err
	}
	for _, info := range paths[:min(len(paths), maxOffered)] {
		b.Paths = append(b.Paths, info.Path)
	}
	for _, one := range offered(paths, question{}) {
		b.Offered = append(b.Offered, link{Label: one.Label, URL: checkURL(name) + "?by=" + one.Label})
	}
	facts, err := fettle.ParsePath(cmp.Or(path, "none"))
	if err != nil {
		return b, err
	}
	for _, one := range v.By[:min(len(v.By), byShown)] {
		row := byRow{Value: one.Value, Status: one.Status, Bar: checkBar(one.Tally), Worst: worst(&one, foldedWide)}
		if where, ok := factIs(facts, one.Value); ok && v.Kind != fettle.KindGroup && one.Status != fettle.CheckOK {
			row.URL = question{Columns: defaultColumns(), Where: bracketed(where) + " && " + notWell(name)}.URL()
		}
		b.Rows = append(b.Rows, row)
	}
	b.More = v.ByMore + max(0, len(v.By)-byShown)
	return b, nil
}
