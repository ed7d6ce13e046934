package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) groupCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "group", Short: "verdicts that are folded into one", GroupID: groupChecks,
		Long: `A group folds the verdicts of checks and groups into one: the worst of them; or one that is well is enough; or at least so many. With by there is one
verdict for each value of a fact, too. "fettle check NAME" and "check_fettle --group NAME" ask for it; "fettle checks apply" makes groups and checks from files.`,
		Example: "  fettle checks apply -f shop.yaml   # a file with groups and checks\n  fettle group list\n  fettle group show shop\n  fettle check shop",
	}, a.groupListCommand(), a.groupShowCommand(), a.groupDeleteCommand())
}

func (a *app) groupListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "the groups", Example: "  fettle group list\n  fettle group list -o yaml", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		groups, err := c.Groups(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"NAME", "FOLD", "MEMBERS", "BY", "+OWNER", "+UPDATED"}, object: client.GroupList{Groups: groups}, none: "there is no group; \"checks apply -f FILE\" makes one"}
		for _, g := range groups {
			l.rows = append(l.rows, []string{g.Name, foldText(g), membersText(g.Members), word(g.By), word(g.Owner), g.Updated.UTC().Format(time.RFC3339)})
			l.lines = append(l.lines, g)
		}
		return l.write(a)
	}
	return cmd
}

func foldText(g client.GroupInfo) string {
	text := word(g.Fold)
	if g.AtLeast != nil {
		text = fmt.Sprintf("%s %d", text, *g.AtLeast)
	}
	return text
}

func membersText(members []client.GroupMember) string {
	texts := make([]string, len(members))
	for i, m := range members {
		texts[i] = word(m.Check) + word(m.Group)
		if m.Filter != nil {
			texts[i] = strings.TrimSpace(texts[i] + " where " + string(*m.Filter))
		}
	}
	return strings.Join(texts, ", ")
}

func (a *app) groupShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "one group, as a file that apply takes", Example: "  fettle group show shop\n  fettle group show shop -o yaml", Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, groupNames),
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		g, err := c.Group(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printObject(g, func() error {
			_, text, err := writtenGroup(*g)
			if err != nil {
				return err
			}
			rev := int64(0)
			if g.Rev != nil {
				rev = *g.Rev
			}
			_, err = fmt.Fprintf(a.stdout, "# rev %d, of %s by %s\n%s", rev, g.Updated.UTC().Format(time.RFC3339), clean(g.UpdatedBy), text)
			return err
		})
	}
	return cmd
}

func (a *app) groupDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "take a group away", Long: "Refused while another group, or a check, stands on it.", Example: "  fettle group delete shop",
		Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, groupNames),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return c.DeleteGroup(cmd.Context(), args[0])
		},
	}
}

// groupNames are the names of groups.
func groupNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	groups, err := c.Groups(ctx)
	for _, g := range groups {
		names = append(names, g.Name+"\t"+membersText(g.Members))
	}
	return names, err
}
