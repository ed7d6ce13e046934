package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) policyCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "policy", Short: "who may run what where", GroupID: groupPeople,
		Long: `A policy names actions and says in CEL, over user (name, role, groups), action, inputs and the node, when it is true. One that denies keeps a task from
every node for which it is true or undefined. As soon as one allows some actions, these run only where one that allows them is true. Policies narrow what
roles give, and hold for administrators too. Nodes that are not asked are counted as never, with the reason.`,
		Example: "  fettle policy apply policies.yaml\n  fettle policy test --user ann --action service.restart --node web1.acme.net",
	}, a.policyListCommand(), a.policyApplyCommand(), a.policyTestCommand(), a.policyDeleteCommand())
}

func (a *app) policyListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "the policies", Example: "  fettle policy list\n  fettle policy list -o yaml", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		policies, err := c.Policies(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"NAME", "EFFECT", "ACTIONS", "WHEN", "OWNER", "+DESCRIPTION", "+UPDATED"}, object: client.PolicyList{Policies: policies}, none: "there is no policy: roles alone decide; \"policy apply FILE\" makes one"}
		for _, p := range policies {
			l.rows = append(l.rows, []string{p.Name, word(p.Effect), strings.Join(p.Actions, ","), p.When, p.Owner, word(p.Description), p.Updated.UTC().Format(time.RFC3339)})
			l.lines = append(l.lines, p)
		}
		return l.write(a)
	}
	return cmd
}

// word gives what a text that may be left out has; empty: it is.
func word[T ~string](p *T) string {
	if p == nil {
		return ""
	}
	return string(*p)
}

// policyFile is a file of policies.
type policyFile struct {
	Policies []struct {
		Name        string   `yaml:"name"`
		Description string   `yaml:"description"`
		Effect      string   `yaml:"effect"` // empty: allow
		Actions     []string `yaml:"actions"`
		When        string   `yaml:"when"`
	} `yaml:"policies"`
}

func (a *app) policyApplyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "apply FILE", Short: "save the policies of a file", Args: takes("FILE"),
		Long: `Saves each policy of a YAML file, "-" for stdin, in the place of the one of its name; others stay. It stops at the first that cannot be, and says where
it is wrong.

  policies:
    - name: release
      actions: [service.restart]
      when: '"release" in user.groups && facts.env != "prod"'
    - name: freeze
      effect: deny
      actions: ["*"]
      when: facts.env == "prod" && now < timestamp("2027-01-02T00:00:00Z")`,
		Example: "  fettle policy apply policies.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			file, err := a.readPolicies(args[0])
			if err != nil {
				return err
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			for _, p := range file.Policies {
				body := client.PolicyBody{Description: pointer(p.Description), Actions: p.Actions, When: p.When}
				if p.Effect != "" {
					effect := client.PolicyBodyEffect(p.Effect)
					body.Effect = &effect
				}
				saved, err := c.SavePolicy(cmd.Context(), p.Name, body)
				if err != nil {
					return fmt.Errorf("policy %s: %w", p.Name, err)
				}
				fmt.Fprintf(a.stdout, "%s saved, rev %d\n", saved.Name, saved.Rev)
			}
			return nil
		},
	}
}

func (a *app) readPolicies(name string) (file policyFile, err error) {
	raw, err := a.readInput(name)
	if err != nil {
		return file, err
	}
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		return file, fmt.Errorf("%s:%s: %w", name, strings.TrimSpace(yaml.FormatError(err, false, true)), fettle.ErrInvalid)
	}
	for i, p := range file.Policies {
		if p.Name == "" {
			return file, fmt.Errorf("%s: policies[%d] has no name: %w", name, i, fettle.ErrInvalid)
		}
	}
	if len(file.Policies) == 0 {
		return file, fmt.Errorf("%s: there are no policies in it: %w", name, fettle.ErrInvalid)
	}
	return file, nil
}

func (a *app) policyTestCommand() *cobra.Command {
	var t client.PolicyTest
	var user, role, node string
	var groups []string
	cmd := &cobra.Command{
		Use: "test [INPUT=VALUE...]", Short: "what the policies say of a user, an action and a node", Args: takes("INPUT..."), ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "Shows what each policy that names the action is for the node, and why. Nothing is run. Exit code 1: it would not be allowed.",
		Example: "  fettle policy test --action agent.ping --node web1.acme.net\n  fettle policy test --user ann --groups release --action service.restart --node web1.acme.net name=nginx",
	}
	cmd.Flags().StringVar(&user, "user", "", "`NAME` of the user; default: who asks")
	cmd.Flags().StringVar(&role, "role", "", "`ROLE` in the place of the user's own")
	cmd.Flags().StringSliceVar(&groups, "groups", nil, "`GROUPS` in the place of the user's own")
	cmd.Flags().StringVar(&t.Action, "action", "", "`ACTION` that would be run")
	cmd.Flags().StringVar(&node, "node", "", "`NODE` that would be asked")
	flagNames(cmd, map[string]complete{
		"action": a.namesOf(-1, actionNames), "user": a.namesOf(-1, userNames), "node": a.namesOf(-1, nodeNames), "role": cobra.FixedCompletions(roleNames, cobra.ShellCompDirectiveNoFileComp),
	})
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if t.Action == "" || node == "" {
			return usage(fmt.Errorf("--action and --node are wanted: %w", fettle.ErrInvalid))
		}
		t.User, t.Role, t.Node = pointer(user), pointer(role), fettle.NodeID(node)
		if cmd.Flags().Changed("groups") {
			t.Groups = groups
		}
		inputs := map[string]any{}
		for _, arg := range args {
			name, value, found := strings.Cut(arg, "=")
			if !found {
				return usage(fmt.Errorf("%q is no input such as name=value: %w", arg, fettle.ErrInvalid))
			}
			inputs[name] = value
		}
		if len(inputs) > 0 {
			t.Inputs = inputs
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		v, err := c.TestPolicies(cmd.Context(), t)
		if err != nil {
			return err
		}
		if err := a.printObject(v, func() error { return a.printVerdict(v) }); err != nil || v.Allowed {
			return err
		}
		return &codeError{code: exitFault}
	}
	return cmd
}

func (a *app) printVerdict(v *client.PolicyVerdict) error {
	t := newTable("POLICY", "EFFECT", "IS", "BECAUSE")
	for _, p := range v.Policies {
		because := ""
		if len(p.Missing) > 0 {
			because = "missing " + strings.Join(p.Missing, ", ")
		}
		t.add(p.Name, string(p.Effect), string(p.Truth), because)
	}
	if len(v.Policies) > 0 {
		if err := t.write(a.stdout); err != nil {
			return err
		}
	}
	text := "allowed"
	switch {
	case !v.Allowed:
		text = "refused: " + v.Reason
	case len(v.Policies) == 0:
		text = "allowed: no policy names the action, and roles alone decide"
	}
	_, err := fmt.Fprintln(a.stdout, clean(text))
	return err
}

func (a *app) policyDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "take a policy away", Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, policyNames), Example: "  fettle policy delete freeze",
		Long: "What it denied is allowed; what it alone allowed is denied as long as another policy names the action.",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return c.DeletePolicy(cmd.Context(), args[0])
		},
	}
}

// policyNames are the names of the policies.
func policyNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	policies, err := c.Policies(ctx)
	for _, p := range policies {
		names = append(names, p.Name)
	}
	return names, err
}
