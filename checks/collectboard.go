package checks

import (
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// NamedVerdicts gives the verdicts of all checks, each under the check's name, with their perfdata but without the nodes that they name, and
// those of all groups, also by the values of a fact. The cost is that of the checks, whatever the number of nodes.
func (b *Board) NamedVerdicts(now fettle.Millis) []NamedVerdict {
	var out []NamedVerdict
	checks, groups := b.allNames()
	for _, name := range checks {
		if n, err := b.named(name, now); err == nil { // else it has just been removed
			out = append(out, n)
		}
	}
	for _, name := range groups {
		v, err := b.Ask(Question{Name: name}, now)
		if err != nil { // the values of its fact are not known yet
			v, err = b.Ask(Question{Name: name, By: NoBy}, now)
		}
		if err != nil {
			continue
		}
		out = append(out, b.withPerf(NamedVerdict{Name: name, Verdict: v}, "", ""))
		for _, one := range v.By {
			one.Check, one.Settling = name, v.Settling
			out = append(out, b.withPerf(NamedVerdict{Name: name + ": " + one.Value, Verdict: one}, v.ByFact, one.Value))
		}
	}
	return out
}

// withPerf adds its perfdata to the verdict of a group that is one check.
func (b *Board) withPerf(n NamedVerdict, by, value string) NamedVerdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g := b.groups[n.Verdict.Check]; g != nil {
		if perf := g.perfOf(b, "", by, value); perf != nil {
			n.Perf, n.Dropped = perf.sums(MaxLabels)
		}
	}
	return n
}

// allNames gives the names of all checks and groups, each sorted.
func (b *Board) allNames() (checks, groups []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.sheets)), slices.Sorted(maps.Keys(b.groups))
}

// named gives the verdict of a check and its perfdata.
func (b *Board) named(check string, now fettle.Millis) (NamedVerdict, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.sheet(check)
	if err != nil {
		return NamedVerdict{}, err
	}
	b.followParents(now)
	s.expire(now)
	v := fettle.Verdict{Check: check, Kind: fettle.KindCheck, Tally: s.whole.tally, Settling: now < b.settling}
	v.Status, v.Reason = s.thresholds.status(v.Tally)
	b.hold(&v, now)
	n := NamedVerdict{Name: check, Verdict: v}
	n.Perf, n.Dropped = s.perf.sums(MaxLabels)
	return n, nil
}
