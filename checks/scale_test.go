package checks

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

// BenchmarkVerdicts100kNodes20Checks reads verdicts of 2,000,000 states, one in a hundred of them bad, each after a result of that check has come,
// so that nothing that was read before can be given again.
func BenchmarkVerdicts100kNodes20Checks(b *testing.B) {
	const nodes, kinds = 100_000, 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	board, rng, seq := NewBoard(), rand.New(rand.NewPCG(1, 2)), int64(0)
	ids := make([]fettle.NodeID, nodes)
	customers := make(map[fettle.NodeID]string, nodes)
	for i := range ids {
		ids[i] = fettle.NodeID(fmt.Sprintf("web%06d.acme.net", i))
		customers[ids[i]] = fmt.Sprintf("customer%02d", i%40)
	}
	take := func(check fettle.Check, node fettle.NodeID) {
		r := result(check, node, "ok")
		if rng.IntN(100) == 0 {
			r = result(check, node, "critical")
		}
		v := rng.Float64()
		r.Output.Perfdata = []fettle.Perf{{Label: "load1", Value: &v}}
		seq++
		board.Take(r, Order{"s", seq}, minute)
	}
	all := fettle.Group{Name: "all", Fold: fettle.FoldWorst}
	var list []fettle.Check
	for c := range kinds {
		check := fettle.Check{Name: fmt.Sprintf("check_%02d", c), Interval: 3_600_000, Attempts: 1}
		list, all.Members = append(list, check), append(all.Members, fettle.GroupMember{Check: check.Name})
		board.Define(check, Thresholds{}, 0)
		noFault(b, board.PutAll(check.Name, ids, nil, 0))
		for _, id := range ids {
			take(check, id)
		}
	}
	board.DefineGroup(GroupDef{Group: all, Rules: make([]*Thresholds, kinds)}, minute)
	runtime.GC()
	runtime.ReadMemStats(&after)
	cut := CutSpec{By: "customer"}
	board.PutCut(cut, customers)
	for _, q := range []struct {
		name string
		Question
	}{{"check", Question{Name: "check_07"}}, {"group", Question{Name: "all"}}, {"by-customer", Question{Name: "check_07", By: "customer"}}} {
		b.Run(q.name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				take(list[7], ids[rng.IntN(nodes)])
				b.StartTimer()
				if v, err := board.Ask(q.Question, minute); err != nil || v.Tally.Total == 0 {
					b.Fatalf("%+v, %v", v.Tally, err)
				}
			}
		})
	}
	b.Run("result", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			take(list[i%kinds], ids[rng.IntN(nodes)])
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(nodes*kinds), "bytes/state")
	})
}
