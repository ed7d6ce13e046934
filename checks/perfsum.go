package checks

import (
	"cmp"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// maxPerfLabels bounds the labels that are looked at in one check, before the most common of them are chosen.
const maxPerfLabels = 10_000

// PerfSum is one value of perfdata, folded over the nodes that have it.
type PerfSum struct {
	Label string
	Unit  string // as the plugins write it
	Nodes int
	Sum   float64
	Min   float64
	Max   float64
}

// Perfdata folds the perfdata of a check's members that are neither silent nor stale: at most limit labels, those of the most nodes first, and
// how many labels were left out. Plugins choose their labels, and some put what changes into them. The cost is that of the states.
func (b *Board) Perfdata(check string, limit int, now fettle.Millis) (sums []PerfSum, dropped int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.sheet(check)
	if err != nil {
		return nil, 0, err
	}
	s.expire(now)
	sums, dropped = sumPerfdata(s, limit)
	return sums, dropped, nil
}

func sumPerfdata(s *sheet, limit int) (sums []PerfSum, dropped int) {
	type key struct{ label, unit string }
	at := map[key]int{}
	for _, c := range s.cells {
		if c.raw == absent || c.raw == undefined || c.raw == silent || c.raw == stale {
			continue
		}
		for _, p := range c.state.Perfdata {
			if p.Value == nil || len(p.Label) > nagios.MaxLabel {
				continue
			}
			i, found := at[key{p.Label, p.Unit}]
			if !found && len(sums) == maxPerfLabels {
				dropped++
				continue
			}
			if !found {
				i = len(sums)
				at[key{p.Label, p.Unit}] = i
				sums = append(sums, PerfSum{Label: p.Label, Unit: p.Unit, Min: *p.Value, Max: *p.Value})
			}
			sums[i].add(*p.Value)
		}
	}
	slices.SortFunc(sums, func(a, b PerfSum) int {
		return cmp.Or(cmp.Compare(b.Nodes, a.Nodes), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Unit, b.Unit))
	})
	if len(sums) > limit {
		dropped += len(sums) - limit
		sums = sums[:limit]
	}
	return sums, dropped
}

func (p *PerfSum) add(v float64) {
	p.Nodes++
	p.Sum += v
	p.Min = min(p.Min, v)
	p.Max = max(p.Max, v)
}
