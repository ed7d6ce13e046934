package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fettle-dev/fettle/server/api/client"
)

// roleNames are the roles, in rising order.
var roleNames = []string{"viewer", "operator", "admin"}

func (a *app) userCommand() *cobra.Command {
	return group(&cobra.Command{
		Use: "user", Short: "people who sign in by name", GroupID: groupPeople,
		Long: `Users sign in by name and password, on the pages and by "fettle login URL". A viewer asks, an operator also runs actions, an admin also
manages people. Users of a directory (LDAP, OIDC) come by themselves with their first login. Only an admin does this, but for one's own password.`,
		Example: "  fettle user add ann --role operator --groups release,dba\n  fettle user list\n  fettle user disable ann",
	}, a.userAddCommand(), a.userListCommand(), a.userRoleCommand(), a.userGroupsCommand(), a.userPasswordCommand(), a.userDisableCommand(), a.userEnableCommand(), a.userDeleteCommand())
}

func (a *app) userAddCommand() *cobra.Command {
	var role string
	var groups []string
	cmd := &cobra.Command{
		Use: "add NAME", Short: "add a user", Args: takes("NAME"), ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "Asks for the password on the terminal, without showing it, or reads it from the first line of stdin. It has 10 to 256 bytes.",
		Example: "  fettle user add ann --role operator\n  pwgen -s 20 1 | tee ann.txt | fettle user add ann",
	}
	cmd.Flags().StringVar(&role, "role", roleNames[0], "`ROLE`: "+strings.Join(roleNames, ", "))
	cmd.Flags().StringSliceVar(&groups, "groups", nil, "`GROUPS` with commas between, for policies")
	flagNames(cmd, map[string]complete{"role": cobra.FixedCompletions(roleNames, cobra.ShellCompDirectiveNoFileComp)})
	a.outputFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		password, err := a.askPassword("Password for "+args[0]+": ", true)
		if err != nil {
			return err
		}
		u, err := c.CreateUser(cmd.Context(), client.UserOrder{Name: args[0], Role: role, Groups: groups, Password: password})
		if err != nil {
			return err
		}
		return a.printUser(u)
	}
	return cmd
}

func (a *app) userListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "who there is", Args: takes(), ValidArgsFunction: cobra.NoFileCompletions,
		Example: "  fettle user list\n  fettle user list -o json",
	}
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		users, err := c.Users(cmd.Context())
		if err != nil {
			return err
		}
		return usersListing(users).write(a)
	}
	return cmd
}

func usersListing(users []client.UserInfo) listing {
	l := listing{columns: []string{"NAME", "ROLE", "GROUPS", "SOURCE", "STATE", "LAST LOGIN", "+CREATED"}, object: client.UserList{Users: users}, none: "there is no user; \"user add NAME\" makes one"}
	for _, u := range users {
		state, seen := "enabled", "never"
		if u.Disabled {
			state = "disabled"
		}
		if u.Seen != nil {
			seen = u.Seen.UTC().Format(time.RFC3339)
		}
		l.rows = append(l.rows, []string{u.Name, u.Role, strings.Join(u.Groups, ","), string(u.Source), state, seen, u.Created.UTC().Format(time.RFC3339)})
		l.lines = append(l.lines, u)
	}
	return l
}

// printUser prints one user: for people as a table of one row.
func (a *app) printUser(u *client.UserInfo) error {
	if a.output == "json" {
		return printJSON(a.stdout, u)
	}
	return usersListing([]client.UserInfo{*u}).write(a)
}

// userChange makes a command that changes a user.
func (a *app) userChange(cmd *cobra.Command, change func(args []string) client.UserChange) *cobra.Command {
	cmd.ValidArgsFunction = a.namesOf(0, userNames)
	a.outputFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		u, err := c.ChangeUser(cmd.Context(), args[0], change(args[1:]))
		if err != nil {
			return err
		}
		return a.printUser(u)
	}
	return cmd
}

func (a *app) userRoleCommand() *cobra.Command {
	cmd := a.userChange(&cobra.Command{
		Use: "set-role NAME ROLE", Short: "change what a user may do", Args: takes("NAME", "ROLE"), Example: "  fettle user set-role ann admin",
		Long: "Holds at once, for sessions too. Tokens that the user made never exceed it.",
	}, func(args []string) client.UserChange { return client.UserChange{Role: &args[0]} })
	names := cmd.ValidArgsFunction
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 1 {
			return roleNames, cobra.ShellCompDirectiveNoFileComp
		}
		return names(cmd, args, begun)
	}
	return cmd
}

func (a *app) userGroupsCommand() *cobra.Command {
	return a.userChange(&cobra.Command{
		Use: "set-groups NAME [GROUP...]", Short: "change the groups of a user", Args: takes("NAME", "GROUP..."), Example: "  fettle user set-groups ann release dba",
		Long: "Policies know them as user.groups. Without a group the user is in none.",
	}, func(args []string) client.UserChange {
		groups := append([]string{}, args...)
		return client.UserChange{Groups: &groups}
	})
}

func (a *app) userDisableCommand() *cobra.Command {
	return a.userChange(&cobra.Command{
		Use: "disable NAME", Short: "sign a user out, and let them in no more", Args: takes("NAME"), Example: "  fettle user disable ann",
		Long: "Sessions end at once, and the user's tokens are denied, also where a directory knows the password.",
	}, func([]string) client.UserChange { return client.UserChange{Disabled: pointer(true)} })
}

func (a *app) userEnableCommand() *cobra.Command {
	return a.userChange(&cobra.Command{
		Use: "enable NAME", Short: "let a user in again", Args: takes("NAME"), Example: "  fettle user enable ann",
	}, func([]string) client.UserChange { no := false; return client.UserChange{Disabled: &no} })
}

func (a *app) userPasswordCommand() *cobra.Command {
	return &cobra.Command{
		Use: "passwd NAME", Short: "give a user another password", Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, userNames),
		Long: `Asks for it on the terminal, without showing it, or reads it from the first line of stdin. All sessions of the user end. Who changes their own
is asked for the present one first.`,
		Example: "  fettle user passwd ann",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			who, err := c.Whoami(cmd.Context())
			if err != nil {
				return err
			}
			var order client.PasswordOrder
			if who.User != nil && *who.User == args[0] {
				present, err := a.askPassword("Present password: ", false)
				if err != nil {
					return err
				}
				order.Present = &present
			}
			if order.Password, err = a.askPassword("New password for "+args[0]+": ", true); err != nil {
				return err
			}
			return c.SetPassword(cmd.Context(), args[0], order)
		},
	}
}

func (a *app) userDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME", Short: "delete a user, with sessions and tokens", Args: takes("NAME"), ValidArgsFunction: a.namesOf(0, userNames),
		Long:    "One of a directory comes back with the next login: to keep somebody out, disable the user.",
		Example: "  fettle user delete ann",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return c.DeleteUser(cmd.Context(), args[0])
		},
	}
}

// userNames are the names of users.
func userNames(ctx context.Context, c *client.API, _ string) (names []string, err error) {
	users, err := c.Users(ctx)
	for _, u := range users {
		names = append(names, fmt.Sprintf("%s\t%s", u.Name, u.Role))
	}
	return names, err
}
