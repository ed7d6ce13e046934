package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) runsCommand() *cobra.Command {
	var limit int
	var user, action, state, since string
	cmd := &cobra.Command{
		Use: "runs", Short: "runs that were, and that go on", GroupID: groupRun, Args: cobra.NoArgs,
		Long: `Lists runs, the latest first. A run is named by its id, by the beginning of it where no other run begins so, or by the word last: the latest
run of whoever asks.`,
		Example: "  fettle runs\n  fettle runs --state going\n  fettle runs --user ann --action package --since -24h\n  fettle runs show last\n  fettle runs cancel 0199f0c2-4a1b\n  fettle runs results last -o csv",
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "the latest `NUMBER` of them")
	cmd.Flags().StringVar(&user, "user", "", "those of `CALLER` only")
	cmd.Flags().StringVar(&action, "action", "", "those of `ACTION` only, or of a plugin: package")
	cmd.Flags().StringVar(&state, "state", "", "those in `STATE` only: going, ended or cancelled")
	cmd.Flags().StringVar(&since, "since", "", "those begun at `TIME` or later: RFC 3339, -2h, yesterday")
	flagNames(cmd, map[string]complete{
		"state": words("going", "ended", "cancelled"), "action": a.namesOf(-1, actionNames), "user": a.namesOf(-1, callerNames), "since": words("-1h", "-24h", "yesterday"),
	})
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		if limit < 1 || limit > 1000 {
			return usage(fmt.Errorf("--limit %d is not between 1 and 1000: %w", limit, fettle.ErrInvalid))
		}
		p := client.ListRunsParams{Limit: pointer(int64(limit)), User: pointer(user), Action: pointer(action)}
		if state != "" {
			p.State = new(client.ListRunsParamsState(state))
			if !p.State.Valid() {
				return usage(fmt.Errorf("--state %s: one of going, ended, cancelled: %w", state, fettle.ErrInvalid))
			}
		}
		if since != "" {
			text, err := moment("since", since, time.Now())
			if err != nil {
				return err
			}
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return err
			}
			p.Since = &at
		}
		list, err := c.Runs(cmd.Context(), &p)
		if err != nil {
			return err
		}
		return a.listRuns(list).write(a)
	}
	cmd.AddCommand(a.runsShowCommand(), a.runsWatchCommand(), a.runsResultsCommand(), a.runsCancelCommand(), a.runsOutputCommand(), a.runsRetryCommand(), a.standingCommand())
	return cmd
}

// listRuns makes a listing of runs. People see the beginnings of ids, which are enough to name them.
func (a *app) listRuns(list *client.RunList) listing {
	l := listing{
		columns: []string{
			"RUN", "AGE", "CALLER", "ACTION", "STATE", "TALLY", "+TOOK", "+ROSTER", "+OK", "+FAILED", "+SILENT", "+NEVER", "+PENDING", "+CREATED", "+INPUTS", "+FILTER", "+PACE", "+WAITS_FOR",
		},
		object: list, names: []string{},
	}
	if slices.ContainsFunc(list.Runs, func(r client.RunSummary) bool { return valueOf(r.WaitingFor) != "" }) {
		l.columns[len(l.columns)-1] = "WAITS_FOR"
	}
	for _, r := range list.Runs {
		t := r.Tally
		id := string(r.Run)
		if a.output == "table" {
			id = shortRun(r.Run)
		}
		l.rows = append(l.rows, []string{
			id, ago(r.Created), r.Caller, r.Action, stateText(&r), shortTally(t), span(r.TookMs), strconv.Itoa(t.Roster), strconv.Itoa(t.OK), strconv.Itoa(t.Failed),
			strconv.Itoa(t.Silent), strconv.Itoa(t.Never), strconv.Itoa(t.Pending), r.Created.Local().Format(time.DateTime), strings.TrimSpace(inputsText(r.Inputs)),
			aimText(&r), paceText(r.Pace), valueOf(r.WaitingFor),
		})
		l.names = append(l.names, string(r.Run))
		l.lines = append(l.lines, r)
	}
	return l
}

// stateText says how a run stands.
func stateText(r *client.RunSummary) string {
	switch {
	case valueOf(r.Stopped) != "":
		return "stopped"
	case valueOf(r.Batches) > 1:
		return fmt.Sprintf("%s (batch %d of %d)", r.State, valueOf(r.Batch), *r.Batches)
	}
	return string(r.State)
}

