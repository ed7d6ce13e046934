package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks/files"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) checksCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "checks", Short: "define checks, and see what they were", GroupID: groupChecks,
		Long: `A check is a task asked of matching nodes again and again. Its definition says what is asked (a command line of a plugin, an NRPE command, an action
whose outcome rules in CEL judge, or an expression over the node's facts), of whom, how often, and what becomes of it. The nodes hear of a change within
seconds, and go on while the server is away. For the verdict of a check: fettle check NAME.`,
		Example: "  fettle checks apply -f checks/\n  fettle checks history disk --since -1d",
	}, a.checksListCommand(), a.checksShowCommand(), a.checksApplyCommand(), a.checksDeleteCommand(), a.checksTestCommand(), a.checksHistoryCommand(), a.checksAvailabilityCommand())
}

func (a *app) checksListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "the checks that are defined", Example: "  fettle checks list\n  fettle checks list -o yaml", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		list, err := c.Checks(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"NAME", "ASKS", "FILTER", "EVERY", "ATTEMPTS", "OWNER", "+REV", "+SOURCE", "+UPDATED"}, object: client.CheckList{Checks: list}, none: "no check is defined; \"checks apply -f FILE\" makes one"}
		for _, k := range list {
			owner := k.Owner
			if k.Source != "" {
				owner = "(" + k.Source + ")"
			}
			l.rows = append(l.rows, []string{
				k.Name, asks(k.CheckDefinition), string(k.Filter), every(k.CheckDefinition), fmt.Sprint(max(k.Attempts, 1)), owner, fmt.Sprint(k.Rev), k.Source,
				k.Updated.Time().UTC().Format(time.RFC3339),
			})
			l.lines = append(l.lines, k)
		}
		return l.write(a)
	}
	return cmd
}

// asks tells in a few words what a definition asks.
func asks(d fettle.CheckDefinition) string {
	switch {
	case d.Command != "":
		return "command " + d.Command
	case d.NRPE != "":
		return strings.TrimSpace("nrpe " + d.NRPE + " " + strings.Join(d.Args, " "))
	case d.Action != "":
		return "action " + d.Action
	}
	return "expression " + string(d.Expression)
}

// every tells when it is asked.
func every(d fettle.CheckDefinition) string {
	switch {
	case d.Cron != "":
		return d.Cron
	case d.Interval == 0:
		return "1m"
	}
	return d.Interval.String()
}

func (a *app) checksShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "one definition, as a file that apply takes", Example: "  fettle checks show disk\n  fettle checks show disk -o json",
		Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, definedNames),
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		k, err := c.Check(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printObject(k, func() error {
			text, err := files.Write(k.CheckDefinition)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "# rev %d, of %s by %s\n", k.Rev, k.Updated.Time().UTC().Format(time.RFC3339), clean(k.Editor))
			if k.Source != "" {
				fmt.Fprintf(a.stdout, "# defined in %s, and changed there\n", clean(k.Source))
			}
			if k.Fault != "" {
				fmt.Fprintf(a.stdout, "# it has no nodes: %s\n", clean(k.Fault))
			}
			_, err = fmt.Fprint(a.stdout, text)
			return err
		})
	}
	return cmd
}

func (a *app) checksDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME...", Short: "take checks away, with their states", Example: "  fettle checks delete disk", Args: takes("NAME", "NAME..."),
		Long: "The history of their states stays until it is past its keeping. Refused while another check depends on one.", ValidArgsFunction: a.namesOf(0, definedNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			for _, name := range args {
				if err := c.DeleteCheck(cmd.Context(), name); err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "%s deleted\n", name)
			}
			return nil
		},
	}
}

// definedNames are the names of the checks that are defined.
func definedNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	list, err := c.Checks(ctx)
	for _, k := range list {
		names = append(names, k.Name+"\t"+asks(k.CheckDefinition))
	}
	return names, err
}
