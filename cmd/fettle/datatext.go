package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

// dataText writes a result's data for people: outputs in the order of the manifest, under the names that it has for people, and with their
// units. What is empty is left out, and what the message says already.
func dataText(manifest plugins.Action, res client.ResultItem) string {
	data := dataOf(res)
	var parts []part
	for _, o := range outputsOf(manifest, data) {
		if p, shown := partOf(o, data[o.Name], res); shown {
			parts = append(parts, p)
		}
	}
	if len(parts) == 1 && strings.Contains(parts[0].text, "\n") {
		return "\n" + parts[0].text // what it printed, and nothing else: it needs no name
	}
	var b strings.Builder
	for _, p := range parts {
		if strings.Contains(p.text, "\n") {
			fmt.Fprintf(&b, "\n%s:\n  %s", p.label, strings.ReplaceAll(p.text, "\n", "\n  "))
		} else {
			fmt.Fprintf(&b, "\n%s: %s", p.label, p.text)
		}
	}
	return b.String()
}

// dataOf reads a result's data, with numbers as they were sent; nil: there is none.
func dataOf(res client.ResultItem) (data map[string]any) {
	d := json.NewDecoder(bytes.NewReader(res.Data))
	d.UseNumber()
	if d.Decode(&data) != nil {
		return nil
	}
	return data
}

// part is one output, ready to be printed.
type part struct{ label, text string }

// outputsOf gives the declared outputs, and behind them those that are there all the same.
func outputsOf(manifest plugins.Action, data map[string]any) []plugins.Output {
	outputs := slices.Clone(manifest.Outputs)
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if _, declared := manifest.Output(name); !declared {
			outputs = append(outputs, plugins.Output{Name: name, Type: plugins.Any})
		}
	}
	return outputs
}

// partOf tells whether an output is worth a line, and what it says.
func partOf(o plugins.Output, value any, res client.ResultItem) (part, bool) {
	ok := res.Status == fettle.StatusOK
	if ok && o.Name == "time" || o.Name == "exitcode" {
		return part{}, false // it differs by nature, or the message says it
	}
	text := strings.TrimRight(valueText(value), "\n")
	if text == "" || text == strings.TrimSpace(res.Message) || !ok && strings.HasSuffix(res.Message, ": "+text) {
		return part{}, false
	}
	if n, is := value.(json.Number); is {
		if text == "0" && o.Name == "pid" || strings.HasPrefix(res.Message, text+" "+o.Label()) {
			return part{}, false
		}
		text = withUnit(n, o.Unit)
	}
	return part{o.Label(), text}, true
}

// withUnit writes a number as it was sent, with its unit; many bytes in the unit that fits.
func withUnit(n json.Number, unit string) string {
	if f, err := n.Float64(); err == nil && unit == "bytes" && math.Abs(f) >= 10<<10 {
		return quantity(f, unit)
	}
	return strings.TrimSpace(n.String() + " " + unit)
}

// valueText writes a value: lists of objects as a table, objects a key a line.
func valueText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		return listText(v)
	case map[string]any:
		var lines []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			lines = append(lines, key+": "+flatText(v[key]))
		}
		return strings.Join(lines, "\n")
	}
	return fmt.Sprint(value)
}

// flatText writes a value in one line.
func flatText(value any) string {
	switch value.(type) {
	case map[string]any, []any:
		raw, err := json.Marshal(value)
		if err != nil {
			return ""
		}
		return string(raw)
	case nil:
		return ""
	}
	return strings.ReplaceAll(fmt.Sprint(value), "\n", " ")
}

// maxInLine is how long a list may be that stands in one line, in bytes.
const maxInLine = 100

func listText(list []any) string {
	if len(list) == 0 {
		return ""
	}
	if first, is := list[0].(map[string]any); is {
		return tableText(first, list)
	}
	var words []string
	for _, v := range list {
		words = append(words, flatText(v))
	}
	if line := strings.Join(words, ", "); len(line) <= maxInLine {
		return line
	}
	return strings.Join(words, "\n")
}

// tableText writes objects under the keys of the first one.
func tableText(first map[string]any, list []any) string {
	keys := slices.Sorted(maps.Keys(first))
	slices.SortStableFunc(keys, func(a, b string) int { return rankOfKey(a) - rankOfKey(b) })
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(keys, "\t")))
	for _, v := range list {
		row, _ := v.(map[string]any)
		cells := make([]string, len(keys))
		for i, key := range keys {
			cells[i] = clean(flatText(row[key]))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if w.Flush() != nil {
		return ""
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	return strings.Join(lines, "\n")
}

// rankOfKey puts first what a row is called by, and last what is long.
func rankOfKey(key string) int {
	switch key {
	case "pid", "name":
		return 0
	case "command", "origin":
		return 2
	}
	return 1
}
