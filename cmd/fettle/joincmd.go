package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) joinTokenCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "join-token", Short: "what lets new machines enrol", GroupID: groupPeople,
		Long: "A machine enrols with a join token: it proves by it that it may, and knows by it that the server is the right one. The token's secret never\n" +
			"travels. Only an admin's token does this.",
		Example: `  fettle join-token create --uses 50 --ttl 24h --pool linux
  fettle join-token list`,
	}, a.joinTokenCreateCommand(), a.joinTokenListCommand(), a.joinTokenDeleteCommand())
}

func (a *app) joinTokenCreateCommand() *cobra.Command {
	var uses int64
	var ttl, name, pool, approval, file string
	var labels []string
	approvals := []string{"auto", "manual"}
	cmd := &cobra.Command{
		Use: "create", Short: "make a join token", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Prints the token, once: nobody can read it again. With --write it goes into a file instead, mode 0600. The same machine may ask with it again\n" +
			"at any time, which costs no use.",
		Example: `  fettle join-token create
  fettle join-token create --uses 50 --ttl 24h --pool linux --label dc=fra
  fettle join-token create --uses -1 --ttl 30d --approval manual --name "image of web servers" --write ./join.token`,
	}
	f := cmd.Flags()
	f.Int64Var(&uses, "uses", 1, "`NUMBER` of machines that it lets in; -1: no limit")
	f.StringVar(&ttl, "ttl", "24h", "`TIME` that it lets machines in, such as 12h or 90d; 0: for ever")
	f.StringVar(&pool, "pool", "", "`POOL` of the nodes")
	f.StringArrayVar(&labels, "label", nil, "`NAME=VALUE` of the nodes, as often as wanted; filters see labels.NAME")
	f.StringVar(&approval, "approval", "", "`WHO` lets in: auto, the token; manual, an operator by fettle enrol approve; default: as the server is set")
	f.StringVar(&name, "name", "", "`TEXT` for people")
	f.StringVar(&file, "write", "", "`FILE` that it is written into")
	flagNames(cmd, map[string]complete{"approval": cobra.FixedCompletions(approvals, cobra.ShellCompDirectiveNoFileComp)})
	a.outputFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		order := client.JoinTokenOrder{Uses: &uses, Name: pointer(name), Pool: pointer(pool), Labels: map[string]string{}}
		if uses == 0 || uses < -1 {
			return usage(fmt.Errorf("--uses %d: a number above zero, or -1 for no limit", uses))
		}
		d, err := longSpan(ttl)
		if ttl == "0" {
			d, err = 0, nil
		}
		if err != nil || d < 0 {
			return usage(fmt.Errorf("--ttl %s: write 12h or 90d", ttl))
		}
		order.Ttl = new(d.String())
		if approval != "" {
			if !slices.Contains(approvals, approval) {
				return usage(fmt.Errorf("--approval %s: it is auto or manual", approval))
			}
			order.Approval = new(client.JoinTokenOrderApproval(approval))
		}
		for _, label := range labels {
			key, value, ok := strings.Cut(label, "=")
			if !ok || key == "" {
				return usage(fmt.Errorf("--label %s: write name=value", label))
			}
			order.Labels[key] = value
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		made, err := c.CreateJoinToken(cmd.Context(), order)
		if err != nil {
			return err
		}
		return a.handOut(made, &made.Token, file, func() error { return writeSecret(file, []byte(made.Token+"\n")) })
	}
	return cmd
}

func (a *app) joinTokenListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "which join tokens there are", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "The one in the server's STATE/broker.secret is none of them: whoever can read that file can read the server's keys as well.",
		Example: "  fettle join-token list\n  fettle join-token list -o json",
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		tokens, err := c.JoinTokens(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"ID", "NAME", "USED", "OF", "EXPIRES", "POOL", "LABELS", "APPROVAL", "STATE"}, object: client.JoinTokenList{Tokens: tokens}, none: "there is no join token; \"join-token create\" makes one"}
		for _, t := range tokens {
			of, expires, state := "any", "never", "open"
			if t.Uses >= 0 {
				of = strconv.FormatInt(t.Uses, 10)
			}
			if t.Expires != nil {
				expires = t.Expires.UTC().Format(time.RFC3339)
			}
			if t.Ended != nil {
				state = *t.Ended
			}
			l.rows = append(l.rows, []string{
				t.Id, t.Name, strconv.FormatInt(t.Used, 10), of, expires, orBlank(t.Pool), labelText(t.Labels), orBlank(t.Approval), state,
			})
			l.lines = append(l.lines, t)
		}
		return l.write(a)
	}
	return cmd
}

// labelText writes labels as the flag takes them.
func labelText(labels map[string]string) string {
	words := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		words = append(words, key+"="+labels[key])
	}
	return strings.Join(words, " ")
}

// orBlank is the text of what may be left out.
func orBlank(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func (a *app) joinTokenDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete ID", Short: "make a join token worthless", Args: takes("ID"), ValidArgsFunction: a.namesOf(0, joinTokenNames),
		Long: "Who enrolled with it stays.", Example: "  fettle join-token delete 91c0de5f2ab3a4d7",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		return c.DeleteJoinToken(cmd.Context(), args[0])
	}
	return cmd
}

func joinTokenNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	tokens, err := c.JoinTokens(ctx)
	for _, t := range tokens {
		names = append(names, t.Id+"\t"+strings.TrimSpace(fmt.Sprintf("%s used %d times", t.Name, t.Used)))
	}
	return names, err
}
