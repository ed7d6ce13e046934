package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

// runObject is a run as -o json prints it.
type runObject struct {
	Run       fettle.RunID        `json:"run"`
	Action    string              `json:"action"`
	Tally     fettle.Tally        `json:"tally"`
	Undefined int64               `json:"undefined"`
	TookMS    int64               `json:"took_ms"`
	Silent    []fettle.NodeID     `json:"silent"` // without a result: silent and never
	Results   []client.ResultItem `json:"results"`
}

// tallyLine is the last line of -o jsonl.
type tallyLine struct {
	Run       fettle.RunID    `json:"run"`
	Action    string          `json:"action"`
	Tally     fettle.Tally    `json:"tally"`
	Undefined int64           `json:"undefined"`
	TookMS    int64           `json:"took_ms"`
	Silent    []fettle.NodeID `json:"silent"`
}

func (a *app) printRun(ctx context.Context, c *client.API, seen *seenRun) error {
	silent := []fettle.NodeID{}
	if seen.run.Tally.Silent+seen.run.Tally.Never > 0 {
		var err error
		if silent, err = c.UnansweredAll(ctx, seen.run.Run); err != nil {
			return err
		}
	}
	r := &seen.run
	slices.SortFunc(seen.results, func(x, y client.ResultItem) int { return cmp.Compare(x.Node, y.Node) })
	switch a.output {
	case "json":
		return printJSON(a.stdout, runObject{r.Run, r.Action, r.Tally, r.Undefined, r.TookMs, silent, seen.results})
	case "yaml":
		return printYAML(a.stdout, runObject{r.Run, r.Action, r.Tally, r.Undefined, r.TookMs, silent, seen.results})
	case "jsonl":
		return printLine(a.stdout, tallyLine{r.Run, r.Action, r.Tally, r.Undefined, r.TookMs, silent})
	case "csv", "names", "wide":
		return a.listResults(seen.results)
	}
	a.gather(seen.results)
	if len(silent) > 0 {
		fmt.Fprintf(a.stdout, "%s %s (%d)\n", a.paint(red, "no answer"), nagios.Fold(silent), len(silent))
	}
	fmt.Fprintln(a.stdout, a.tally(r))
	return nil
}

func (a *app) listResults(results []client.ResultItem) error {
	l := listing{columns: []string{"NODE", "STATUS", "TOOK_MS", "MESSAGE", "+DATA"}}
	for _, res := range results {
		l.rows = append(l.rows, []string{string(res.Node), strconv.Itoa(int(res.Status)), strconv.FormatInt(res.TookMs, 10), message(res), string(res.Data)})
	}
	return l.write(a)
}

// group is nodes that gave the same answer.
type group struct {
	rank  int // 0: the task failed; then as its check output says; rankFine: all well
	text  string
	nodes []fettle.NodeID
}

const rankFine = 4

// manyAnswers is from how many different answers on successes are summed up: a person looks for what is wrong.
const manyAnswers = 12

// gather prints what nodes answered, failures first and in full: nodes with the same answer stand under one folded name.
func (a *app) gather(results []client.ResultItem) {
	groups := map[string]*group{}
	for _, res := range results {
		text := answerText(res)
		key := strconv.Itoa(rankOf(res)) + "\x00" + text
		if groups[key] == nil {
			groups[key] = &group{rank: rankOf(res), text: text}
		}
		groups[key].nodes = append(groups[key].nodes, res.Node)
	}
	ordered := slices.SortedFunc(maps.Values(groups), func(x, y *group) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(len(x.nodes), len(y.nodes)), cmp.Compare(x.nodes[0], y.nodes[0]))
	})
	fine := slices.IndexFunc(ordered, func(g *group) bool { return g.rank == rankFine })
	if fine >= 0 && len(ordered)-fine > manyAnswers {
		sum := &group{rank: rankFine, text: fmt.Sprintf("OK, with %d different answers; -o wide lists them", len(ordered)-fine)}
		for _, g := range ordered[fine:] {
			sum.nodes = append(sum.nodes, g.nodes...)
		}
		slices.Sort(sum.nodes)
		ordered = append(ordered[:fine], sum)
	}
	for _, g := range ordered {
		a.printGroup(g)
	}
}

