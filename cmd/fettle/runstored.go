package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// outcomes are what can become of a node of a roster, in the words of the tally.
var outcomes = []string{"ok", "failed", "silent", "never", "pending"}

// stored gives a run as it stands, with all its results, and waits for nothing.
func (a *app) stored(ctx context.Context, c *client.API, id fettle.RunID) (*seenRun, error) {
	r, err := c.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	seen := &seenRun{run: summaryOf(r), results: r.Results}
	for next := r.Next; next != ""; {
		list, err := c.Results(ctx, id, &client.ListResultsParams{Limit: pointer(int64(10_000)), Cursor: &next})
		if err != nil {
			return nil, err
		}
		seen.results = append(seen.results, list.Results...)
		next = list.Next
	}
	return seen, nil
}

// keep leaves only the nodes of which the outcome is one of those.
func (s *seenRun) keep(only []string) {
	has := func(word string) bool { return slices.Contains(only, word) }
	s.results = slices.DeleteFunc(s.results, func(res client.ResultItem) bool {
		return !has(map[bool]string{true: "ok", false: "failed"}[res.Status == fettle.StatusOK])
	})
	s.missing = slices.DeleteFunc(s.missing, func(g *gathered) bool {
		word, _, _ := strings.Cut(g.text, ":")
		return !has(word)
	})
}

// tellRun says what a run was: who asked what, of which nodes, and when.
func (a *app) tellRun(r *client.RunSummary) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(a.stdout, "%-8s %s\n", name, clean(text))
		}
	}
	line("run", fmt.Sprintf("%s (%s)", r.Run, r.State))
	line("action", r.Action+inputsText(r.Inputs))
	line("nodes", fmt.Sprintf("%d: %s", r.Tally.Roster, aimText(r)))
	line("pace", paceText(r.Pace))
	line("standing", valueOf(r.Standing))
	line("retry of", valueOf(r.RetryOf))
	if of := valueOf(r.RemedyOf); of != "" {
		line("remedy", "of "+of)
	}
	when := r.Created.Local().Format(time.DateTime)
	if r.Ended != nil {
		when += ", took " + span(r.TookMs)
	} else {
		when += fmt.Sprintf(", goes on since %s; the deadline is %s", span(r.TookMs), r.Deadline.Local().Format(time.TimeOnly))
	}
	line("began", when+", by "+r.Caller)
	line("waits", valueOf(r.WaitingFor))
	fmt.Fprintln(a.stdout)
}

// summaryOf gives a run without its results.
func summaryOf(r *client.RunInfo) (out client.RunSummary) {
	bare := *r
	bare.Results = nil
	raw, err := json.Marshal(bare)
	if err == nil {
		err = json.Unmarshal(raw, &out) // it has the same fields, and some more
	}
	if err != nil {
		return client.RunSummary{Run: r.Run, Action: r.Action, Tally: r.Tally, State: r.State}
	}
	return out
}
