package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// Ids of runs are UUIDs of version 7: their beginning is the moment at which they were made.
const (
	shortLength = 13     // of an id: its milliseconds, which are enough for people
	wholeLength = 36     // of an id
	lastRun     = "last" // stands for the latest run of whoever asks
)

// shortRun is the beginning of an id, as people see and type it.
func shortRun(id fettle.RunID) string { return string(id[:min(len(id), shortLength)]) }

// runOf gives the id that a person means: a whole one, the beginning of one that no other run has, or the word last.
func (a *app) runOf(ctx context.Context, c *client.API, text string) (fettle.RunID, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	switch {
	case text == lastRun:
		return a.latestRun(ctx, c)
	case len(text) >= wholeLength || strings.Trim(text, "0123456789abcdef-") != "" || text == "":
		return fettle.RunID(text), nil
	}
	list, err := c.Runs(ctx, &client.ListRunsParams{Limit: pointer(int64(3)), Cursor: pointer(text + "~")}) // those before all that could begin so are not
	if err != nil {
		return "", err
	}
	var fit []string
	for _, r := range list.Runs {
		if strings.HasPrefix(string(r.Run), text) {
			fit = append(fit, fmt.Sprintf("%s (%s)", r.Run, r.Action))
		}
	}
	switch len(fit) {
	case 0:
		return "", unknownRun(text, fettle.ErrNotFound)
	case 1:
		return list.Runs[0].Run, nil
	}
	return "", fmt.Errorf("%s is the beginning of several runs, such as %s: %w", text, strings.Join(fit, ", "), fettle.ErrConflict)
}

// latestRun gives the latest run of whoever asks.
func (a *app) latestRun(ctx context.Context, c *client.API) (fettle.RunID, error) {
	me, err := c.Whoami(ctx)
	if err != nil {
		return "", err
	}
	list, err := c.Runs(ctx, &client.ListRunsParams{Limit: pointer(int64(1)), User: &me.Name})
	if err != nil {
		return "", err
	}
	if len(list.Runs) == 1 {
		return list.Runs[0].Run, nil
	}
	return "", fmt.Errorf("%s has begun no run yet; \"%s runs\" lists those of others: %w", me.Name, programName, fettle.ErrNotFound)
}

// callerNames are those who began the latest runs.
func callerNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	list, err := c.Runs(ctx, &client.ListRunsParams{Limit: pointer(int64(200))})
	if err != nil {
		return nil, err
	}
	for _, r := range list.Runs {
		names = append(names, r.Caller)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// unknownRun says where runs are listed, when err is that there is none of that id.
func unknownRun(id string, err error) error {
	if errors.Is(err, fettle.ErrNotFound) {
		return fmt.Errorf("there is no run %s; \"%s runs\" lists those that there are: %w", id, programName, fettle.ErrNotFound)
	}
	return err
}
