package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

// aggregate makes the summaries that an action's manifest wants, over all results that have the outputs.
func aggregate(manifest plugins.Action, results []client.ResultItem) []plugins.Aggregate {
	if len(manifest.Summaries) == 0 {
		return nil
	}
	g := plugins.NewAggregates(manifest)
	for _, res := range results {
		g.Add(dataOf(res))
	}
	return g.All()
}

// printAggregates prints summaries, those of one output together: numbers in a line, a histogram with its bars below.
func (a *app) printAggregates(all []plugins.Aggregate) {
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Output == all[0].Output {
			n++
		}
		a.printOutput(all[:n])
		all = all[n:]
	}
}

// printOutput prints the summaries of one output.
func (a *app) printOutput(all []plugins.Aggregate) {
	var numbers []string
	var bins []plugins.Bin
	for _, one := range all {
		if one.Function == plugins.Histogram {
			bins = one.Bins
			continue
		}
		numbers = append(numbers, fmt.Sprintf("%s %s", one.Function, quantity(one.Value, one.Unit)))
	}
	label := a.paint(bold, all[0].Label+":")
	if len(bins) == 1 && len(numbers) == 0 {
		fmt.Fprintf(a.stdout, "%s %s (%d)\n", label, clean(binText(bins[0], all[0].Unit)), bins[0].Nodes)
		return
	}
	fmt.Fprintln(a.stdout, strings.TrimSpace(label+" "+strings.Join(numbers, ", ")))
	if len(bins) > 1 {
		a.printBins(bins, all[0].Unit)
	}
}

// barWidth is the length of the longest bar of a histogram.
const barWidth = 40

// printBins draws a histogram.
func (a *app) printBins(bins []plugins.Bin, unit string) {
	most, width, digits := 0, 0, 0
	texts := make([]string, len(bins))
	for i, b := range bins {
		texts[i] = clean(binText(b, unit))
		most, width, digits = max(most, b.Nodes), max(width, utf8.RuneCountInString(texts[i])), max(digits, len(strconv.Itoa(b.Nodes)))
	}
	for i, b := range bins {
		bar := strings.Repeat("=", (barWidth*b.Nodes+most-1)/most)
		line := fmt.Sprintf("  %s%s  %*d  %s", texts[i], strings.Repeat(" ", width-utf8.RuneCountInString(texts[i])), digits, b.Nodes, bar)
		fmt.Fprintln(a.stdout, strings.TrimRight(line, " "))
	}
}

// binText says what the nodes of a bin have in common.
func binText(b plugins.Bin, unit string) string {
	switch {
	case b.Rest > 0:
		return fmt.Sprintf("%d others", b.Rest)
	case b.Low != nil && b.High != nil:
		return fmt.Sprintf("%s to %s", quantity(*b.Low, ""), quantity(*b.High, unit))
	case b.Value == "":
		return `""`
	case unit != "":
		if n, err := strconv.ParseFloat(b.Value, 64); err == nil {
			return quantity(n, unit)
		}
	}
	return b.Value
}

// quantity writes a number with its unit: whole numbers as they are, others with three digits or so, bytes in the unit that fits.
func quantity(v float64, unit string) string {
	if unit == "bytes" && math.Abs(v) >= 10<<10 {
		for _, larger := range []string{"KiB", "MiB", "GiB", "TiB", "PiB"} {
			if v, unit = v/1024, larger; math.Abs(v) < 1024 {
				break
			}
		}
	}
	return strings.TrimSpace(rounded(v) + " " + unit)
}

func rounded(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	digits := 3
	for _, limit := range []float64{1, 10, 100} {
		if math.Abs(v) >= limit {
			digits--
		}
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// plainSight leaves out histograms that say nothing new: where all answers are shown, a value that all nodes share stands there already.
func plainSight(all []plugins.Aggregate, shown []*gathered) []plugins.Aggregate {
	return slices.DeleteFunc(all, func(one plugins.Aggregate) bool {
		return one.Function == plugins.Histogram && len(one.Bins) == 1 && slices.ContainsFunc(shown, func(g *gathered) bool {
			return strings.Contains(g.text, one.Label+": "+one.Bins[0].Value)
		})
	})
}

// printCodes says what check commands found: that the action was done well says nothing of it.
func (a *app) printCodes(results []client.ResultItem) {
	count := map[fettle.CheckStatus]int{}
	for _, res := range results {
		if res.Output != nil {
			count[res.Output.Code.Status()]++
		}
	}
	if len(count) == 0 {
		return
	}
	var parts []string
	for _, one := range []struct {
		status fettle.CheckStatus
		colour string
	}{{fettle.CheckOK, green}, {fettle.CheckWarning, yellow}, {fettle.CheckCritical, red}, {fettle.CheckUnknown, red}} {
		text := fmt.Sprintf("%s: %d", strings.ToUpper(string(one.status)), count[one.status])
		if count[one.status] > 0 {
			text = a.paint(one.colour, text)
		}
		parts = append(parts, text)
	}
	fmt.Fprintln(a.stdout, strings.Join(parts, " "))
}
