package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) groupCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "group", Short: "verdicts that are folded into one", GroupID: groupChecks,
		Long: `A group folds the verdicts of checks and groups into one: the worst of them; or one that is well is enough; or at least so many. With by there is one
verdict for each value of a fact, too. "fettle check NAME" and "check_fettle --group NAME" ask for it.`,
		Example: "  fettle group apply shop.yaml\n  fettle check shop",
	}, a.groupListCommand(), a.groupShowCommand(), a.groupApplyCommand(), a.groupDeleteCommand())
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
		l := listing{columns: []string{"NAME", "FOLD", "MEMBERS", "BY", "+OWNER", "+UPDATED"}, object: client.GroupList{Groups: groups}}
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
		Use: "show NAME", Short: "one group, as it is applied", Example: "  fettle group show shop\n  fettle group show shop -o yaml", Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, groupNames),
	}
	a.outputFlag(cmd, "yaml", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		g, err := c.Group(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return a.printObject(g, func() error { return printYAML(a.stdout, g) })
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

func (a *app) groupApplyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "apply FILE", Short: "save the groups of a file", Args: takes("FILE"),
		Long: `Saves each document of a YAML file that says kind: group, "-" for stdin, in the place of the group of its name; others stay. A group comes after its
members. It stops at the first that cannot be, and says where it is wrong.

  kind: group
  name: shop
  fold: at_least
  at_least: 2
  by: facts.customer
  members:
    - check: check_http
    - check: check_load
      filter: facts.role == "db"
      rule: {min_ok: "2"}
    - group: payments`,
		Example: "  fettle group apply shop.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			groups, err := a.readGroups(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			for _, g := range groups {
				saved, err := c.SaveGroup(cmd.Context(), g.Name, g.GroupBody)
				if err != nil {
					return fmt.Errorf("group %s: %w", g.Name, err)
				}
				rev := int64(0)
				if saved.Rev != nil {
					rev = *saved.Rev
				}
				fmt.Fprintf(a.stdout, "%s saved, rev %d\n", saved.Name, rev)
			}
			return nil
		},
	}
}

// groupDocument is a group in a file.
type groupDocument struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	client.GroupBody
}

// readGroups reads the documents of kind group; others are somebody else's.
func (a *app) readGroups(name string) (groups []groupDocument, err error) {
	raw, err := a.readInput(name)
	if err != nil {
		return nil, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	for i := 1; ; i++ {
		var doc map[string]any
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%s: %w", name, strings.TrimSpace(yaml.FormatError(err, false, true)), fettle.ErrInvalid)
		}
		if doc["kind"] != "group" {
			continue
		}
		g, err := readGroup(doc)
		if err != nil {
			return nil, fmt.Errorf("%s: document %d: %w: %w", name, i, err, fettle.ErrInvalid)
		}
		groups = append(groups, g)
	}
	if len(groups) == 0 {
		return nil, fmt.Errorf("%s: there is no document in it that says kind: group: %w", name, fettle.ErrInvalid)
	}
	return groups, nil
}

// readGroup reads one document; a key that no group has is refused.
func readGroup(doc map[string]any) (g groupDocument, err error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return g, err
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&g); err != nil {
		return g, err
	}
	if g.Name == "" {
		return g, errors.New("the group has no name")
	}
	return g, nil
}