// shortTally is a tally without the numbers that are zero.
func shortTally(t fettle.Tally) string {
	var parts []string
	for _, one := range []struct {
		n    int
		word string
	}{{t.OK, "ok"}, {t.Failed, "failed"}, {t.Silent, "silent"}, {t.Never, "never"}, {t.Pending, "pending"}} {
		if one.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", one.n, one.word))
		}
	}
	if parts == nil {
		return "nobody"
	}
	return strings.Join(parts, ", ")
}

// aimText says which nodes a run meant.
func aimText(r *client.RunSummary) string {
	switch {
	case r.Filter != nil && *r.Filter != "":
		return string(*r.Filter)
	case r.All != nil && *r.All:
		return "every node"
	}
	return "nodes of a preview"
}

// aboutRun adds to cmd what the commands of one run have in common: its name, completed.
func (a *app) aboutRun(cmd *cobra.Command, do func(cmd *cobra.Command, c *client.API, id fettle.RunID) error) *cobra.Command {
	cmd.Args = takes("RUN")
	cmd.ValidArgsFunction = a.namesOf(0, runNames)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		id, err := a.runOf(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return unknownRun(args[0], do(cmd, c, id))
	}
	return cmd
}

func (a *app) runsShowCommand() *cobra.Command {
	var v view
	cmd := &cobra.Command{
		Use: "show RUN", Short: "what a run was, and what it gave so far",
		Long:    "Says who asked what of which nodes, and shows what came, as the run itself does. It does not wait: that is \"watch\".",
		Example: "  fettle runs show last\n  fettle runs show 0199f0c2-4a1b --display failed\n  fettle runs show last -o json",
	}
	a.viewFlags(cmd, &v)
	return a.aboutRun(cmd, func(cmd *cobra.Command, c *client.API, id fettle.RunID) error {
		seen, err := a.stored(cmd.Context(), c, id)
		if err != nil {
			return err
		}
		if a.output == runFormats[0] {
			a.tellRun(&seen.run)
		}
		if a.output == "jsonl" && !v.summaryOnly {
			for _, res := range v.sieve.sift(cmd.Context(), seen.results) {
				if err := printLine(a.stdout, res); err != nil {
					return err
				}
			}
		}
		if err := a.printRun(cmd.Context(), c, seen, v); err != nil {
			return err
		}
		return runExit(seen.run.Tally)
	})
}

func (a *app) runsWatchCommand() *cobra.Command {
	var v view
	cmd := &cobra.Command{
		Use: "watch RUN", Short: "follow a run to its end, and show what it gave",
		Long:    "Follows a run as the terminal that began it does, and ends with the same exit code. Ctrl-C ends the watching, not the run.",
		Example: "  fettle runs watch last\n  fettle runs watch 0199f0c2-4a1b --jsonl",
	}
	cmd.Flags().BoolVar(&v.follow, "follow", false, "show what programs print on the nodes from now on, each line behind its node")
	a.viewFlags(cmd, &v)
	return a.aboutRun(cmd, func(cmd *cobra.Command, c *client.API, id fettle.RunID) error {
		if err := a.followable(v); err != nil {
			return err
		}
		r, err := c.Run(cmd.Context(), id)
		if err != nil {
			return err
		}
		return a.watch(cmd.Context(), c, &client.RunSummary{Run: r.Run, Action: r.Action, Tally: r.Tally, State: r.State}, v)
	})
}

func (a *app) runsCancelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cancel RUN", Short: "take back what was not sent, and ask nodes to stop what they do",
		Example: "  fettle runs cancel last\n  fettle runs cancel 0199f0c2-4a1b",
	}
	a.outputFlag(cmd, "table", "json")
	return a.aboutRun(cmd, func(cmd *cobra.Command, c *client.API, id fettle.RunID) error {
		r, err := c.CancelRun(cmd.Context(), id)
		if err != nil {
			return err
		}
		return a.printObject(r, func() error {
			_, err := fmt.Fprintf(a.stdout, "run %s: %s\n%s\n", r.Run, r.State, a.tally(r))
			return err
		})
	})
}
