package main

import (
	"fmt"
	"strconv"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
	"github.com/spf13/cobra"
)

func (a *app) runsCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "runs", Short: "runs that were, and that go on", GroupID: groupAsk, Args: cobra.NoArgs,
		Example: "  fettle runs\n  fettle runs show 0199f0c2-…\n  fettle runs cancel 0199f0c2-…",
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "the latest so many")
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		if limit < 1 || limit > 1000 {
			return usage(fmt.Errorf("--limit %d is not between 1 and 1000: %w", limit, fettle.ErrInvalid))
		}
		list, err := c.Runs(cmd.Context(), &client.ListRunsParams{Limit: pointer(int64(limit))})
		if err != nil {
			return err
		}
		l := listing{columns: []string{"RUN", "CREATED", "ACTION", "STATE", "ROSTER", "OK", "FAILED", "SILENT", "NEVER", "TOOK", "+CALLER", "+FILTER"}, object: list}
		for _, r := range list.Runs {
			t := r.Tally
			where := ""
			if r.Filter != nil {
				where = string(*r.Filter)
			}
			l.rows = append(l.rows, []string{
				string(r.Run), r.Created.Local().Format(time.DateTime), r.Action, string(r.State), strconv.Itoa(t.Roster), strconv.Itoa(t.OK),
				strconv.Itoa(t.Failed), strconv.Itoa(t.Silent), strconv.Itoa(t.Never), span(r.TookMs), r.Caller, where,
			})
			l.lines = append(l.lines, r)
		}
		return l.write(a)
	}
	cmd.AddCommand(a.runsShowCommand(), a.runsCancelCommand())
	return cmd
}

func (a *app) runsShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show RUN", Short: "what a run gave; follows one that goes on", Args: cobra.ExactArgs(1), Aliases: []string{"watch"},
		Example: "  fettle runs show 0199f0c2-… -o json",
	}
	a.outputFlag(cmd, "table", "wide", "json", "jsonl", "yaml", "csv", "names")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		r, err := c.Run(cmd.Context(), fettle.RunID(args[0]))
		if err != nil {
			return err
		}
		seen, err := a.follow(cmd.Context(), c, &client.RunSummary{Run: r.Run, Action: r.Action, Tally: r.Tally})
		if err != nil {
			return err
		}
		if err := a.printRun(cmd.Context(), c, seen); err != nil {
			return err
		}
		return runExit(seen.run.Tally)
	}
	return cmd
}

func (a *app) runsCancelCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cancel RUN", Short: "take back what was not sent, and ask nodes to stop what they do", Args: cobra.ExactArgs(1),
		Example: "  fettle runs cancel 0199f0c2-…",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			r, err := c.CancelRun(cmd.Context(), fettle.RunID(args[0]))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.stdout, "run %s: %s\n", r.Run, r.State)
			return err
		},
	}
}
