package checks

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	fettle "github.com/fettle-dev/fettle"
)

func TestOrdered(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var o ordered
	var want []float64
	for step := range 60_000 {
		v := math.Round(rng.NormFloat64() * 500)
		if grow := step < 30_000; grow == (rng.IntN(4) > 0) || len(want) == 0 {
			at, _ := slices.BinarySearch(want, v)
			want = slices.Insert(want, at, v)
			o.add(v)
		} else {
			if rng.IntN(8) > 0 {
				v = want[rng.IntN(len(want))]
			}
			at, found := slices.BinarySearch(want, v)
			if found {
				want = slices.Delete(want, at, at+1)
			}
			if o.remove(v) != found {
				t.Fatalf("step %d: remove %g does not say %v", step, v, found)
			}
		}
		if step%500 == 0 && !slices.Equal(want, slices.Concat(o.blocks...)) {
			t.Fatalf("step %d: it is not the same any more", step)
		}
	}
	if o.n != len(want) {
		t.Errorf("%d, want %d", o.n, len(want))
	}
	if blocks, most := len(o.blocks), 8*len(want)/maxBlock+8; blocks > most {
		t.Errorf("%d numbers in %d blocks", o.n, blocks)
	}
}

func TestQuantile(t *testing.T) {
	var o ordered
	for i := range 10 {
		o.add(float64(i + 1))
	}
	for q, want := range map[float64]float64{0: 1, 0.1: 1, 0.5: 5, 0.51: 6, 0.9: 9, 0.99: 10, 1: 10} {
		if got := o.quantile(q); got != want {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
}

func TestTotalForgets(t *testing.T) {
	var sum total
	for _, v := range []float64{1e16, 1, 3.14, 1e-9} {
		sum.add(v)
	}
	sum.add(-1e16)
	if got, want := sum.value(), 1+3.14+1e-9; math.Abs(got-want) > 1e-12 {
		t.Errorf("%g, want %g: the large one that went away has taken others along", got, want)
	}
}

func TestBaseValue(t *testing.T) {
	v := 3.0
	for unit, want := range map[string]struct {
		value float64
		unit  string
	}{
		"": {3, ""}, "s": {3, "s"}, "ms": {0.003, "s"}, "us": {3e-6, "s"}, "B": {3, "B"}, "KB": {3072, "B"}, "MB": {3 << 20, "B"}, "GiB": {3 << 30, "B"},
		"%": {3, "%"}, "c": {3, "c"}, "rpm": {3, "rpm"},
	} {
		value, base, good := baseValue(fettle.Perf{Label: "l", Value: &v, Unit: unit})
		if !good || math.Abs(value-want.value) > 1e-18 || base != want.unit {
			t.Errorf("3%s is %g %q, want %g %q", unit, value, base, want.value, want.unit)
		}
	}
	huge := math.MaxFloat64
	for name, p := range map[string]fettle.Perf{"U": {Label: "l"}, "too large": {Label: "l", Value: &huge, Unit: "TB"}, "a long label": {Label: string(make([]byte, 300)), Value: &v}} {
		if _, _, good := baseValue(p); good {
			t.Errorf("%s is taken", name)
		}
	}
}

// foldPlainly folds the perfdata of a board as one would who has time: of the nodes in a part of a cut, or of all.
func foldPlainly(s *sheet, c *cut, part string) map[perfKey][]float64 {
	all := map[perfKey][]float64{}
	for node, one := range s.cells {
		if c != nil && c.parts[node] != part {
			continue
		}
		for _, p := range one.state.Perfdata {
			if value, unit, good := baseValue(p); good && one.raw.speaks() {
				all[perfKey{p.Label, unit}] = append(all[perfKey{p.Label, unit}], value)
			}
		}
	}
	return all
}

func TestPerfdataIsThatOfTheStates(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	check := fettle.Check{Name: "c", Interval: 60_000}
	b := NewBoard()
	b.Define(check, Thresholds{}, 0)
	spec := CutSpec{"facts.f", "facts.customer"}
	b.PutCut(spec, nil)
	now := fettle.Millis(0)
	for step := range 4000 {
		now += fettle.Millis(rng.IntN(400))
		node := fettle.NodeID(fmt.Sprintf("n%d", rng.IntN(40)))
		switch rng.IntN(13) {
		case 0:
			b.Forget(node, now)
		case 12:
			b.PutPart(spec, node, []string{"", UndefinedPart, "acme", "globex"}[rng.IntN(4)])
		case 1:
			b.SetSilent(node, rng.IntN(2) == 0, now)
		case 2:
			noFault(t, b.Put("c", node, []Place{Outside, Undefined, Member}[rng.IntN(3)], now))
		case 3:
			b.Define(check, Thresholds{}, now)
		default:
			noFault(t, b.Put("c", node, Member, now))
			r := result(check, node, []string{"ok", "warning", "critical"}[rng.IntN(3)])
			for _, label := range []string{"a", "b", "c", "d"}[:rng.IntN(5)] {
				v := math.Round(rng.Float64() * 20)
				p := fettle.Perf{Label: label, Value: &v, Unit: []string{"", "ms", "MB", "%"}[rng.IntN(4)]}
				if rng.IntN(9) == 0 {
					p.Value = nil
				}
				r.Output.Perfdata = append(r.Output.Perfdata, p)
			}
			b.Take(r, Order{"s", int64(step + 1)}, now)
		}
		if step%20 > 0 {
			continue
		}
		sums, dropped, err := b.Perfdata("c", 1000, now)
		if err != nil || dropped != 0 {
			t.Fatal(dropped, err)
		}
		samePerf(t, fmt.Sprintf("step %d", step), sums, foldPlainly(b.sheets["c"], nil, ""))
		for _, part := range []string{"acme", "globex"} {
			sums, _ := b.sheets["c"].perfOf(spec, part).sums(1000)
			samePerf(t, fmt.Sprintf("step %d, %s", step, part), sums, foldPlainly(b.sheets["c"], b.cuts[spec], part))
		}
	}
	b.DropCut(spec)
	if len(b.sheets["c"].perfCuts) != 0 {
		t.Error("the perfdata of a cut that is gone is kept")
	}
}

// samePerf compares what is kept with what was folded by hand.
func samePerf(t *testing.T, when string, sums []PerfSum, plainly map[perfKey][]float64) {
	t.Helper()
	got, want := map[perfKey]PerfSum{}, map[perfKey]PerfSum{}
	for _, s := range sums {
		got[perfKey{s.Label, s.Unit}] = s
	}
	for key, values := range plainly {
		slices.Sort(values)
		s := PerfSum{Label: key.label, Unit: key.unit, Nodes: len(values), Min: values[0], Max: values[len(values)-1]}
		for _, v := range values {
			s.Sum += v
		}
		at := func(q float64) float64 { return values[max(int(math.Ceil(q*float64(len(values))))-1, 0)] }
		s.P50, s.P90, s.P99 = at(0.5), at(0.9), at(0.99)
		want[key] = s
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(1e-12, 1e-12)); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", when, diff)
	}
}

func TestPerfdataOverAFilter(t *testing.T) {
	b := NewBoard()
	check := fettle.Check{Name: "load", Interval: 60_000}
	b.Define(check, Thresholds{}, 0)
	for i := range 10 {
		node := fettle.NodeID(fmt.Sprintf("n%d", i))
		noFault(t, b.Put("load", node, Member, 0))
		r, v := result(check, node, "ok"), float64(i+1)
		r.Output.Perfdata = []fettle.Perf{{Label: "load1", Value: &v}}
		b.Take(r, Order{"s", int64(i + 1)}, 1)
	}
	const db = fettle.Filter("facts.role == 'db'")
	b.PutCut(CutSpec{db, ""}, map[fettle.NodeID]string{"n0": InPart, "n4": InPart, "n9": UndefinedPart})
	b.PutCut(CutSpec{db, "facts.customer"}, map[fettle.NodeID]string{"n0": "acme", "n4": "globex", "n9": UndefinedPart})
	member := []fettle.GroupMember{{Check: "load", Filter: db}}
	b.DefineGroup(GroupDef{Group: fettle.Group{Name: "dbs", Members: member, By: "facts.customer"}, Rules: make([]*Thresholds, 1)}, 1)
	b.DefineGroup(GroupDef{Group: fettle.Group{Name: "both", Members: append(member, fettle.GroupMember{Check: "load"})}, Rules: make([]*Thresholds, 2)}, 1)
	for name, q := range map[string]Question{"a check over a filter": {Name: "load", Where: db}, "a group that is a check": {Name: "dbs", By: NoBy}} {
		v, err := b.Ask(q, 2)
		if want := []fettle.PerfFold{{Label: "load1", Nodes: 2, Sum: 6, Avg: 3, Min: 1, Max: 5}}; err != nil || !cmp.Equal(v.Perf, want) {
			t.Errorf("%s: %v %+v", name, err, v.Perf)
		}
	}
	got := map[string]float64{}
	for _, n := range b.NamedVerdicts(2) {
		for _, p := range n.Perf {
			got[n.Name] = p.Max
		}
	}
	if want := map[string]float64{"load": 10, "dbs": 5, "dbs: acme": 1, "dbs: globex": 5}; !cmp.Equal(got, want) {
		t.Errorf("the greatest value of each verdict is %v, want %v", got, want)
	}
}

func TestPerfdataIsBounded(t *testing.T) {
	check := fettle.Check{Name: "c", Interval: 60_000}
	b := NewBoard()
	b.Define(check, Thresholds{}, minute)
	one := 1.0
	for i := range 100 {
		node := fettle.NodeID(fmt.Sprintf("n%d", i))
		noFault(t, b.Put("c", node, Member, minute))
		r := result(check, node, "ok")
		r.Output.Perfdata = []fettle.Perf{{Label: "same", Value: &one}, {Label: fmt.Sprintf("pid %d", i), Value: &one}}
		b.Take(r, Order{"s", 1}, minute)
	}
	sums, dropped, err := b.Perfdata("c", MaxLabels, minute)
	want := PerfSum{Label: "same", Nodes: 100, Sum: 100, Min: 1, Max: 1, P50: 1, P90: 1, P99: 1}
	if err != nil || len(sums) != MaxLabels || dropped != 101-MaxLabels || sums[0] != want {
		t.Errorf("%d sums, %d dropped, first %+v, %v", len(sums), dropped, sums[0], err)
	}
	t.Run("a plugin that invents labels without end is held to a number, and forgotten with its node", func(t *testing.T) {
		r := result(check, "n0", "ok")
		for i := range maxPerfLabels + 10 {
			r.Output.Perfdata = append(r.Output.Perfdata, fettle.Perf{Label: fmt.Sprint(i), Value: &one})
		}
		b.Take(r, Order{"s", 2}, minute)
		if _, dropped, _ := b.Perfdata("c", MaxLabels, minute); len(b.sheets["c"].perf.series) != maxPerfLabels || dropped < maxPerfLabels-MaxLabels+100 {
			t.Errorf("%d series, %d dropped", len(b.sheets["c"].perf.series), dropped)
		}
		b.Forget("n0", minute)
		if p := b.sheets["c"].perf; len(p.series) != 100 || p.over != 0 {
			t.Errorf("%d series are left, %d beside", len(p.series), p.over)
		}
	})
}

// scraped makes a board of checks verdicts over nodes in all, each with four values of perfdata.
func scraped(b *testing.B, verdicts, nodes int) *Board {
	b.Helper()
	board := NewBoard()
	rng := rand.New(rand.NewPCG(1, 2))
	for c := range verdicts {
		check := fettle.Check{Name: fmt.Sprintf("check_%03d", c), Interval: 60_000, Attempts: 1}
		board.Define(check, Thresholds{}, 0)
		for n := c % (verdicts / 20); n < nodes; n += verdicts / 20 { // twenty checks on each node
			node := fettle.NodeID(fmt.Sprintf("n%06d", n))
			noFault(b, board.Put(check.Name, node, Member, 0))
			takeLoad(board, check, node, 1, rng)
		}
	}
	return board
}

func takeLoad(board *Board, check fettle.Check, node fettle.NodeID, seq int64, rng *rand.Rand) {
	r := result(check, node, []string{"ok", "ok", "ok", "warning"}[rng.IntN(4)])
	for i, unit := range []string{"", "ms", "MB", "%"} {
		v := rng.ExpFloat64() * 10
		r.Output.Perfdata = append(r.Output.Perfdata, fettle.Perf{Label: []string{"load1", "time", "free", "used"}[i], Value: &v, Unit: unit})
	}
	board.Take(r, Order{"s", seq}, minute)
}

type sink int

func (s *sink) Write(p []byte) (int, error) { *s += sink(len(p)); return len(p), nil }

// BenchmarkScrape100kNodes200Verdicts gathers and writes a page of 200 verdicts, each over 10,000 of 100,000 nodes, between 1,000 results.
func BenchmarkScrape100kNodes200Verdicts(b *testing.B) {
	board := scraped(b, 200, 100_000)
	registry := prometheus.NewRegistry()
	registry.MustRegister(NewCollector(func() []NamedVerdict { return board.NamedVerdicts(minute) }, nil))
	rng := rand.New(rand.NewPCG(5, 6))
	seq := int64(1)
	size := sink(0)
	for b.Loop() {
		b.StopTimer()
		for range 1000 {
			seq++
			name := board.Names()[rng.IntN(200)]
			check, _ := board.Check(name)
			takeLoad(board, check, fettle.NodeID(fmt.Sprintf("n%06d", rng.IntN(100_000))), seq, rng)
		}
		size = 0
		b.StartTimer()
		families, err := registry.Gather()
		noFault(b, err)
		encoder := expfmt.NewEncoder(&size, expfmt.NewFormat(expfmt.TypeTextPlain))
		for _, f := range families {
			noFault(b, encoder.Encode(f))
		}
	}
	b.ReportMetric(float64(size), "bytes/page")
}
