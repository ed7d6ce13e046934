package plugins_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fettle-dev/fettle/plugins"
)

// survey is an action that has every summary there is.
func survey() plugins.Action {
	return plugins.Action{
		Name: "survey.take", Outputs: []plugins.Output{
			{Name: "free", Type: plugins.Int, Unit: "bytes", Display: "free space"}, {Name: "version", Type: plugins.String}, {Name: "on", Type: plugins.Bool},
		},
		Summaries: []plugins.Summary{
			{Output: "free", Function: plugins.Count},
			{Output: "free", Function: plugins.Average},
			{Output: "free", Function: plugins.Sum},
			{Output: "free", Function: plugins.Min},
			{Output: "free", Function: plugins.Max},
			{Output: "version", Function: plugins.Histogram},
			{Output: "version", Function: plugins.Count},
			{Output: "on", Function: plugins.Histogram},
		},
	}
}

func TestSummariesOfManyResults(t *testing.T) {
	g := plugins.NewAggregates(survey())
	g.Add(map[string]any{"free": json.Number("10"), "version": "1.2", "on": true})
	g.Add(map[string]any{"free": 30.0, "version": "1.10", "on": false})
	g.Add(map[string]any{"free": int64(20), "version": "1.2", "on": true, "else": 1})
	g.Add(map[string]any{"free": "not a number", "version": nil})
	g.Add(nil)
	var got []string
	for _, a := range g.All() {
		text := fmt.Sprintf("%s of %s: %v %s of %d", a.Function, a.Label, a.Value, a.Unit, a.Nodes)
		for _, b := range a.Bins {
			text += fmt.Sprintf(" %s=%d", b.Value, b.Nodes)
		}
		got = append(got, text)
	}
	want := []string{
		"count of free space: 3  of 3", "average of free space: 20 bytes of 3", "sum of free space: 60 bytes of 3", "min of free space: 10 bytes of 3",
		"max of free space: 30 bytes of 3", "histogram of version: 0  of 3 1.2=2 1.10=1", "count of version: 3  of 3", "histogram of on: 0  of 3 true=2 false=1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if all := plugins.NewAggregates(survey()).All(); all != nil {
		t.Errorf("of nothing: %+v", all)
	}
}

// histogram gives the bins of one output that has these values.
func histogram(t *testing.T, kind plugins.Type, values ...any) []plugins.Bin {
	t.Helper()
	g := plugins.NewAggregates(plugins.Action{
		Outputs: []plugins.Output{{Name: "x", Type: kind}}, Summaries: []plugins.Summary{{Output: "x", Function: plugins.Histogram}},
	})
	for _, v := range values {
		g.Add(map[string]any{"x": v})
	}
	all := g.All()
	if len(all) != 1 {
		t.Fatalf("%+v", all)
	}
	return all[0].Bins
}

func TestHistograms(t *testing.T) {
	t.Run("few numbers stand for themselves, in their order", func(t *testing.T) {
		if diff := cmp.Diff([]plugins.Bin{{Value: "-1", Nodes: 1}, {Value: "0", Nodes: 2}, {Value: "2.5", Nodes: 1}}, histogram(t, plugins.Float, 0.0, 2.5, 0.0, -1.0)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("many numbers stand in spans between round numbers, and none is lost", func(t *testing.T) {
		var values []any
		for i := range 1000 {
			values = append(values, float64(i)-7)
		}
		bins := histogram(t, plugins.Int, values...)
		total := 0
		for i, b := range bins {
			total += b.Nodes
			if math.Mod(*b.Low, 200) != 0 || *b.High != *b.Low+200 || i > 0 && *b.Low != *bins[i-1].High {
				t.Errorf("bin %d: %v to %v", i, *b.Low, *b.High)
			}
		}
		if total != 1000 || len(bins) > 9 {
			t.Errorf("%d values in %d bins", total, len(bins))
		}
	})
	t.Run("of many values those that most nodes have", func(t *testing.T) {
		values := []any{"common", "common", "long " + fmt.Sprintf("%080d", 0)}
		for i := range 20 {
			values = append(values, fmt.Sprintf("v%02d", i))
		}
		bins := histogram(t, plugins.String, values...)
		if len(bins) != 9 || bins[0] != (plugins.Bin{Value: "common", Nodes: 2}) || bins[8].Rest != 14 || bins[8].Nodes != 14 {
			t.Errorf("%+v", bins)
		}
	})
}

// Whatever numbers come, each is counted once, and nothing breaks.
func FuzzHistogram(f *testing.F) {
	f.Add(0.0, 1.0, 1e-9)
	f.Add(-1e300, 1e300, 5e-324)
	f.Add(math.MaxFloat64, -math.MaxFloat64, 0.0)
	f.Add(1e300, 1e300*(1+1e-15), 0.0)
	f.Fuzz(func(t *testing.T, a, b, c float64) {
		g := plugins.NewAggregates(plugins.Action{
			Outputs: []plugins.Output{{Name: "x", Type: plugins.Float}}, Summaries: []plugins.Summary{{Output: "x", Function: plugins.Histogram}, {Output: "x", Function: plugins.Average}},
		})
		for i := range 20 {
			g.Add(map[string]any{"x": a + (b-a)*float64(i)/20 + c})
		}
		for _, s := range g.All() {
			total := 0
			for _, bin := range s.Bins {
				total += bin.Nodes
			}
			if s.Function == plugins.Histogram && total != s.Nodes || len(s.Bins) > 12 {
				t.Errorf("%d of %d values in %d bins", total, s.Nodes, len(s.Bins))
			}
		}
	})
}
