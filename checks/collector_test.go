package checks

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"

	fettle "github.com/fettle-dev/fettle"
)

// page gathers a collector, and gives the series of the families that begin with one of names.
func page(t *testing.T, c *Collector, names ...string) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if small := len(families) > 0 && len(families[0].Metric) < 100; small { // the linter compares each series with each
		if problems, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(problems) > 0 {
			t.Errorf("lint: %v, %v", problems, err)
		}
	}
	var text strings.Builder
	for _, family := range families {
		if slices.Contains(names, family.GetName()) {
			if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
				t.Fatal(err)
			}
		}
	}
	return strings.TrimSpace(text.String())
}

func TestCollector(t *testing.T) {
	check := fettle.Check{Name: "check_load", Interval: 60_000}
	b := NewBoard()
	b.Define(check, Thresholds{}, minute)
	noFault(t, b.PutAll("check_load", []fettle.NodeID{"n1", "n2", "n3"}, nil, minute))
	for i, v := range []float64{1, 4} {
		r := result(check, fettle.NodeID(fmt.Sprintf("n%d", i+1)), "ok")
		took := 500 * v
		r.Output.Perfdata = []fettle.Perf{{Label: "load1", Value: &v}, {Label: "u"}, {Label: "time", Value: &took, Unit: "ms"}, {Label: "used", Value: &v, Unit: "%"}}
		b.Take(r, Order{"s", 1}, minute)
	}
	b.SetSilent("n3", true, minute)
	c := NewCollector(func() []NamedVerdict { return b.NamedVerdicts(minute) }, nil)
	want := `
# HELP fettle_verdict_nodes Nodes, or members of a group, in each state; their sum is the total.
# TYPE fettle_verdict_nodes gauge
fettle_verdict_nodes{check="check_load",state="critical",verdict="check_load"} 0
fettle_verdict_nodes{check="check_load",state="ok",verdict="check_load"} 2
fettle_verdict_nodes{check="check_load",state="shadowed",verdict="check_load"} 0
fettle_verdict_nodes{check="check_load",state="silenced",verdict="check_load"} 0
fettle_verdict_nodes{check="check_load",state="unknown",verdict="check_load"} 1
fettle_verdict_nodes{check="check_load",state="warning",verdict="check_load"} 0
# HELP fettle_verdict_perfdata Perfdata without a unit, or in one of the plugin's, folded over the nodes: their sum, min, max and avg, and the p50, p90 and p99 by nearest rank.
# TYPE fettle_verdict_perfdata gauge
fettle_verdict_perfdata{check="check_load",fold="avg",label="load1",unit="",verdict="check_load"} 2.5
fettle_verdict_perfdata{check="check_load",fold="max",label="load1",unit="",verdict="check_load"} 4
fettle_verdict_perfdata{check="check_load",fold="min",label="load1",unit="",verdict="check_load"} 1
fettle_verdict_perfdata{check="check_load",fold="p50",label="load1",unit="",verdict="check_load"} 1
fettle_verdict_perfdata{check="check_load",fold="p90",label="load1",unit="",verdict="check_load"} 4
fettle_verdict_perfdata{check="check_load",fold="p99",label="load1",unit="",verdict="check_load"} 4
fettle_verdict_perfdata{check="check_load",fold="sum",label="load1",unit="",verdict="check_load"} 5
# HELP fettle_verdict_silent_nodes Nodes in state unknown because they do not answer.
# TYPE fettle_verdict_silent_nodes gauge
fettle_verdict_silent_nodes{check="check_load",verdict="check_load"} 1
# HELP fettle_verdict_status Status of the verdict, as Nagios counts: 0 ok, 1 warning, 2 critical, 3 unknown.
# TYPE fettle_verdict_status gauge
fettle_verdict_status{check="check_load",verdict="check_load"} 3
`
	got := page(t, c, "fettle_verdict_nodes", "fettle_verdict_perfdata", "fettle_verdict_silent_nodes", "fettle_verdict_status")
	if diff := cmp.Diff(strings.TrimSpace(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = page(t, c, "fettle_verdict_perfdata_seconds", "fettle_verdict_perfdata_ratio")
	for _, series := range []string{
		`fettle_verdict_perfdata_seconds{check="check_load",fold="sum",label="time",verdict="check_load"} 2.5`,
		`fettle_verdict_perfdata_seconds{check="check_load",fold="min",label="time",verdict="check_load"} 0.5`,
		`fettle_verdict_perfdata_ratio{check="check_load",fold="max",label="used",verdict="check_load"} 0.04`,
	} {
		if !strings.Contains(got, series+"\n") && !strings.HasSuffix(got, series) {
			t.Errorf("missing %s in\n%s", series, got)
		}
	}
}

func TestVanishedVerdicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := fettle.Verdict{Check: "disk", Status: fettle.CheckCritical, Tally: fettle.CheckTally{Total: 1, Critical: 1}}
		now := []NamedVerdict{{Name: "disk{customer=acme}", Verdict: bad}, {Name: "disk{customer=umbrella}", Verdict: bad}}
		c := NewCollector(func() []NamedVerdict { return now }, nil)
		status := func() string { return page(t, c, "fettle_verdict_status", "fettle_verdict_vanished") }
		critical := func() string { return page(t, c, "fettle_verdict_nodes") }
		status()

		now = now[:1]
		if got := status(); !strings.Contains(got, `fettle_verdict_status{check="disk",verdict="disk{customer=umbrella}"} 3`) ||
			!strings.Contains(got, `fettle_verdict_vanished{check="disk",verdict="disk{customer=umbrella}"} 1`) {
			t.Errorf("the verdict that counts nobody any more is not unknown:\n%s", got)
		}
		if got := critical(); !strings.Contains(got, `fettle_verdict_nodes{check="disk",state="critical",verdict="disk{customer=umbrella}"} 0`) {
			t.Errorf("its nodes are not zero:\n%s", got)
		}
		<-time.After(vanishedFor + time.Minute) // of the bubble
		if got := status(); strings.Contains(got, "umbrella") || !strings.Contains(got, "acme") {
			t.Errorf("after a day:\n%s", got)
		}
		now = append(now, NamedVerdict{Name: "load", Verdict: fettle.Verdict{Check: "load", Status: fettle.CheckOK}})
		status()
		now = now[1:]
		if got := status(); strings.Contains(got, `check="disk"`) {
			t.Errorf("the series of a check that was deleted did not end:\n%s", got)
		}
	})
}

