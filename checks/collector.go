package checks

import (
	"github.com/prometheus/client_golang/prometheus"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of what is given to Prometheus, so that no plugin and no user can make a page that it will not take.
const (
	MaxVerdicts = 1000 // verdicts on a page
	MaxLabels   = 32   // labels of perfdata in each
)

// NamedVerdict is a verdict as Prometheus is told of it.
type NamedVerdict struct {
	Name    string // of the verdict; a check that is asked about all its nodes gives its own name
	Verdict fettle.Verdict
	Perf    []PerfSum
	Dropped int // labels of perfdata that were left out
}

// NamedVerdicts gives the verdicts of all checks, each under the check's name.
func (b *Board) NamedVerdicts(now fettle.Millis) []NamedVerdict {
	var out []NamedVerdict
	for _, name := range b.Names() {
		v, err := b.Verdict(name, now)
		if err != nil {
			continue // it has just been removed
		}
		n := NamedVerdict{Name: name, Verdict: v}
		n.Perf, n.Dropped, _ = b.Perfdata(name, MaxLabels, now)
		out = append(out, n)
	}
	return out
}

// Collector tells Prometheus of verdicts. It is a prometheus.Collector.
type Collector struct {
	verdicts func() []NamedVerdict
	status, nodes, silent, stale, undefined, settling,
	perfNodes, perf, dropped *prometheus.Desc
}

// NewCollector gives a collector that asks verdicts at each scrape: a function that is safe for concurrent use and gives no name twice. What is
// beyond MaxVerdicts is left out.
func NewCollector(verdicts func() []NamedVerdict) *Collector {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("fettle_verdict_"+name, help, append([]string{"check", "verdict"}, more...), nil)
	}
	return &Collector{
		verdicts:  verdicts,
		status:    desc("status", "Status of the verdict, as Nagios counts: 0 ok, 1 warning, 2 critical, 3 unknown."),
		nodes:     desc("nodes", "Nodes in each state; their sum is the total.", "state"),
		silent:    desc("silent_nodes", "Nodes in state unknown because they do not answer."),
		stale:     desc("stale_nodes", "Nodes in state unknown because their last result is too old."),
		undefined: desc("undefined_nodes", "Nodes beside the total, for which the filter is undefined."),
		settling:  desc("settling", "1 while the status is the last one of before a start of the server."),
		perfNodes: desc("perfdata_nodes", "Nodes that have this perfdata.", "label", "unit"),
		perf:      desc("perfdata", "This perfdata folded over the nodes, in the unit of its plugin: sum, min or max.", "label", "unit", "fold"),
		dropped:   desc("perfdata_dropped", "Labels of perfdata that were left out, because a verdict gives only so many."),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.status, c.nodes, c.silent, c.stale, c.undefined, c.settling, c.perfNodes, c.perf, c.dropped} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	verdicts := c.verdicts()
	for _, v := range verdicts[:min(len(verdicts), MaxVerdicts)] {
		c.collect(v, out)
	}
}

func (c *Collector) collect(n NamedVerdict, out chan<- prometheus.Metric) {
	give := func(d *prometheus.Desc, v float64, more ...string) {
		m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, v, append([]string{n.Verdict.Check, n.Name}, more...)...)
		if err == nil { // else a label is not UTF-8: it costs itself, not the page
			out <- m
		}
	}
	t := n.Verdict.Tally
	give(c.status, float64(n.Verdict.Status.Code()))
	give(c.nodes, float64(t.OK), string(fettle.CheckOK))
	give(c.nodes, float64(t.Warning), string(fettle.CheckWarning))
	give(c.nodes, float64(t.Critical), string(fettle.CheckCritical))
	give(c.nodes, float64(t.Unknown), string(fettle.CheckUnknown))
	give(c.silent, float64(t.Silent))
	give(c.stale, float64(t.Stale))
	give(c.undefined, float64(t.Undefined))
	settling := 0.0
	if n.Verdict.Settling {
		settling = 1
	}
	give(c.settling, settling)
	for _, p := range n.Perf[:min(len(n.Perf), MaxLabels)] {
		give(c.perfNodes, float64(p.Nodes), p.Label, p.Unit)
		give(c.perf, p.Sum, p.Label, p.Unit, "sum")
		give(c.perf, p.Min, p.Label, p.Unit, "min")
		give(c.perf, p.Max, p.Label, p.Unit, "max")
	}
	give(c.dropped, float64(n.Dropped))
}
