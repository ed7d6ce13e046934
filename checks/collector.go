package checks

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of what is given to Prometheus, so that no plugin and no user can make a page that it will not take.
const (
	MaxVerdicts = 1000   // verdicts on a page
	MaxLabels   = 32     // labels of perfdata in each
	MaxSeries   = 50_000 // series of perfdata on a page
)

// NamedVerdict is a verdict as Prometheus is told of it.
type NamedVerdict struct {
	Name    string // of the verdict; a check that is asked about all its nodes gives its own name
	Verdict fettle.Verdict
	Perf    []PerfSum
	Dropped int // labels of perfdata that were left out
}

// LeftOut is what a page has no room for.
type LeftOut struct {
	Verdicts int // beyond MaxVerdicts
	Labels   int // of perfdata: beyond MaxLabels in a verdict, or beyond MaxSeries on the page
}

// Collector tells Prometheus of verdicts. It is a prometheus.Collector, and safe for concurrent use.
type Collector struct {
	verdicts func() []NamedVerdict
	leftOut  func(LeftOut) // told when it changes; nil: nobody

	status, nodes, silent, stale, undefined, flapping, settling, gone, dropped, droppedVerdicts *prometheus.Desc
	perf                                                                                        perfDescs

	mu   sync.Mutex
	past pastVerdicts // guarded by mu
	last LeftOut      // guarded by mu
}

// NewCollector gives a collector that asks verdicts at each scrape: a function that is safe for concurrent use and gives no name twice. What is
// beyond the bounds is left out, and leftOut told of it when that changes; it must not block.
func NewCollector(verdicts func() []NamedVerdict, leftOut func(LeftOut)) *Collector {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("fettle_verdict_"+name, help, append([]string{"check", "verdict"}, more...), nil)
	}
	return &Collector{
		verdicts: verdicts, leftOut: leftOut, past: pastVerdicts{},
		status:    desc("status", "Status of the verdict, as Nagios counts: 0 ok, 1 warning, 2 critical, 3 unknown."),
		nodes:     desc("nodes", "Nodes, or members of a group, in each state; their sum is the total.", "state"),
		silent:    desc("silent_nodes", "Nodes in state unknown because they do not answer."),
		stale:     desc("stale_nodes", "Nodes in state unknown because their last result is too old."),
		undefined: desc("undefined_nodes", "Nodes beside the total, for which the filter is undefined."),
		flapping:  desc("flapping_nodes", "Nodes among the others whose state changes too often."),
		settling:  desc("settling", "1 while the status is the last one of before a start of the server."),
		gone:      desc("vanished", "1 when nobody is counted by this verdict any more, though its check is still defined: it stands as unknown for a day."),
		dropped:   desc("perfdata_dropped", "Labels of perfdata that were left out, because there is room for only so many."),
		droppedVerdicts: prometheus.NewDesc("fettle_verdicts_dropped", "Verdicts that were left out of the page, because there is room for only so many.",
			nil, nil),
		perf: newPerfDescs(desc),
	}
}

// Describe implements prometheus.Collector.
func (c *Collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.status, c.nodes, c.silent, c.stale, c.undefined, c.flapping, c.settling, c.gone, c.dropped, c.droppedVerdicts} {
		out <- d
	}
	c.perf.describe(out)
}

// Collect implements prometheus.Collector: the verdicts first, and then as much of their perfdata as there is room for.
func (c *Collector) Collect(out chan<- prometheus.Metric) {
	verdicts := c.verdicts()
	left := LeftOut{Verdicts: max(len(verdicts)-MaxVerdicts, 0)}
	verdicts = verdicts[:min(len(verdicts), MaxVerdicts)]
	for _, v := range verdicts {
		c.collect(v, false, out)
	}
	for _, v := range c.vanished(verdicts) {
		c.collect(v, true, out)
	}
	room := MaxSeries
	for _, v := range verdicts {
		given, series := c.perf.collect(v, room, out)
		room -= series
		dropped := v.Dropped + len(v.Perf) - given
		left.Labels += dropped
		send(out, c.dropped, float64(dropped), v.Verdict.Check, v.Name)
	}
	send(out, c.droppedVerdicts, float64(left.Verdicts))
	c.tell(left)
}

// collect gives what one verdict says.
func (c *Collector) collect(n NamedVerdict, gone bool, out chan<- prometheus.Metric) {
	give := func(d *prometheus.Desc, v float64, more ...string) {
		send(out, d, v, append([]string{n.Verdict.Check, n.Name}, more...)...)
	}
	t := n.Verdict.Tally
	give(c.status, float64(n.Verdict.Status.Code()))
	give(c.nodes, float64(t.OK), string(fettle.CheckOK))
	give(c.nodes, float64(t.Warning), string(fettle.CheckWarning))
	give(c.nodes, float64(t.Critical), string(fettle.CheckCritical))
	give(c.nodes, float64(t.Unknown), string(fettle.CheckUnknown))
	give(c.nodes, float64(t.Silenced), "silenced")
	give(c.nodes, float64(t.Shadowed), "shadowed")
	give(c.silent, float64(t.Silent))
	give(c.stale, float64(t.Stale))
	give(c.undefined, float64(t.Undefined))
	give(c.flapping, float64(t.Flapping))
	give(c.settling, truth(n.Verdict.Settling))
	give(c.gone, truth(gone))
}

// send gives one series. A label that is not UTF-8 costs itself, not the page.
func send(out chan<- prometheus.Metric, d *prometheus.Desc, v float64, labels ...string) {
	if m, err := prometheus.NewConstMetric(d, prometheus.GaugeValue, v, labels...); err == nil {
		out <- m
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// tell says what was left out, when that is another number than at the last scrape.
func (c *Collector) tell(left LeftOut) {
	c.mu.Lock()
	changed := left != c.last
	c.last = left
	c.mu.Unlock()
	if changed && c.leftOut != nil {
		c.leftOut(left)
	}
}
