package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) silenceCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "silence", Short: "bad states that are left out of verdicts for a time", GroupID: groupChecks,
		Long: `A silence is about the nodes of a filter, and where it says so about some checks or statuses only. While it holds, what is bad there stands beside the
counts of every verdict and has no say in its status: nobody is called, nothing is run. It always ends. With --cron it comes again until then: a
maintenance window. Where its filter is undefined nothing is silenced.`,
		Example: "  fettle silence preview -W 'rack=r12' --for 2h\n  fettle silence add -W 'rack=r12' --for 2h --reason 'new switches'\n  fettle silence list",
	}, a.silenceAddCommand(), a.silencePreviewCommand(), a.silenceListCommand(), a.silenceShowCommand(), a.silenceEndCommand())
}

// silenceOrder is what a silence is asked for with.
type silenceOrder struct {
	aim                                    aim
	checks, statuses                       []string
	reason, span, starts, until, cron, dur string
	zone                                   string
}

func (o *silenceOrder) flags(f *pflag.FlagSet) {
	f.StringSliceVar(&o.checks, "check", nil, "`NAME` of a check, or a pattern such as disk_*; several; default: all checks")
	f.StringSliceVar(&o.statuses, "status", nil, "`STATUS` that is silenced: warning, critical or unknown; several; default: all three")
	f.StringVar(&o.span, "for", "", "`TIME` after which it ends: 30m, 2h, 7d")
	f.StringVar(&o.until, "until", "", "`MOMENT` at which it ends: 2026-12-01T06:00")
	f.StringVar(&o.starts, "starts", "", "`MOMENT` at which it begins; default: now")
	f.StringVar(&o.cron, "cron", "", "makes it come again: `EXPRESSION` of minute hour day month weekday at which a window begins")
	f.StringVar(&o.dur, "duration", "", "`TIME` that each window lasts")
	f.StringVar(&o.zone, "zone", "", "`ZONE` whose clocks --cron is about, such as Europe/Berlin; default: UTC")
}

// order gives the silence as REST takes it.
func (o *silenceOrder) order(ctx context.Context, bare []string, now time.Time) (client.SilenceOrder, error) {
	out := client.SilenceOrder{Checks: o.checks, Reason: o.reason, Cron: pointer(o.cron), Zone: pointer(o.zone)}
	for _, s := range o.statuses {
		out.Statuses = append(out.Statuses, client.SilenceOrderStatuses(s))
	}
	where, err := o.aim.filter(ctx, bare, true)
	if err != nil {
		return out, err
	}
	if out.Where = pointer(string(where)); o.aim.all {
		out.Where = pointer("true")
	}
	for _, m := range []struct {
		flag, text string
		to         **time.Time
	}{{"starts", o.starts, &out.Starts}, {"until", o.until, &out.Expires}} {
		text, err := moment(m.flag, m.text, now)
		if err != nil {
			return out, err
		}
		if text != "" {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return out, err
			}
			*m.to = &at
		}
	}
	for _, d := range []struct {
		flag, text string
		to         **string
	}{{"for", o.span, &out.For}, {"duration", o.dur, &out.Duration}} {
		if d.text == "" {
			continue
		}
		span, err := longSpan(d.text)
		if err != nil {
			return out, usage(fmt.Errorf("--%s %s: %w: %w", d.flag, d.text, err, fettle.ErrInvalid))
		}
		*d.to = pointer(span.String())
	}
	if (out.For == nil) == (out.Expires == nil) {
		return out, usage(fmt.Errorf("a silence has an end: --for 2h, or --until MOMENT: %w", fettle.ErrInvalid))
	}
	return out, nil
}

func (a *app) silenceAddCommand() *cobra.Command {
	var o silenceOrder
	cmd := &cobra.Command{
		Use: "add FILTER", Short: "leave bad states out of verdicts for a time", Args: takes("FILTER?"), ValidArgsFunction: cobra.NoFileCompletions,
		Example: `  fettle silence add -W rack=r12 --for 2h --reason 'new switches'
  fettle silence add 'facts.role == "db"' --check 'disk_*' --status warning --until 2026-12-01T06:00 --reason 'until the disks come'
  fettle silence add -W environment=production --cron '0 2 * * 6' --duration 2h --zone Europe/Berlin --for 90d --reason patches`,
	}
	a.aimFlags(cmd, &o.aim)
	o.flags(cmd.Flags())
	cmd.Flags().StringVar(&o.reason, "reason", "", "`TEXT` that says why, for whoever finds it at night")
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if strings.TrimSpace(o.reason) == "" {
			return usage(fmt.Errorf("--reason is missing: whoever finds the silence at night wants to know why: %w", fettle.ErrInvalid))
		}
		order, err := o.order(cmd.Context(), args, time.Now())
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		s, err := c.AddSilence(cmd.Context(), order)
		if err != nil {
			return err
		}
		return a.printObject(s, func() error { return a.printSilence(s) })
	}
	return cmd
}

