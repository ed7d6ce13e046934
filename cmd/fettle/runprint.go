package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
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
	if r.Tally.Roster == 0 {
		a.tellEmpty(r)
		return nil
	}
	a.gather(r.Action, seen.results)
	for _, one := range seen.run.Refused {
		fmt.Fprintf(a.stdout, "%s %s (%d): %s\n", a.paint(red, "not asked"), nagios.Fold(one.Nodes), one.Count, clean(one.Reason))
	}
	if len(silent) > 0 {
		fmt.Fprintf(a.stdout, "%s %s (%d)\n", a.paint(red, "no answer"), nagios.Fold(silent), len(silent))
	}
	fmt.Fprintln(a.stdout, a.tally(r))
	return nil
}

// tellEmpty says that a run had nobody to ask.
func (a *app) tellEmpty(r *client.RunSummary) {
	text := "no node matches: nothing was asked"
	if r.Undefined > 0 {
		text += fmt.Sprintf("; %d undefined, left out", r.Undefined)
	}
	fmt.Fprintf(a.stderr, "%s: %s\n", r.Action, text)
}

func (a *app) listResults(results []client.ResultItem) error {
	l := listing{columns: []string{"NODE", "STATUS", "TOOK_MS", "MESSAGE", "+DATA"}}
	for _, res := range results {
		l.rows = append(l.rows, []string{string(res.Node), strconv.Itoa(int(res.Status)), strconv.FormatInt(res.TookMs, 10), message(res), string(res.Data)})
	}
	return l.write(a)
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
