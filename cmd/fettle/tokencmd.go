package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) tokenCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "token", Short: "secrets with which programs and people ask", GroupID: groupPeople,
		Long: "A token has a role: a viewer asks, an operator also runs actions and saves filters, an admin also manages people and tokens. The server keeps its\nSHA-256 only. Only an admin's token does this.",
		Example: `  fettle token create nagios --write /etc/fettle/nagios.yaml
  fettle token list`,
	}, a.tokenCreateCommand(), a.tokenListCommand(), a.tokenDeleteCommand())
}

func (a *app) tokenCreateCommand() *cobra.Command {
	var role, ttl, file string
	var scopes []string
	roles := roleNames
	cmd := &cobra.Command{
		Use: "create NAME", Short: "make a token", Args: takes("NAME"), ValidArgsFunction: cobra.NoFileCompletions,
		Long: "Prints the token, once: nobody can read it again. With --write it goes into a context file instead, with the server's address, mode 0600.\n" +
			"A scope says what alone it may be used for: read (whatever changes nothing), prometheus (/metrics and targets), check=NAME (one verdict),\noperation=ID (one operation of the REST document); several with commas. A token of a user ends with the user.",
		Example: `  fettle token create nagios --write /etc/fettle/nagios.yaml
  fettle token create prometheus --scope prometheus
  fettle token create backup --role operator --ttl 90d`,
	}
	cmd.Flags().StringVar(&role, "role", roles[0], "`ROLE`: "+strings.Join(roles, ", "))
	cmd.Flags().StringVar(&ttl, "ttl", "", "`TIME` that it lives, such as 12h or 90d; default: for ever")
	cmd.Flags().StringVar(&file, "write", "", "`FILE` that it is written into, a context")
	cmd.Flags().StringSliceVar(&scopes, "scope", nil, "`SCOPES` that it has: read, prometheus, check=NAME, operation=ID; default: whatever its role may")
	flagNames(cmd, map[string]complete{
		"role":  cobra.FixedCompletions(roles, cobra.ShellCompDirectiveNoFileComp),
		"scope": cobra.FixedCompletions([]string{"read", "prometheus", "check=", "operation="}, cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace),
	})
	a.outputFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if ttl != "" {
			d, err := longSpan(ttl)
			if err != nil || d <= 0 {
				return usage(fmt.Errorf("--ttl %s: write 12h or 90d", ttl))
			}
			ttl = d.String()
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		made, err := c.CreateToken(cmd.Context(), client.TokenOrder{Name: args[0], Role: role, Ttl: pointer(ttl), Scopes: scopes})
		if err != nil {
			return err
		}
		return a.handOut(made, &made.Token, file, func() error {
			own, err := clientContext{URL: a.where.URL, Token: made.Token, CA: a.where.CA}.portable()
			if err != nil {
				return err
			}
			return writeContext(file, own)
		})
	}
	return cmd
}

func (a *app) tokenListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "whose tokens there are", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  fettle token list\n  fettle token list -o json",
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		tokens, err := c.Tokens(cmd.Context())
		if err != nil {
			return err
		}
		l := listing{columns: []string{"ID", "NAME", "ROLE", "KIND", "SCOPES", "OWNER", "EXPIRES", "+CREATED"}, object: client.TokenList{Tokens: tokens}}
		for _, t := range tokens {
			kind, expires, owner := "token", "never", ""
			if t.Owner != nil {
				owner = *t.Owner
			}
			if t.Session {
				kind = "session"
			}
			if t.Expires != nil {
				expires = t.Expires.UTC().Format(time.RFC3339)
			}
			l.rows = append(l.rows, []string{t.Id, t.Name, t.Role, kind, strings.Join(t.Scopes, ","), owner, expires, t.Created.UTC().Format(time.RFC3339)})
			l.lines = append(l.lines, t)
		}
		return l.write(a)
	}
	return cmd
}

func (a *app) tokenDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete ID", Short: "make a token worthless", Args: takes("ID"), ValidArgsFunction: a.namesOf(0, tokenNames),
		Long:    "The server denies it at once; where several servers have one database, the others within five seconds.",
		Example: "  fettle token delete 0199f0c2-…",
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		return c.DeleteToken(cmd.Context(), args[0])
	}
	return cmd
}
