package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) remediesCommand() *cobra.Command {
	var f remedyFlags
	cmd := group(&cobra.Command{
		Use: "remedies", Short: "what was run because a check had turned bad, and what was not", GroupID: groupChecks, Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `A check may name an action that is run on a node whose state has turned bad: on_change in its definition. This lists what was run for which change of a
state and whether it mended, what waits for its turn, and what was left out and why: a silence, a limit, a policy. The newest first.`,
		Example: "  fettle remedies\n  fettle remedies --check web --phase skipped --since -1d\n  fettle remedies show 17\n  fettle remedies pause --reason 'migration of the database'",
	}, a.remedyShowCommand(), a.remedyPauseCommand(), a.remedyResumeCommand())
	flags := cmd.Flags()
	flags.StringVar(&f.check, "check", "", "those of `CHECK` alone")
	flags.StringVar(&f.node, "node", "", "those on `NODE` alone")
	flags.StringVar(&f.phase, "phase", "", "those in `PHASE` alone: waiting, running, watching, mended, unmended, failed or skipped")
	flags.StringVar(&f.since, "since", "", "of states that changed after this `MOMENT`: 2026-11-14T09:00, -2h, -3d, yesterday; default: as far as the limit allows")
	flags.IntVar(&f.limit, "limit", 100, "`REMEDIES` at most; with --since there is no limit")
	phases := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"waiting", "running", "watching", "mended", "unmended", "failed", "skipped"}, cobra.ShellCompDirectiveNoFileComp
	}
	flagNames(cmd, map[string]complete{"check": a.namesOf(-1, definedNames), "node": a.namesOf(-1, nodeNames), "phase": phases})
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.listRemedies(cmd.Context(), f) }
	return cmd
}

// remedyFlags say which remedies are meant.
type remedyFlags struct {
	check, node, phase, since string
	limit                     int
}

func (a *app) listRemedies(ctx context.Context, f remedyFlags) error {
	from, err := moment("since", f.since, time.Now())
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	p := client.ListRemediesParams{Check: pointer(f.check), Node: pointer(f.node), Since: pointer(from)}
	if f.phase != "" {
		p.Phase = new(client.ListRemediesParamsPhase(f.phase))
	}
	if from == "" {
		p.Limit = pointer(int64(f.limit))
	}
	all := client.RemedyList{Remedies: []client.RemedyInfo{}}
	for {
		page, err := c.Remedies(ctx, &p)
		if err != nil {
			return err
		}
		all.Remedies, all.Paused = append(all.Remedies, page.Remedies...), page.Paused
		if page.Next == "" || from == "" {
			break
		}
		p.Cursor = &page.Next
	}
	l := listing{columns: []string{"ID", "AT", "CHECK", "NODE", "TO", "ACTION", "PHASE", "WHY", "+RUN", "+OWNER", "+FROM", "+STARTED", "+ENDED", "+OUTPUT"}, object: all}
	for _, r := range all.Remedies {
		l.rows = append(l.rows, []string{
			strconv.FormatInt(r.Id, 10), r.At.UTC().Format(time.RFC3339), r.Check, string(r.Node), r.To, r.Action, string(r.Phase), word(r.Why), word(r.Run), word(r.Owner), r.From,
			stamp(r.Started), stamp(r.Ended), r.Output,
		})
		l.lines = append(l.lines, r)
	}
	if err := l.write(a); err != nil {
		return err
	}
	for _, one := range all.Paused {
		fmt.Fprintln(a.stderr, clean(pauseText(one)))
	}
	return nil
}

// pauseText says what is paused, and how it goes on.
func pauseText(p client.RemedyPause) string {
	what, how := "all remedies are paused", "fettle remedies resume"
	if check := word(p.Check); check != "" {
		what, how = "the remedies of "+check+" are paused", "fettle remedies resume "+check
	}
	if p.Stopped != nil && *p.Stopped {
		return fmt.Sprintf("the remedies of %s have stopped: %s; %s when it is known why", word(p.Check), p.Reason, how)
	}
	return fmt.Sprintf("%s since %s by %s: %s; %s lets them go on", what, ago(p.At), p.By, p.Reason, how)
}

func (a *app) remedyShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "which change called for a remedy, its run, and what came of it", Args: takes("ID"), ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  fettle remedies show 17\n  fettle remedies show 17 -o json",
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := strconv.ParseInt(args[0], 10, 64)
		if err != nil || id < 1 {
			return usage(fmt.Errorf("%q is no number of a remedy; fettle remedies lists them: %w", args[0], fettle.ErrInvalid))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		r, err := c.Remedy(cmd.Context(), id)
		if err != nil {
			return err
		}
		return a.printObject(r, func() error { return a.tellRemedy(r) })
	}
	return cmd
}

func (a *app) tellRemedy(r *client.RemedyInfo) error {
	rows := [][2]string{
		{"remedy", strconv.FormatInt(r.Id, 10)},
		{"check", r.Check},
		{"node", string(r.Node)},
		{"changed", fmt.Sprintf("%s, from %s to %s", r.At.UTC().Format(time.RFC3339), orGone(r.From), r.To)},
		{"said", r.Output},
		{"action", r.Action},
		{"owner", word(r.Owner)},
		{"phase", string(r.Phase)},
		{"why", word(r.Why)},
		{"run", word(r.Run)},
		{"started", stamp(r.Started)},
		{"ended", stamp(r.Ended)},
	}
	for _, row := range rows {
		if row[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(a.stdout, "%-8s %s\n", row[0], clean(row[1])); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) remedyPauseCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "pause [CHECK]", Short: "start no more remedies, of a check or at all", Args: takes("CHECK?"), ValidArgsFunction: a.namesOf(0, definedNames),
		Long:    "Nothing is started until somebody resumes it, over restarts of the server too. What runs goes on; what waits, and what changes meanwhile, is left out.",
		Example: "  fettle remedies pause --reason 'migration of the database'\n  fettle remedies pause web --reason 'it makes it worse'",
	}
	cmd.Flags().StringVar(&reason, "reason", "", "`WHY`, for whoever resumes it")
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if reason == "" {
			return usage(fmt.Errorf("say why, with --reason: whoever resumes it has to know: %w", fettle.ErrInvalid))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		o := client.PauseOrder{Reason: &reason}
		if len(args) > 0 {
			o.Check = &args[0]
		}
		p, err := c.PauseRemedies(cmd.Context(), o)
		if err != nil {
			return err
		}
		return a.printObject(p, func() error {
			_, err := fmt.Fprintln(a.stdout, clean(pauseText(*p)))
			return err
		})
	}
	return cmd
}

func (a *app) remedyResumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "resume [CHECK]", Short: "start remedies again, also those that have stopped by themselves", Args: takes("CHECK?"), ValidArgsFunction: a.namesOf(0, definedNames),
		Long:    "What was left out meanwhile is not made up for: a state has to turn bad again.",
		Example: "  fettle remedies resume\n  fettle remedies resume web",
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		var o client.PauseOrder
		if len(args) > 0 {
			o.Check = &args[0]
		}
		p, err := c.ResumeRemedies(cmd.Context(), o)
		if err != nil {
			return err
		}
		return a.printObject(p, func() error {
			what := "remedies"
			if check := word(p.Check); check != "" {
				what = "the remedies of " + check
			}
			_, err := fmt.Fprintf(a.stdout, "%s go on; they were paused %s by %s: %s\n", clean(what), ago(p.At), clean(p.By), clean(p.Reason))
			return err
		})
	}
	return cmd
}
