package main

import (
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
	"github.com/spf13/cobra"
)

func (a *app) filterCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "filter", Short: "look into filters, and keep them under names", GroupID: groupAsk,
		Example: "  fettle filter explain -W 'environment=production mysql::master'\n  fettle filter save web-prod -W 'role=web environment=production'",
	}, a.explainCommand(), a.saveCommand(), a.savedCommand(), a.showFilterCommand(), a.deleteFilterCommand())
}

func (a *app) explainCommand() *cobra.Command {
	var m aim
	var node string
	cmd := &cobra.Command{
		Use: "explain [FILTER]", Short: "what a filter means, clause by clause, and why a node is not in it",
		Long: "Shows the short form in CEL, for how many nodes each clause is true, false and undefined, what is missing, and with --node which\nclause keeps that node out.",
		Example: `  fettle filter explain -W 'environment=production mysql::master'
  fettle filter explain 'facts.env != "prod"' --node web1.acme.net`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.aimFlags(cmd, &m)
	cmd.Flags().StringVar(&node, "node", "", "say for this node which clause keeps it out")
	flagNames(cmd, map[string]complete{"node": a.namesOf(-1, nodeNames)})
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		where, err := m.filter(cmd.Context(), args, true)
		if err != nil {
			return err
		}
		if where == "" {
			return usage(fmt.Errorf("every node needs no explanation; give a filter: %w", fettle.ErrInvalid))
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		x, err := c.Explain(cmd.Context(), client.ExplainOrder{Where: pointer(string(where)), Node: pointer(fettle.NodeID(strings.ToLower(node)))})
		if err != nil {
			return err
		}
		switch a.output {
		case "json":
			return printJSON(a.stdout, x)
		case "yaml":
			return printYAML(a.stdout, x)
		}
		return a.printExplanation(x)
	}
	return cmd
}

func (a *app) printExplanation(x *client.Explanation) error {
	fmt.Fprintf(a.stdout, "%s\n%d match, %d undefined\n\n", clean(string(x.Filter)), x.Matched, x.Undefined)
	t := newTable("CLAUSE", "TRUE", "FALSE", "UNDEFINED", "HOW")
	addClause(t, x.Clause, "")
	if err := t.write(a.stdout); err != nil {
		return err
	}
	for _, u := range x.Unknown {
		fmt.Fprintf(a.stdout, "\nno node has %s", clean(u.Path))
		if u.Suggestion != nil && *u.Suggestion != "" {
			fmt.Fprintf(a.stdout, "; did you mean %s?", clean(*u.Suggestion))
		}
		fmt.Fprintln(a.stdout)
	}
	if x.Node != nil {
		fmt.Fprintf(a.stdout, "\n%s: %s\n", x.Node.Identity, x.Node.Truth)
		for _, missing := range x.Node.Missing {
			fmt.Fprintf(a.stdout, "  undefined: %s\n", clean(missing))
		}
		for _, clause := range x.Node.KeptOut {
			fmt.Fprintf(a.stdout, "  kept out by: %s\n", clean(clause))
		}
	}
	return nil
}

func addClause(t *table, c client.Clause, indent string) {
	text, how := c.Op, ""
	if c.Text != nil && *c.Text != "" {
		text = *c.Text
	}
	if c.How != nil {
		how = *c.How
	}
	t.add(indent+text, fmt.Sprint(c.True), fmt.Sprint(c.False), fmt.Sprint(c.Undefined), how)
	for _, kid := range c.Clauses {
		addClause(t, kid, indent+"  ")
	}
}
