package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// standingCommand holds the commands of runs that come again and again.
func (a *app) standingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "standing", Short: "runs that come again and again: list, show, pause, resume, end", Args: cobra.NoArgs,
		Long: `A standing run is begun by "run" with --loop, --every or --cron, and kept by the server: it survives restarts, and needs no terminal. Each of its
rounds is a run like any other. Without a command this lists them.`,
		Example: "  fettle runs standing\n  fettle runs standing pause puppet\n  fettle runs standing resume puppet\n  fettle runs standing end puppet",
	}
	a.outputFlag(cmd)
	cmd.RunE = a.listStanding
	list := &cobra.Command{Use: "list", Short: "list standing runs", Args: cobra.NoArgs, Example: "  fettle runs standing list -o json", RunE: a.listStanding}
	a.outputFlag(list)
	cmd.AddCommand(list,
		a.oneStanding("show", "when a standing run comes, and how it went last", func(ctx context.Context, c *client.API, name string) (*client.StandingInfo, error) {
			return c.StandingRun(ctx, name)
		}),
		a.oneStanding("pause", "ask nobody until it is resumed, in a round that goes neither", func(ctx context.Context, c *client.API, name string) (*client.StandingInfo, error) {
			return c.PauseStanding(ctx, name)
		}),
		a.oneStanding("resume", "go on; what was due meanwhile is not made up for", func(ctx context.Context, c *client.API, name string) (*client.StandingInfo, error) {
			return c.ResumeStanding(ctx, name)
		}),
		a.endStandingCommand())
	return cmd
}

func (a *app) listStanding(cmd *cobra.Command, _ []string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	list, err := c.StandingRuns(cmd.Context())
	if err != nil {
		return err
	}
	l := listing{columns: []string{"NAME", "ACTION", "WHEN", "NEXT", "ROUNDS", "LAST", "OWNER", "+INPUTS", "+FILTER", "+PACE"}, object: client.StandingList{Standing: list}, none: "no run stands; run with --every, --loop or --cron makes one"}
	for _, st := range list {
		l.rows = append(l.rows, []string{
			st.Name, st.Action, whenText(&st), nextText(&st), strconv.FormatInt(st.Rounds, 10), shortRun(fettle.RunID(valueOf(st.Last))), st.Owner,
			strings.TrimSpace(inputsText(st.Inputs)), aimText(&client.RunSummary{Filter: st.Filter, All: st.All}), paceText(st.Pace),
		})
		l.lines = append(l.lines, st)
	}
	return l.write(a)
}

// oneStanding makes a command that does something to one standing run, and shows how it stands then.
func (a *app) oneStanding(verb, short string, do func(context.Context, *client.API, string) (*client.StandingInfo, error)) *cobra.Command {
	cmd := &cobra.Command{
		Use: verb + " NAME", Short: short, Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, standingNames), Example: "  fettle runs standing " + verb + " puppet",
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		st, err := do(cmd.Context(), c, args[0])
		if err != nil {
			return unknownStanding(cmd.Context(), c, args[0], err)
		}
		return a.printObject(st, func() error { return a.tellStanding(st) })
	}
	return cmd
}

func (a *app) endStandingCommand() *cobra.Command {
	return &cobra.Command{
		Use: "end NAME", Short: "end a standing run; the runs that it was stay", Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, standingNames),
		Example: "  fettle runs standing end puppet",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err == nil {
				err = c.EndStanding(cmd.Context(), args[0])
			}
			if err != nil {
				return unknownStanding(cmd.Context(), c, args[0], err)
			}
			_, err = fmt.Fprintf(a.stdout, "standing run %s has ended\n", args[0])
			return err
		},
	}
}

