package main

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

// maxCell is how many runes of an output stand in a cell of a table; wide and csv have all of it.
const maxCell = 60

// resultRows is a run as a table: a row for each node of the roster, those without a result too, and a column for each output that some node has.
func (a *app) resultRows(manifest plugins.Action, seen *seenRun) listing {
	outputs, check := columnsOf(manifest, seen.results, a.output == "table")
	raw := a.output == "csv"
	l := listing{columns: []string{"NODE", "STATUS", "TOOK_MS"}, object: seen.results}
	if !raw {
		l.columns[2] = "+TOOK"
	}
	if check {
		l.columns = append(l.columns, "CODE")
	}
	for _, o := range outputs {
		l.columns = append(l.columns, columnName(o, raw))
	}
	l.columns = append(l.columns, "MESSAGE")
	for _, res := range seen.results {
		row := []string{string(res.Node), strconv.Itoa(int(res.Status)), strconv.FormatInt(res.TookMs, 10)}
		if !raw {
			row[1], row[2] = res.Status.String(), span(res.TookMs)
		}
		if check {
			row = append(row, codeOf(res))
		}
		data := dataOf(res)
		for _, o := range outputs {
			row = append(row, a.cell(o, data[o.Name]))
		}
		l.rows = append(l.rows, append(row, res.Message))
		l.names = append(l.names, string(res.Node))
		l.lines = append(l.lines, res)
	}
	for _, g := range seen.missing {
		for _, node := range g.nodes {
			row := make([]string, len(l.columns))
			row[0], row[len(row)-1] = string(node), g.text
			if !raw { // its column is a number of the protocol, and whoever is silent gave none
				row[1], _, _ = strings.Cut(g.text, ":")
			}
			l.rows = append(l.rows, row)
		}
	}
	return l
}

// columnsOf gives the outputs that some result has, in the order of the manifest, and whether there are results of check commands. narrow leaves out
// what no cell can hold, and what differs by nature.
func columnsOf(manifest plugins.Action, results []client.ResultItem, narrow bool) (outputs []plugins.Output, check bool) {
	there := map[string]any{}
	for _, res := range results {
		check = check || res.Output != nil
		for name, value := range dataOf(res) {
			if value != nil && !(narrow && (name == "time" || composite(value))) {
				there[name] = value
			}
		}
	}
	if check {
		delete(there, "code")
		delete(there, "output") // the message
	}
	outputs = outputsOf(manifest, there)
	return slices.DeleteFunc(outputs, func(o plugins.Output) bool { return there[o.Name] == nil }), check
}

// composite tells whether a value is an object, or a list of them.
func composite(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		return true
	case []any:
		return slices.ContainsFunc(v, composite)
	}
	return false
}

func codeOf(res client.ResultItem) string {
	if res.Output == nil {
		return ""
	}
	return strings.ToUpper(string(res.Output.Code.Status()))
}

// columnName is what a column is called: by programs as the output is, by people with its unit.
func columnName(o plugins.Output, raw bool) string {
	switch {
	case raw:
		return o.Name
	case o.Unit == "" || o.Unit == "bytes":
		return strings.ToUpper(o.Label())
	}
	return strings.ToUpper(o.Label()) + " " + o.Unit
}

// cell writes a value for a table, or whole for programs.
func (a *app) cell(o plugins.Output, value any) string {
	if n, is := value.(json.Number); is && a.output != "csv" && o.Unit == "bytes" {
		return withUnit(n, o.Unit)
	}
	text := flatText(value)
	if a.output == "csv" {
		if s, is := value.(string); is {
			return s
		}
		return text
	}
	text = strings.TrimSpace(text)
	if runes := []rune(text); a.output == "table" && len(runes) > maxCell {
		return string(runes[:maxCell-1]) + "…"
	}
	return text
}

// answered puts the results in the order of their nodes.
func answered(results []client.ResultItem) {
	slices.SortFunc(results, func(x, y client.ResultItem) int { return strings.Compare(string(x.Node), string(y.Node)) })
}

// nodesOf gives the nodes of groups of one rank.
func nodesOf(groups []*gathered, rank int) []fettle.NodeID {
	out := []fettle.NodeID{}
	for _, g := range groups {
		if g.rank == rank {
			out = append(out, g.nodes...)
		}
	}
	slices.Sort(out)
	return out
}
