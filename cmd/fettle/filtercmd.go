package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) filterCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "filter", Short: "look into filters, and keep them under names", GroupID: groupAsk,
		Example: "  fettle filter explain -W 'environment=production mysql::master'\n  fettle filter save web-prod -W 'role=web environment=production'",
	}, a.explainCommand(), a.spendersCommand(), a.saveCommand(), a.savedCommand(), a.showFilterCommand(), a.deleteFilterCommand())
}

func (a *app) explainCommand() *cobra.Command {
	var m aim
	var node string
	cmd := &cobra.Command{
		Use: "explain [FILTER]", Short: "what a filter means, clause by clause, and why a node is not in it",
		Long: `Shows the short form in CEL, for how many nodes each clause is true, false and undefined, what is missing, and with --node which
clause keeps that node out. HOW says how a clause is answered: by an index, once for all nodes that are alike in what it reads, or by a
scan, node by node, over those that the other clauses leave.`,
		Example: `  fettle filter explain -W 'environment=production mysql::master'
  fettle filter explain 'facts.env != "prod"' --node web1.acme.net`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.aimFlags(cmd, &m)
	cmd.Flags().StringVar(&node, "node", "", "say for this `NODE` which clause keeps it out")
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
		return a.printObject(x, func() error { return a.printExplanation(x) })
	}
	return cmd
}

func (a *app) spendersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "spenders", Short: "the filters that cost the server the most time",
		Long: `Shows, of the filters that were asked lately, those that have cost the most time, the costliest first. SCANNED counts the nodes that had to be
evaluated one by one, because no index answers the filter or a clause of it; REFUSED counts the questions that would have taken longer than
the server's filter-budget. 'fettle filter explain' shows which clause it is.`,
		Example: "  fettle filter spenders\n  fettle filter spenders -o json", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		spenders, err := c.Spenders(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"FILTER", "ASKED", "REFUSED", "SCANNED", "TOOK_MS"}, object: client.SpenderList{Spenders: spenders}}
		for _, s := range spenders {
			l.rows = append(l.rows, []string{string(s.Filter), fmt.Sprint(s.Runs), fmt.Sprint(s.Refused), fmt.Sprint(s.Passes), fmt.Sprintf("%.1f", s.TookMs)})
			l.lines = append(l.lines, s)
		}
		return l.write(a)
	}
	return cmd
}

func (a *app) printExplanation(x *client.Explanation) error {
	fmt.Fprintf(a.stdout, "%s\n%d match, %d undefined", clean(string(x.Filter)), x.Matched, x.Undefined)
	if x.Undefined > 0 {
		fmt.Fprintf(a.stdout, ": %s", reasons(x.UndefinedBy))
	}
	fmt.Fprint(a.stdout, "\n\n")
	t := newTable("CLAUSE", "TRUE", "FALSE", "UNDEFINED", "HOW")
	if x.Node != nil {
		t = newTable("CLAUSE", "TRUE", "FALSE", "UNDEFINED", "HOW", "NODE")
	}
	addClause(t, x.Clause, "", x.Node != nil)
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

// addClause adds a row for a clause, and below it, indented, those within it.
func addClause(t *table, c client.Clause, indent string, node bool) {
	text := c.Op
	if c.Text != nil && *c.Text != "" {
		text = *c.Text
	}
	row := []string{indent + text, fmt.Sprint(c.True), fmt.Sprint(c.False), fmt.Sprint(c.Undefined), howOf(c)}
	if node {
		row = append(row, orNothing(c.Truth))
	}
	t.add(row...)
	for _, kid := range c.Clauses {
		addClause(t, kid, indent+"  ", node)
	}
}

// howOf says how a clause is answered: from which index, or for how many nodes one by one.
func howOf(c client.Clause) string {
	how := orNothing(c.How)
	switch {
	case c.Index != nil && *c.Index != "":
		return how + " over " + *c.Index
	case c.Asked != nil:
		return fmt.Sprintf("%s of %d", how, *c.Asked)
	}
	return how
}

func orNothing(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// reasons writes why a filter is undefined, and for how many nodes.
func reasons[N int | int64](by map[string]N) string {
	var why []string
	for _, reason := range slices.Sorted(maps.Keys(by)) {
		why = append(why, fmt.Sprintf("%s (%d)", clean(reason), by[reason]))
	}
	return strings.Join(why, ", ")
}
