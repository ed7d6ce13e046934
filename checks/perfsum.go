package checks

import (
	"cmp"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// maxPerfLabels bounds the labels that are kept of one check, before the most common of them are chosen.
const maxPerfLabels = 10_000

// PerfSum is one value of perfdata, folded over the nodes that have it.
type PerfSum struct {
	Label string
	Unit  string // s or B where the plugins write any of seconds or bytes, in these; else as they write it
	Nodes int
	Sum   float64
	Min   float64
	Max   float64
	P50   float64 // the median; quantiles are by nearest rank, a value that some node has
	P90   float64
	P99   float64
}

// Avg is the mean.
func (p PerfSum) Avg() float64 { return p.Sum / float64(max(p.Nodes, 1)) }

// Perfdata gives the folded perfdata of a check's members that are neither silent nor stale: at most limit labels, those of the most nodes
// first, and how many labels were left out. Plugins choose their labels, and some put what changes into them. The cost is that of the labels,
// whatever the number of nodes.
func (b *Board) Perfdata(check string, limit int, now fettle.Millis) (sums []PerfSum, dropped int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.sheet(check)
	if err != nil {
		return nil, 0, err
	}
	s.expire(now)
	sums, dropped = s.perf.sums(limit)
	return sums, dropped, nil
}

func (b *perfBook) sums(limit int) (sums []PerfSum, dropped int) {
	found := make([]*perfSeries, 0, len(b.series))
	for _, s := range b.series {
		found = append(found, s)
	}
	slices.SortFunc(found, func(x, y *perfSeries) int {
		return cmp.Or(cmp.Compare(y.values.n, x.values.n), cmp.Compare(x.key.label, y.key.label), cmp.Compare(x.key.unit, y.key.unit))
	})
	dropped = b.over
	if len(found) > limit {
		dropped += len(found) - limit
		found = found[:limit]
	}
	sums = make([]PerfSum, len(found))
	for i, s := range found {
		sums[i] = s.fold()
	}
	return sums, dropped
}

// folds gives the series of the most nodes, as a verdict has them.
func (b *perfBook) folds(limit int) (out []fettle.PerfFold) {
	sums, _ := b.sums(limit)
	for _, p := range sums {
		out = append(out, fettle.PerfFold{Label: p.Label, Unit: p.Unit, Nodes: p.Nodes, Sum: p.Sum, Avg: p.Avg(), Min: p.Min, Max: p.Max})
	}
	return out
}
