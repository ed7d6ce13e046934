package checks

import (
	"math"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// perfBook is the perfdata of one check, kept up to date by every result: reading it costs what is read, whatever the size of the fleet.
type perfBook struct {
	series map[perfKey]*perfSeries
	over   int // values that have no series, because there are too many labels
}

// perfKey names a series: values of one label in one unit can be folded.
type perfKey struct{ label, unit string }

// perfSeries is the values of all nodes that have one.
type perfSeries struct {
	key    perfKey
	values ordered
	sum    total
}

// share is what one node has put into a series.
type share struct {
	series *perfSeries // nil: there was no room
	value  float64
}

func newPerfBook() *perfBook { return &perfBook{series: map[perfKey]*perfSeries{}} }

// count puts the values of c in the place of those that it gave before; a node that is silent, stale or no member has none.
func (b *perfBook) count(c *cell) {
	if !c.raw.speaks() {
		b.drop(c)
		return
	}
	c.shares = b.put(c.shares, c.state.Perfdata)
}

// put puts values in the place of those that a node gave before, and gives what it has given now.
func (b *perfBook) put(shares []share, values []fettle.Perf) []share {
	i := 0
	for _, p := range values {
		value, unit, good := baseValue(p)
		if !good {
			continue
		}
		if i < len(shares) && shares[i].is(p.Label, unit) {
			shares[i].move(value)
		} else {
			if i < len(shares) {
				b.take(shares[i:])
				shares = shares[:i]
			}
			shares = append(shares, b.give(perfKey{p.Label, unit}, value))
		}
		i++
	}
	b.take(shares[i:])
	return shares[:i]
}

// drop takes away all that c gave.
func (b *perfBook) drop(c *cell) {
	b.take(c.shares)
	c.shares = nil
}

func (s share) is(label, unit string) bool {
	return s.series != nil && s.series.key.label == label && s.series.key.unit == unit
}

// move changes the value of a share that stays.
func (s *share) move(value float64) {
	if s.value == value {
		return
	}
	s.series.values.remove(s.value)
	s.series.sum.add(-s.value)
	s.series.values.add(value)
	s.series.sum.add(value)
	s.value = value
}

func (b *perfBook) give(key perfKey, value float64) share {
	s := b.series[key]
	if s == nil {
		if len(b.series) >= maxPerfLabels {
			b.over++
			return share{}
		}
		s = &perfSeries{key: key}
		b.series[key] = s
	}
	s.values.add(value)
	s.sum.add(value)
	return share{s, value}
}

func (b *perfBook) take(shares []share) {
	for _, sh := range shares {
		if sh.series == nil {
			b.over--
			continue
		}
		sh.series.values.remove(sh.value)
		sh.series.sum.add(-sh.value)
		if sh.series.values.n == 0 {
			delete(b.series, sh.series.key)
		}
	}
}

// fold gives the series in few numbers. It is not empty.
func (s *perfSeries) fold() PerfSum {
	v := &s.values
	return PerfSum{
		Label: s.key.label, Unit: s.key.unit, Nodes: v.n, Sum: s.sum.value(), Min: v.at(0), Max: v.at(v.n - 1),
		P50: v.quantile(0.5), P90: v.quantile(0.9), P99: v.quantile(0.99),
	}
}

// speaks tells whether the perfdata of a node in that standing count: the last result is its own, and not too old.
func (s standing) speaks() bool { return s == ok || s == warning || s == critical || s == unknown }

// units are those that plugins write, in base units: seconds and bytes. KB and MB are powers of 1024, as the plugins that write them count.
var units = map[string]struct {
	base   string
	factor float64
}{
	"s": {"s", 1}, "ms": {"s", 1e-3}, "us": {"s", 1e-6}, "µs": {"s", 1e-6}, "ns": {"s", 1e-9},
	"B": {"B", 1}, "KB": {"B", 1 << 10}, "MB": {"B", 1 << 20}, "GB": {"B", 1 << 30}, "TB": {"B", 1 << 40}, "PB": {"B", 1 << 50},
	"kB": {"B", 1 << 10}, "KiB": {"B", 1 << 10}, "MiB": {"B", 1 << 20}, "GiB": {"B", 1 << 30}, "TiB": {"B", 1 << 40}, "PiB": {"B", 1 << 50},
}

// baseValue gives a value in the base unit of its unit; not good: there is none, or its label is too long.
func baseValue(p fettle.Perf) (value float64, unit string, good bool) {
	if p.Value == nil || len(p.Label) > nagios.MaxLabel {
		return 0, "", false
	}
	value, unit = *p.Value, p.Unit
	if base, known := units[p.Unit]; known {
		value, unit = value*base.factor, base.base
	}
	return value, unit, !math.IsNaN(value) && !math.IsInf(value, 0)
}
