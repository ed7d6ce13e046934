package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) saveCommand() *cobra.Command {
	var m aim
	var description string
	cmd := &cobra.Command{
		Use: "save NAME [FILTER]", Short: "keep a filter under a name",
		Long: `Keeps a filter, to be used as @NAME wherever a filter is: on the command line, in REST, in a check, in another saved filter. What is there
already is replaced, by its owner or an administrator only; checks that stand on it follow. Nothing is saved that would not compile.`,
		Example: `  fettle filter save web-prod -W 'role=web environment=production' --description 'all that serve customers'
  fettle filter save web-prod-us '@web-prod && facts.country == "us"'
  fettle find @web-prod-us`,
		Args: takes("NAME", "FILTER?"), ValidArgsFunction: a.namesOf(0, filterNames),
	}
	a.aimFlags(cmd, &m)
	cmd.Flags().StringVar(&description, "description", "", "`TEXT` that says what it is for")
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		where, err := m.filter(cmd.Context(), args[1:], true)
		if err != nil {
			return err
		}
		if where == "" {
			return usage(fmt.Errorf("every node needs no name; give a filter: %w", fettle.ErrInvalid))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		f, err := c.SaveFilter(cmd.Context(), savedName(args[0]), client.FilterOrder{Where: pointer(string(where)), Description: pointer(description)})
		if err != nil {
			return err
		}
		return a.printObject(f, func() error { return a.printSaved(f) })
	}
	return cmd
}

func (a *app) savedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "the saved filters", Example: "  fettle filter list\n  fettle filter list -o json", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		filters, err := c.SavedFilters(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"NAME", "FILTER", "OWNER", "DESCRIPTION", "+UPDATED"}, object: client.SavedFilterList{Filters: filters}, none: "no filter is saved; \"filter save NAME FILTER\" does it"}
		for _, f := range filters {
			l.rows = append(l.rows, []string{f.Name, string(f.Filter), f.Owner, f.Description, f.Updated.UTC().Format(time.RFC3339)})
			l.lines = append(l.lines, f)
		}
		return l.write(a)
	}
	return cmd
}

func (a *app) showFilterCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "one saved filter, and what it stands for", Example: "  fettle filter show web-prod",
		Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, filterNames),
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		f, err := c.SavedFilter(cmd.Context(), savedName(args[0]))
		if err != nil {
			return err
		}
		return a.printObject(f, func() error { return a.printSaved(f) })
	}
	return cmd
}

func (a *app) deleteFilterCommand() *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "take a saved filter away", Example: "  fettle filter delete web-prod",
		Long: "Refused while a check or another filter stands on it.",
		Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, filterNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return c.DeleteFilter(cmd.Context(), savedName(args[0]))
		},
	}
}

// savedName takes the @ away with which a person may write a name.
func savedName(text string) string { return strings.TrimPrefix(text, "@") }

func (a *app) printSaved(f *client.SavedFilter) error {
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(a.stdout, "%-12s %s\n", key, clean(value))
		}
	}
	line("name", "@"+f.Name)
	line("filter", string(f.Filter))
	if f.Expanded != nil && *f.Expanded != string(f.Filter) {
		line("stands for", *f.Expanded)
	}
	line("description", f.Description)
	line("owner", f.Owner)
	line("updated", f.Updated.UTC().Format(time.RFC3339))
	return nil
}

// filterNames are the names of saved filters.
func filterNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	filters, err := c.SavedFilters(ctx)
	for _, f := range filters {
		names = append(names, f.Name+"\t"+f.Description)
	}
	return names, err
}

// savedNames are the same, as they stand in a filter.
func savedNames(ctx context.Context, c *client.API, begun string) ([]string, error) {
	names, err := filterNames(ctx, c, begun)
	for i := range names {
		names[i] = "@" + names[i]
	}
	return names, err
}
