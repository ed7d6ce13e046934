package web

import (
	"strconv"

	"github.com/fettle-dev/fettle/server"
)

// sumRow is one summary of a run's results: a number, or bars.
type sumRow struct {
	Label, Function, Value string
	Bars                   []sumBar
}

// sumBar is a value, or a span of them, and how many nodes have it.
type sumBar struct {
	Text  string
	Count int
	Share string // of the longest, as a width
}

// summaries gives what an action's manifest wants told of all results together.
func (d *digest) summaries() (out []sumRow) {
	if d.sums == nil {
		return nil
	}
	for _, a := range d.sums.All() {
		row := sumRow{Label: a.Label, Function: string(a.Function)}
		if len(a.Bins) == 0 {
			row.Value = figure(a.Value, a.Unit)
		}
		most := 1
		for _, b := range a.Bins {
			most = max(most, b.Nodes)
		}
		for _, b := range a.Bins {
			row.Bars = append(row.Bars, sumBar{Text: binText(b, a.Unit), Count: b.Nodes, Share: percent(100 * float64(b.Nodes) / float64(most))})
		}
		out = append(out, row)
	}
	return out
}

// binText says what a bar of a histogram is about.
func binText(b server.Bin, unit string) string {
	switch {
	case b.Value != "":
		return cut(b.Value, widestFacet)
	case b.Rest > 0:
		return plural(b.Rest, "other value", "other values")
	case b.Low == nil || b.High == nil:
		return "empty"
	case *b.Low == *b.High:
		return figure(*b.Low, unit)
	}
	return figure(*b.Low, "") + " – " + figure(*b.High, unit)
}

// figure writes a number as a person reads it.
func figure(f float64, unit string) string {
	text := strconv.FormatFloat(f, 'g', 5, 64)
	if unit != "" {
		text += " " + unit
	}
	return text
}
