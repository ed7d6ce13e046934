package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) checksTestCommand() *cobra.Command {
	var m aim
	var from string
	var limit int
	cmd := &cobra.Command{
		Use: "test [NAME] [FILTER]", Short: "what state a check would have on some nodes, now", Args: takes("NAME?", "FILTER?"), ValidArgsFunction: a.namesOf(0, definedNames),
		Long: `Asks nodes once what a definition asks, and prints what the state of each would be. Nothing is kept. The definition is that of a file, or the one of NAME;
the nodes are those that it means, or those of a filter. The exit code is that of the worst: 0 ok, 1 warning, 2 critical, 3 unknown.`,
		Example: "  fettle checks test -f disk.yaml\n  fettle checks test disk -I web1.acme.net\n  fettle checks test disk -W role=web --limit 50",
	}
	a.aimFlags(cmd, &m)
	cmd.Flags().StringVarP(&from, "file", "f", "", "`FILE` with the definition; with NAME, the one of that name in it")
	cmd.Flags().IntVar(&limit, "limit", 10, "`NODES` at most")
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var bare []string
		if len(args) > 1 {
			bare = args[1:]
		}
		where, err := m.filter(cmd.Context(), bare, false)
		if err != nil {
			return err
		}
		if m.all {
			where = "true"
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		order := client.CheckTestOrder{Where: pointer(string(where)), Limit: pointer(int64(limit))}
		switch {
		case from != "":
			if order.Definition, err = a.definitionIn(from, args); err != nil {
				return err
			}
		case len(args) > 0:
			k, err := c.Check(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			order.Definition = k.CheckDefinition
		default:
			return usage(fmt.Errorf("a name or -f FILE is wanted: %w", fettle.ErrInvalid))
		}
		over := a.waitsFor("the nodes", cmp.Or(order.Definition.Timeout, fettle.Span(fettle.DefaultTimeout)).Duration())
		tested, err := c.TestCheck(cmd.Context(), order)
		over()
		if err != nil {
			return err
		}
		return a.printTested(tested)
	}
	return cmd
}

// definitionIn gives the one definition of a file, or the one that is named.
func (a *app) definitionIn(from string, args []string) (fettle.CheckDefinition, error) {
	set, err := a.readDefinitions(from)
	if err != nil {
		return fettle.CheckDefinition{}, err
	}
	for _, d := range set.Checks {
		if len(args) == 0 && len(set.Checks) == 1 || len(args) > 0 && d.Name == args[0] {
			return d.CheckDefinition, nil
		}
	}
	return fettle.CheckDefinition{}, usage(fmt.Errorf("%s has %d checks, name one of them: %w", from, len(set.Checks), fettle.ErrInvalid))
}

func (a *app) printTested(tested *client.TestedCheck) error {
	worst := fettle.CheckOK
	l := listing{columns: []string{"NODE", "STATUS", "OUTPUT", "+TOOK"}, object: tested, footer: fmt.Sprintf("%d of %d nodes", len(tested.Nodes), tested.Meant)}
	for _, n := range tested.Nodes {
		status := fettle.CheckStatus(n.Status)
		if worstOf[status] > worstOf[worst] {
			worst = status
		}
		l.rows = append(l.rows, []string{string(n.Node), string(n.Status), n.Output, fmt.Sprintf("%d ms", n.TookMs)})
		l.lines = append(l.lines, n)
	}
	err := l.write(a)
	if err == nil && worst != fettle.CheckOK {
		err = &codeError{code: int(worst.Code())}
	}
	return err
}

var worstOf = map[fettle.CheckStatus]int{fettle.CheckWarning: 1, fettle.CheckUnknown: 2, fettle.CheckCritical: 3}

func (a *app) checksHistoryCommand() *cobra.Command {
	var since string
	var hard bool
	var limit int
	cmd := &cobra.Command{
		Use: "history CHECK [NODE]", Short: "what has changed in the states of a check", Args: takes("CHECK", "NODE?"), ValidArgsFunction: a.namesOf(0, definedNames),
		Long:    "The newest first. A state that is soft does not count yet; stale says that no result came for too long, and gone that the node has left the check.",
		Example: "  fettle checks history disk\n  fettle checks history disk web1.acme.net --since -7d --hard",
	}
	cmd.Flags().StringVar(&since, "since", "", "the `MOMENT` to go back to: 2026-11-14T09:00, -2h, -3d, yesterday; default: as far as the limit allows")
	cmd.Flags().BoolVar(&hard, "hard", false, "only what changed what counts")
	cmd.Flags().IntVar(&limit, "limit", 100, "`CHANGES` at most; with --since there is no limit")
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		from, err := moment("since", since, time.Now())
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		p := client.ShowCheckHistoryParams{Since: pointer(from), Hard: pointer(hard)}
		if len(args) > 1 {
			p.Node = &args[1]
		}
		if from == "" {
			p.Limit = pointer(int64(limit))
		}
		past := client.CheckPast{Check: args[0], Changes: []client.CheckChange{}}
		for {
			page, err := c.CheckHistory(cmd.Context(), args[0], &p)
			if err != nil {
				return err
			}
			past.Changes = append(past.Changes, page.Changes...)
			if page.Next == "" || from == "" {
				break
			}
			p.Cursor = &page.Next
		}
		l := listing{columns: []string{"AT", "NODE", "FROM", "TO", "KIND", "REMEDY", "OUTPUT"}, object: past}
		for _, ch := range past.Changes {
			l.rows = append(l.rows, []string{ch.At.UTC().Format(time.RFC3339), string(ch.Node), orGone(string(ch.From)), orGone(string(ch.To)), kindOf(ch), remedyText(ch.Remedy), ch.Output})
			l.lines = append(l.lines, ch)
		}
		return l.write(a)
	}
	return cmd
}