func TestPageIsBounded(t *testing.T) {
	var now []NamedVerdict
	for i := range MaxVerdicts + 7 {
		n := NamedVerdict{Name: fmt.Sprintf("c%04d", i), Verdict: fettle.Verdict{Check: fmt.Sprintf("c%04d", i)}}
		for k := range 10 {
			n.Perf = append(n.Perf, PerfSum{Label: fmt.Sprint(k), Nodes: 1})
		}
		now = append(now, n)
	}
	var told []LeftOut
	c := NewCollector(func() []NamedVerdict { return now }, func(l LeftOut) { told = append(told, l) })
	for range 2 {
		text := page(t, c, "fettle_verdict_status", "fettle_verdict_perfdata", "fettle_verdict_perfdata_nodes", "fettle_verdicts_dropped", "fettle_verdict_perfdata_dropped")
		if n := strings.Count(text, "\nfettle_verdict_status{"); n != MaxVerdicts {
			t.Errorf("%d verdicts", n)
		}
		if n := strings.Count(text, "\nfettle_verdict_perfdata{") + strings.Count(text, "\nfettle_verdict_perfdata_nodes{"); n != MaxSeries {
			t.Errorf("%d series of perfdata", n)
		}
		for _, series := range []string{"fettle_verdicts_dropped 7", `fettle_verdict_perfdata_dropped{check="c0999",verdict="c0999"} 10`} {
			if !strings.Contains(text, series) {
				t.Errorf("it does not say %s", series)
			}
		}
	}
	want := []LeftOut{{Verdicts: 7, Labels: 10*MaxVerdicts - MaxSeries/perfSeriesEach}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("told once (-want +got):\n%s", diff)
	}
	now = now[:1]
	page(t, c)
	if diff := cmp.Diff(append(want, LeftOut{}), told); diff != "" {
		t.Errorf("told that there is room again (-want +got):\n%s", diff)
	}
}

// TestMetricsOfALabelThatIsNotText: a plugin may write what it likes.
func TestMetricsOfALabelThatIsNotText(t *testing.T) {
	now := []NamedVerdict{{Name: "c", Verdict: fettle.Verdict{Check: "c"}, Perf: []PerfSum{{Label: "\xff", Nodes: 1}, {Label: "good", Nodes: 1}}}}
	c := NewCollector(func() []NamedVerdict { return now }, nil)
	if got := page(t, c, "fettle_verdict_perfdata_nodes"); strings.Count(got, "\nfettle_verdict_perfdata_nodes{") != 1 || !strings.Contains(got, "good") {
		t.Error(got)
	}
}