// stand makes a standing run.
func (a *app) stand(ctx context.Context, c *client.API, o order, target client.PreviewOrder, pace *client.Pace) error {
	if target.Roster != nil {
		return usage(fmt.Errorf("a standing run finds out anew who matches: it takes a filter or --all, and no --roster: %w", fettle.ErrInvalid))
	}
	p := o.pace
	in := client.StandingOrder{
		Name: p.name, Action: o.action, Inputs: o.inputs, Where: target.Where, All: target.All, Timeout: o.timeout.given(), Pace: pace,
		Cron: pointer(p.cron), Zone: pointer(p.zone),
	}
	if in.Name == "" {
		in.Name = o.action
	}
	in.Loop, in.Every = p.loop.given(), p.every.given()
	st, err := c.StartStanding(ctx, in)
	if err != nil {
		return a.unknownAction(ctx, c, o.action, err)
	}
	if o.detach {
		return a.printObject(st, func() error {
			_, err := fmt.Fprintln(a.stdout, st.Name)
			return err
		})
	}
	return a.printObject(st, func() error { return a.tellStanding(st) })
}

// tellStanding says what a standing run is.
func (a *app) tellStanding(st *client.StandingInfo) error {
	rows := [][2]string{
		{"standing", st.Name},
		{"action", st.Action + inputsText(st.Inputs)},
		{"nodes", aimText(&client.RunSummary{Filter: st.Filter, All: st.All})},
		{"when", whenText(st)},
		{"pace", paceText(st.Pace)},
		{"owner", st.Owner},
		{"next", nextText(st)},
		{"rounds", strconv.FormatInt(st.Rounds, 10)},
	}
	if last := valueOf(st.Last); last != "" {
		rows = append(rows, [2]string{"last", last})
	}
	if skipped := valueOf(st.Skipped); skipped != "" && st.SkippedAt != nil {
		rows = append(rows, [2]string{"skipped", ago(*st.SkippedAt) + ": " + skipped})
	}
	for _, row := range rows {
		if row[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(a.stdout, "%-9s %s\n", row[0], clean(row[1])); err != nil {
			return err
		}
	}
	return nil
}

// whenText says when a standing run comes.
func whenText(st *client.StandingInfo) string {
	ms := func(n *int64) string { return spell(time.Duration(*n) * time.Millisecond) }
	switch {
	case st.LoopMs != nil:
		return "loop " + ms(st.LoopMs)
	case st.EveryMs != nil:
		return "every " + ms(st.EveryMs)
	}
	return strings.TrimSpace(valueOf(st.Cron) + " " + valueOf(st.Zone))
}

// nextText says when the next round is due.
func nextText(st *client.StandingInfo) string {
	switch paused := valueOf(st.Paused); {
	case paused != "":
		return "paused by " + paused
	case st.Next == nil:
		return "not known yet"
	case st.LoopMs != nil && !st.Next.After(time.Now()):
		return "going on"
	}
	return st.Next.Local().Format(time.DateTime)
}

// valueOf gives what a pointer points to; nil: the zero value.
func valueOf[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// unknownStanding names the standing runs that there are, when err is that there is none of that name.
func unknownStanding(ctx context.Context, c *client.API, name string, err error) error {
	if !errors.Is(err, fettle.ErrNotFound) {
		return err
	}
	var names []string
	if list, listErr := c.StandingRuns(ctx); listErr == nil {
		for _, st := range list {
			names = append(names, st.Name)
		}
	}
	return fmt.Errorf("there is no standing run %s%s; \"%s runs standing\" lists those that there are: %w", name, didYouMean(name, names), programName, fettle.ErrNotFound)
}

// standingNames are the names of standing runs.
func standingNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	list, err := c.StandingRuns(ctx)
	for _, st := range list {
		names = append(names, fmt.Sprintf("%s\t%s, %s", st.Name, st.Action, whenText(&st)))
	}
	return names, err
}

// factNames are paths as orders want them: with facts. before them.
func factNames(ctx context.Context, c *client.API, begun string) ([]string, error) {
	names, err := pathNames(ctx, c, "")
	for i := range names {
		names[i] = "facts." + names[i]
	}
	return names, err
}
