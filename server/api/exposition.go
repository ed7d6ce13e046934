package api

import (
	"bytes"
	"fmt"
	"strings"
)

// describe writes text, which is in the Prometheus text format without any HELP and TYPE, to page with both, and each family in one piece.
//
// VictoriaMetrics/metrics gives no such lines, or gives them through a package variable and without words; promtool and OpenMetrics parsers want them.
func describe(page *bytes.Buffer, text string) {
	lines := map[string][]string{} // by family
	var families []string          // in the order in which they come
	summaries := summariesIn(text)
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name := familyOf(sampleName(line), summaries)
		if lines[name] == nil {
			families = append(families, name)
		}
		lines[name] = append(lines[name], line)
	}
	for _, name := range families {
		kind := "gauge"
		switch {
		case summaries[name]:
			kind = "summary"
		case strings.HasSuffix(name, "_total"):
			kind = "counter"
		}
		fmt.Fprintf(page, "# HELP %s %s\n# TYPE %s %s\n", name, helpFor(name, kind), name, kind)
		for _, line := range lines[name] {
			page.WriteString(line)
			page.WriteByte('\n')
		}
	}
}

// summariesIn finds the families that have quantiles, or a sum and a count: the quantiles of an idle summary go away.
func summariesIn(text string) map[string]bool {
	found, parts := map[string]bool{}, map[string]int{}
	for line := range strings.SplitSeq(text, "\n") {
		name := sampleName(line)
		if strings.Contains(line, `quantile="`) {
			found[name] = true
		}
		if base, ok := strings.CutSuffix(name, "_sum"); ok {
			parts[base] |= 1
		}
		if base, ok := strings.CutSuffix(name, "_count"); ok {
			parts[base] |= 2
		}
	}
	for base, both := range parts {
		if both == 3 {
			found[base] = true
		}
	}
	return found
}

// sampleName gives what stands before the labels or the value.
func sampleName(line string) string {
	if end := strings.IndexAny(line, "{ "); end >= 0 {
		return line[:end]
	}
	return line
}

// familyOf gives the family of a sample: _sum and _count belong to their summary.
func familyOf(name string, summaries map[string]bool) string {
	for _, suffix := range []string{"_sum", "_count"} {
		if base, ok := strings.CutSuffix(name, suffix); ok && summaries[base] {
			return base
		}
	}
	return name
}

// helpFor makes words of a name, which says what it counts: fettle_<package>_<thing>_<unit>.
func helpFor(name, kind string) string {
	words := strings.Split(strings.TrimSuffix(strings.TrimPrefix(name, "fettle_"), "_total"), "_")
	part, thing := words[0], strings.Join(words[1:], " ")
	switch kind {
	case "counter":
		return fmt.Sprintf("Of the %s since its start: %s.", part, thing)
	case "summary":
		return fmt.Sprintf("Of the %s in the last minutes: %s.", part, thing)
	}
	return fmt.Sprintf("Of the %s now: %s.", part, thing)
}