func (a *app) printGroup(g *group) {
	colour := red
	if g.rank == rankFine {
		colour = green
	}
	head := nagios.Fold(g.nodes)
	if len(g.nodes) > 1 {
		head += fmt.Sprintf(" (%d)", len(g.nodes))
	}
	fmt.Fprintln(a.stdout, a.paint(colour, head))
	for line := range strings.SplitSeq(strings.TrimRight(g.text, "\n"), "\n") {
		fmt.Fprintf(a.stdout, "  %s\n", clean(line))
	}
}

// rankOf orders answers by how much they want to be seen.
func rankOf(res client.ResultItem) int {
	switch {
	case res.Status != fettle.StatusOK:
		return 0
	case res.Output == nil:
		return rankFine
	}
	switch res.Output.Code.Status() {
	case fettle.CheckOK:
		return rankFine
	case fettle.CheckCritical:
		return 1
	case fettle.CheckUnknown:
		return 2
	}
	return 3
}

// answerText is what a node's answer says, without what differs by nature from node to node.
func answerText(res client.ResultItem) string {
	text := message(res)
	if res.Output != nil && res.Output.Long != "" {
		text += "\n" + res.Output.Long
	}
	var data map[string]any
	if res.Output == nil && json.Unmarshal(res.Data, &data) == nil {
		for _, key := range slices.Sorted(maps.Keys(data)) {
			if res.Status == fettle.StatusOK && key == "time" {
				continue
			}
			text += fmt.Sprintf("\n%s: %v", key, data[key])
		}
	}
	return text
}

func message(res client.ResultItem) string {
	switch {
	case res.Output != nil:
		return strings.ToUpper(string(res.Output.Code.Status())) + ": " + res.Output.Line
	case res.Status == fettle.StatusOK:
		return cmp.Or(res.Message, "OK")
	case res.Message == "":
		return res.Status.String()
	}
	return fmt.Sprintf("%s: %s", res.Status, res.Message)
}

// tally is the closing line: numbers that add up to the roster.
func (a *app) tally(r *client.RunSummary) string {
	t := r.Tally
	parts := []string{a.paint(green, fmt.Sprintf("%d ok", t.OK))}
	bad := func(n int, word string) {
		text := fmt.Sprintf("%d %s", n, word)
		if n > 0 {
			text = a.paint(red, text)
		}
		parts = append(parts, text)
	}
	bad(t.Failed, "failed")
	bad(t.Silent, "silent")
	bad(t.Never, "never")
	if t.Pending > 0 {
		bad(t.Pending, "pending")
	}
	line := fmt.Sprintf("%s: %s of %d in %s", r.Action, strings.Join(parts, ", "), t.Roster, span(r.TookMs))
	if r.Undefined > 0 {
		line += fmt.Sprintf("; %d undefined, left out", r.Undefined)
	}
	return line
}

func span(ms int64) string {
	if ms < 1000 {
		return strconv.FormatInt(ms, 10) + " ms"
	}
	return strconv.FormatFloat(float64(ms)/1000, 'f', 2, 64) + " s"
}

// readInputs gives name=value words the types that the action's manifest declares; of an action that this program does not know, text.
func readInputs(action string, words []string) (map[string]any, error) {
	manifest, err := plugins.Lookup(action)
	if err != nil {
		inputs := map[string]any{}
		for _, word := range words {
			name, value, ok := strings.Cut(word, "=")
			if !ok || name == "" {
				return nil, fmt.Errorf("%q ought to be name=value; nodes are chosen by flags: %w", word, fettle.ErrInvalid)
			}
			inputs[name] = value
		}
		return inputs, nil
	}
	return plugins.ParseInputs(manifest, words)
}

func inputsText(inputs map[string]any) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(inputs)) {
		fmt.Fprintf(&b, " %s=%v", key, inputs[key])
	}
	return b.String()
}