func (a *app) silencePreviewCommand() *cobra.Command {
	var o silenceOrder
	cmd := &cobra.Command{
		Use: "preview FILTER", Short: "what a silence would hide now, and would have hidden last week", Args: takes("FILTER?"), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Says how many nodes a silence would be about, which bad states it would hide now, and which changes to a bad state it would have hidden in the last
seven days: all that time, or in its windows where it has --cron. Facts are those of the moment, as far as they are kept.`,
		Example: "  fettle silence preview -W rack=r12 --for 2h\n  fettle silence preview -W environment=production --cron '0 2 * * 6' --duration 2h --for 90d",
	}
	a.aimFlags(cmd, &o.aim)
	o.flags(cmd.Flags())
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		o.reason = "preview"
		order, err := o.order(cmd.Context(), args, time.Now())
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		p, err := c.PreviewSilence(cmd.Context(), order)
		if err != nil {
			return err
		}
		return a.printObject(p, func() error { a.printPreview(p); return nil })
	}
	return cmd
}

func (a *app) printPreview(p *client.SilencePreview) {
	fmt.Fprintf(a.stdout, "%d nodes match, %d undefined\n", p.Nodes, p.Undefined)
	show := func(title string, count int64, by map[string]int64, states []client.HiddenState) {
		fmt.Fprintf(a.stdout, "%s: %d\n", title, count)
		for _, check := range slices.Sorted(maps.Keys(by)) {
			fmt.Fprintf(a.stdout, "   %-24s %d\n", clean(check), by[check])
		}
		for _, s := range states {
			at := ""
			if s.Since != nil {
				at = s.Since.UTC().Format(time.RFC3339) + " "
			}
			fmt.Fprintf(a.stdout, "   %s%s on %s is %s: %s\n", at, clean(s.Check), s.Node, s.Status, clean(s.Output))
		}
	}
	show("would be hidden now", p.Now.Count, p.Now.ByCheck, p.Now.States)
	show("would have been hidden since "+p.LastWeek.Since.UTC().Format(time.RFC3339), p.LastWeek.Count, p.LastWeek.ByCheck, p.LastWeek.States)
	if p.LastWeek.ByPresentFacts > 0 {
		fmt.Fprintf(a.stdout, "%d of them judged by the facts of today\n", p.LastWeek.ByPresentFacts)
	}
	if p.LastWeek.More != nil && *p.LastWeek.More {
		fmt.Fprintln(a.stdout, "there are older changes than were looked at")
	}
}

func (a *app) silenceListCommand() *cobra.Command {
	var over bool
	cmd := &cobra.Command{
		Use: "list", Short: "the silences that hold or wait", Example: "  fettle silence list\n  fettle silence list --over -o json", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&over, "over", false, "also those that are over; they are kept for 30 days")
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		list, err := c.Silences(cmd.Context(), over)
		if err != nil {
			return err
		}
		l := listing{columns: []string{"ID", "PHASE", "UNTIL", "NODES", "CHECKS", "FILTER", "AUTHOR", "REASON", "+EXPIRES", "+CRON"}, object: client.SilenceList{Silences: list}, none: "nothing is silenced"}
		for _, s := range list {
			l.rows = append(l.rows, []string{s.Id, string(s.Phase), untilOf(s), fmt.Sprint(s.Nodes), strings.Join(s.Checks, ","), string(s.Filter), s.Author, s.Reason, s.Expires.UTC().Format(time.RFC3339), word(s.Cron)})
			l.lines = append(l.lines, s)
		}
		return l.write(a)
	}
	return cmd
}

// untilOf gives when a silence ends, or begins.
func untilOf(s client.SilenceInfo) string {
	switch {
	case s.Until != nil:
		return s.Until.UTC().Format(time.RFC3339)
	case s.Next != nil:
		return "from " + s.Next.UTC().Format(time.RFC3339)
	}
	return ""
}

func (a *app) silenceShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "one silence", Example: "  fettle silence show 0198f0c2-7d3a-7c11-9d3e-1f2a3b4c5d6e", Args: takes("ID"), ValidArgsFunction: a.namesOf(0, silenceIDs),
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		s, err := c.Silence(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printObject(s, func() error { return a.printSilence(s) })
	}
	return cmd
}

func (a *app) silenceEndCommand() *cobra.Command {
	return &cobra.Command{
		Use: "end ID", Short: "end a silence before its time", Example: "  fettle silence end 0198f0c2-7d3a-7c11-9d3e-1f2a3b4c5d6e", Args: takes("ID"), ValidArgsFunction: a.namesOf(0, silenceIDs),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			_, err = c.EndSilence(cmd.Context(), args[0])
			return err
		},
	}
}

// silenceIDs are those of the silences that hold or wait.
func silenceIDs(ctx context.Context, c *client.API, _ string) (ids []string, err error) {
	list, err := c.Silences(ctx, false)
	for _, s := range list {
		ids = append(ids, s.Id+"\t"+s.Reason)
	}
	return ids, err
}

func (a *app) printSilence(s *client.SilenceInfo) error {
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(a.stdout, "%-10s %s\n", key, clean(value))
		}
	}
	line("id", s.Id)
	until := untilOf(*s)
	if s.Until != nil {
		until = "until " + until
	}
	line("phase", strings.TrimSpace(string(s.Phase)+" "+until))
	if s.Until != nil {
		line("nodes", fmt.Sprint(s.Nodes))
	}
	line("filter", string(s.Filter))
	line("checks", strings.Join(s.Checks, ", "))
	line("reason", s.Reason)
	line("author", s.Author)
	line("expires", s.Expires.UTC().Format(time.RFC3339))
	if s.Cron != nil && s.DurationMs != nil {
		line("windows", fmt.Sprintf("%s for %s %s", *s.Cron, spell(time.Duration(*s.DurationMs)*time.Millisecond), word(s.Zone)))
	}
	line("ended by", word(s.EndedBy))
	return nil
}