func orGone(status string) string {
	if status == "" {
		return "-"
	}
	return status
}

// remedyText says what a change called for, and its number for fettle remedies show.
func remedyText(r *client.ChangeRemedy) string {
	if r == nil {
		return "-"
	}
	return fmt.Sprintf("%s (%d)", r.Phase, r.Id)
}

// kindOf says in a word what a change is.
func kindOf(ch client.CheckChange) string {
	kind := "soft"
	switch {
	case ch.To == "":
		kind = "gone"
	case ch.Hard:
		kind = "hard"
	}
	if ch.Flapping != nil {
		kind += ", flapping " + string(*ch.Flapping)
	}
	return kind
}

func (a *app) checksAvailabilityCommand() *cobra.Command {
	var since, until, by string
	cmd := &cobra.Command{
		Use: "availability CHECK [NODE]", Short: "how long a check had which status", Args: takes("CHECK", "NODE?"), ValidArgsFunction: a.namesOf(0, definedNames),
		Long:    "In percent of the time in which there was a state. Time in which there was none is not determined, and said apart.",
		Example: "  fettle checks availability disk --since -7d\n  fettle checks availability disk --since 2026-11-01 --until 2026-12-01 --by node",
	}
	cmd.Flags().StringVar(&since, "since", "-7d", "the `MOMENT` at which it begins")
	cmd.Flags().StringVar(&until, "until", "", "the `MOMENT` at which it ends; default: now")
	cmd.Flags().StringVar(&by, "by", "", "`WHAT`: node, for a line for each node, too")
	flagNames(cmd, map[string]complete{"by": cobra.FixedCompletions([]string{"node"}, cobra.ShellCompDirectiveNoFileComp)})
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		now := time.Now()
		from, err := moment("since", since, now)
		if err != nil {
			return err
		}
		to, err := moment("until", until, now)
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		p := client.ShowAvailabilityParams{Since: pointer(from), Until: pointer(to)}
		if len(args) > 1 {
			p.Node = &args[1]
		}
		if by != "" {
			by := client.ShowAvailabilityParamsBy(by)
			p.By = &by
		}
		whole, err := c.Availability(cmd.Context(), args[0], &p)
		if err != nil {
			return err
		}
		for next := whole.Next; next != nil && *next != ""; {
			p.Cursor = next
			page, err := c.Availability(cmd.Context(), args[0], &p)
			if err != nil {
				return err
			}
			whole.Nodes, next = append(whole.Nodes, page.Nodes...), page.Next
		}
		whole.Next = nil
		return a.printAvailability(whole)
	}
	return cmd
}

func (a *app) printAvailability(v *client.Availability) error {
	l := listing{
		columns: []string{"NODE", "OK", "WARNING", "CRITICAL", "UNKNOWN", "STALE", "NOT DETERMINED"}, object: v,
		footer: fmt.Sprintf("%s on %d nodes, %s to %s", v.Check, v.Count, v.From.UTC().Format(time.RFC3339), v.Until.UTC().Format(time.RFC3339)),
	}
	percent := func(f float64) string { return fmt.Sprintf("%.3f %%", f) }
	seconds := func(n int64) string { return spell(time.Duration(n) * time.Second) }
	for _, n := range v.Nodes {
		l.rows = append(l.rows, []string{string(n.Node), percent(n.Ok), percent(n.Warning), percent(n.Critical), percent(n.Unknown), percent(n.Stale), seconds(n.UndeterminedSeconds)})
		l.lines = append(l.lines, n)
	}
	l.rows = append(l.rows, []string{"(all)", percent(v.Ok), percent(v.Warning), percent(v.Critical), percent(v.Unknown), percent(v.Stale), seconds(v.UndeterminedSeconds)})
	return l.write(a)
}
