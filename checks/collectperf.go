package checks

import "github.com/prometheus/client_golang/prometheus"

// perfDescs are the families of folded perfdata. What has a unit of its own in Prometheus stands in a family that has it in its name.
type perfDescs struct {
	nodes, seconds, bytes, ratio, other *prometheus.Desc
}

func newPerfDescs(desc func(name, help string, more ...string) *prometheus.Desc) perfDescs {
	folded := func(what string) string {
		return what + " folded over the nodes: their sum, min, max and avg, and the p50, p90 and p99 by nearest rank."
	}
	return perfDescs{
		nodes:   desc("perfdata_nodes", "Nodes that have this perfdata.", "label", "unit"),
		seconds: desc("perfdata_seconds", folded("Perfdata that is a time,"), "label", "fold"),
		bytes:   desc("perfdata_bytes", folded("Perfdata that is a size,"), "label", "fold"),
		ratio:   desc("perfdata_ratio", folded("Perfdata in percent, as a part of one,"), "label", "fold"),
		other:   desc("perfdata", folded("Perfdata without a unit, or in one of the plugin's,"), "label", "unit", "fold"),
	}
}

func (d perfDescs) describe(out chan<- *prometheus.Desc) {
	for _, one := range []*prometheus.Desc{d.nodes, d.seconds, d.bytes, d.ratio, d.other} {
		out <- one
	}
}

// perfSeriesEach is how many series one label of perfdata makes.
const perfSeriesEach = 8

// collect gives the perfdata of a verdict, in at most room series, and says of how many labels, and in how many series.
func (d perfDescs) collect(n NamedVerdict, room int, out chan<- prometheus.Metric) (given, series int) {
	given = min(len(n.Perf), MaxLabels, room/perfSeriesEach)
	for _, p := range n.Perf[:given] {
		desc, factor, unit := d.family(p.Unit)
		labels := []string{n.Verdict.Check, n.Name, p.Label}
		send(out, d.nodes, float64(p.Nodes), append(labels[:3:3], unit)...)
		if desc == d.other {
			labels = append(labels, p.Unit)
		}
		for _, f := range []struct {
			fold  string
			value float64
		}{{"sum", p.Sum}, {"min", p.Min}, {"max", p.Max}, {"avg", p.Avg()}, {"p50", p.P50}, {"p90", p.P90}, {"p99", p.P99}} {
			send(out, desc, f.value*factor, append(labels[:len(labels):len(labels)], f.fold)...)
		}
	}
	return given, given * perfSeriesEach
}

// family gives where perfdata of a unit stands, by how much it is multiplied there, and how the unit is called.
func (d perfDescs) family(unit string) (desc *prometheus.Desc, factor float64, name string) {
	switch unit {
	case "s":
		return d.seconds, 1, "seconds"
	case "B":
		return d.bytes, 1, "bytes"
	case "%":
		return d.ratio, 0.01, "ratio"
	}
	return d.other, 1, unit
}
