package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) runsCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "runs", Short: "runs that were, and that go on", GroupID: groupAsk, Args: cobra.NoArgs,
		Example: "  fettle runs\n  fettle runs show 0199f0c2-…\n  fettle runs cancel 0199f0c2-…",
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "the latest `NUMBER` of them")
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
	var v view
	cmd := &cobra.Command{
		Use: "show RUN", Short: "what a run gave; follows one that goes on", Args: takes("RUN"), Aliases: []string{"watch"},
		ValidArgsFunction: a.namesOf(0, runNames),
		Example:           "  fettle runs show 0199f0c2-… -o json",
	}
	a.viewFlags(cmd, &v)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		r, err := c.Run(cmd.Context(), fettle.RunID(args[0]))
		if err != nil {
			return unknownRun(args[0], err)
		}
		return a.watch(cmd.Context(), c, &client.RunSummary{Run: r.Run, Action: r.Action, Tally: r.Tally}, v)
	}
	return cmd
}

func (a *app) runsCancelCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "cancel RUN", Short: "take back what was not sent, and ask nodes to stop what they do", Args: takes("RUN"),
		ValidArgsFunction: a.namesOf(0, runNames),
		Example:           "  fettle runs cancel 0199f0c2-…",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			r, err := c.CancelRun(cmd.Context(), fettle.RunID(args[0]))
			if err != nil {
				return unknownRun(args[0], err)
			}
			if a.output == "json" {
				return printJSON(a.stdout, r)
			}
			_, err = fmt.Fprintf(a.stdout, "run %s: %s\n%s\n", r.Run, r.State, a.tally(r))
			return err
		},
	}
	a.outputFlag(cmd, "table", "json")
	return cmd
}

// unknownRun says where runs are listed, when err is that there is none of that id.
func unknownRun(id string, err error) error {
	if errors.Is(err, fettle.ErrNotFound) {
		return fmt.Errorf("there is no run %s; \"%s runs\" lists those that there are: %w", id, programName, fettle.ErrNotFound)
	}
	return err
}
