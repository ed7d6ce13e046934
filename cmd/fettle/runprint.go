package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

// runObject is a run as -o json prints it.
type runObject struct {
	tallyLine
	Results []client.ResultItem `json:"results"`
}

// tallyLine is the last line of -o jsonl.
type tallyLine struct {
	Run       fettle.RunID        `json:"run"`
	Action    string              `json:"action"`
	Tally     fettle.Tally        `json:"tally"`
	Undefined int64               `json:"undefined"`
	TookMS    int64               `json:"took_ms"`
	State     fettle.RunState     `json:"state"`
	Stopped   string              `json:"stopped,omitempty"` // why nobody was asked any more
	Silent    []fettle.NodeID     `json:"silent"`
	Never     []fettle.NodeID     `json:"never"`
	Summaries []plugins.Aggregate `json:"summaries,omitempty"`
}

// seenRun is a run with the results that were seen of it.
type seenRun struct {
	run     client.RunSummary
	results []client.ResultItem
	missing []*gathered // nodes without a result, by why
}

// printRun prints a run as -o and the flags of v say.
func (a *app) printRun(ctx context.Context, c *client.API, seen *seenRun, v view) error {
	if err := a.findMissing(ctx, c, seen); err != nil {
		return err
	}
	r := &seen.run
	manifest := a.manifest(ctx, c, r.Action)
	seen.results = v.sieve.sift(ctx, seen.results)
	answered(seen.results)
	sums := aggregate(manifest, seen.results)
	line := tallyLine{
		Run: r.Run, Action: r.Action, Tally: r.Tally, Undefined: r.Undefined, TookMS: r.TookMs, State: r.State, Stopped: valueOf(r.Stopped),
		Silent: nodesOf(seen.missing, rankSilent), Never: nodesOf(seen.missing, rankNever), Summaries: sums,
	}
	object := runObject{line, seen.results}
	if v.summaryOnly {
		object.Results = []client.ResultItem{}
	}
	switch a.output {
	case "json":
		return printJSON(a.stdout, object)
	case "yaml":
		return printYAML(a.stdout, object)
	case "jsonl":
		return printLine(a.stdout, line)
	case "csv", "names", "wide", "table":
		if v.sieve != nil {
			seen.missing = nil
		}
		if err := a.resultRows(manifest, seen).write(a); err != nil || a.output == "csv" || a.output == "names" {
			return err
		}
		if v.sieve != nil {
			fmt.Fprintln(a.stderr, v.sieve)
		}
		fmt.Fprintln(a.stderr, a.tally(r))
		return nil
	}
	if r.Tally.Roster == 0 {
		a.tellEmpty(r)
		return nil
	}
	if v.sieve != nil {
		seen.missing = nil
	}
	results := seen.results
	if v.follow {
		results = withoutPrinted(results)
	}
	groups := summedUp(inOrder(append(gather(manifest, results), seen.missing...)))
	shown := slices.DeleteFunc(groups, func(g *gathered) bool { return !v.shows(manifest, g.rank) })
	for _, g := range shown {
		a.printAnswers(g)
	}
	if len(seen.results) > 1 {
		a.printCodes(seen.results)
		a.printAggregates(plainSight(sums, shown))
	}
	if v.sieve != nil {
		fmt.Fprintln(a.stdout, v.sieve)
	}
	if stopped := valueOf(r.Stopped); stopped != "" {
		fmt.Fprintf(a.stdout, "%s %s\n", a.paint(red, "stopped:"), clean(stopped))
	}
	fmt.Fprintln(a.stdout, a.tally(r))
	return nil
}

// findMissing asks who gave no result, and why.
func (a *app) findMissing(ctx context.Context, c *client.API, seen *seenRun) error {
	t := seen.run.Tally
	var never []fettle.NodeID
	for _, one := range []struct {
		n     int
		state string
		note  func(nodes []fettle.NodeID)
	}{
		{t.Silent, "silent", func(nodes []fettle.NodeID) { seen.lacks(rankSilent, "silent: no answer by the deadline", nodes) }},
		{t.Pending, "pending", func(nodes []fettle.NodeID) { seen.lacks(rankPending, "pending: no answer yet", nodes) }},
		{t.Never, "never", func(nodes []fettle.NodeID) { never = nodes }},
	} {
		if one.n == 0 {
			continue
		}
		nodes, err := c.UnansweredAll(ctx, seen.run.Run, one.state)
		if err != nil {
			return err
		}
		one.note(nodes)
	}
	refused, unnamed := map[fettle.NodeID]bool{}, false
	for _, one := range seen.run.Refused {
		unnamed = unnamed || int(one.Count) > len(one.Nodes)
		seen.lacks(rankNever, "never: "+one.Reason, one.Nodes)
		for _, node := range one.Nodes {
			refused[node] = true
		}
	}
	never = slices.DeleteFunc(never, func(node fettle.NodeID) bool { return refused[node] })
	why := whyNever(&seen.run)
	if unnamed { // a refusal names a thousand nodes
		why = "refused as the nodes above, or " + why
	}
	seen.lacks(rankNever, "never: "+why, never)
	return nil
}

// lacks notes nodes without a result, and why.
func (s *seenRun) lacks(rank int, text string, nodes []fettle.NodeID) {
	if len(nodes) > 0 {
		s.missing = append(s.missing, &gathered{rank: rank, text: text, nodes: nodes})
	}
}

// whyNever says why nodes were not asked that nothing refused.
func whyNever(r *client.RunSummary) string {
	switch stopped := valueOf(r.Stopped); {
	case stopped != "":
		return "not asked, the run was stopped"
	case r.State == fettle.RunCancelled:
		return "not asked, the run was cancelled"
	}
	return "not asked, away since before the run"
}

// tellEmpty says that a run had nobody to ask.
func (a *app) tellEmpty(r *client.RunSummary) {
	text := "no node matches: nothing was asked"
	if r.Undefined > 0 {
		text += fmt.Sprintf("; %d undefined, left out", r.Undefined)
	}
	fmt.Fprintf(a.stderr, "%s: %s\n", r.Action, text)
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
		parts = append(parts, a.paint(yellow, fmt.Sprintf("%d pending", t.Pending)))
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
