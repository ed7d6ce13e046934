package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) loginCommand() *cobra.Command {
	var name, ca string
	cmd := &cobra.Command{
		Use: "login [URL]", Short: "sign in: this command line with a URL, a browser without", Args: takes("URL?"), GroupID: groupPeople,
		Long: `With a URL: asks for a name and a password (the password also from the first line of stdin), signs in there, and writes the context by which
the command line finds the server from then on: into --context FILE, else $FETTLE_CONTEXT, else your own.

Without: asks the server of the context for a link that lets a browser in once, within a quarter of an hour, with the rights of the token that asks.`,
		Example:           "  fettle login https://fettle.acme.net\n  fettle login https://fettle.acme.net --name ann < password.txt\n  fettle login",
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.outputFlag(cmd, "table", "json")
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of who signs in; without a URL: of the person whose session it will be (default: the token's name)")
	cmd.Flags().StringVar(&ca, "ca", "", "`FILE` of certificates by which the server is known, with a URL; default: $FETTLE_CA, else the system's")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return a.signIn(cmd.Context(), clientContext{URL: args[0], CA: ca}, name)
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		link, err := c.LoginLink(cmd.Context(), client.LoginOrder{Name: pointer(name)})
		if err != nil {
			return err
		}
		if a.output == "json" {
			return printJSON(a.stdout, link)
		}
		_, err = fmt.Fprintln(a.stdout, c.URL()+link.Path)
		return err
	}
	return cmd
}

// signIn begins a session on the server at where, and writes the context that holds it.
func (a *app) signIn(ctx context.Context, where clientContext, name string) error {
	where.CA = cmp.Or(where.CA, os.Getenv("FETTLE_CA"))
	c, err := client.New(where.URL, "", where.CA)
	if err != nil {
		return err
	}
	if where.CA != "" {
		if where.CA, err = filepath.Abs(where.CA); err != nil {
			return err
		}
	}
	file := cmp.Or(a.context, os.Getenv("FETTLE_CONTEXT"))
	if file == "" {
		if file, err = ownContextFile(); err != nil {
			return err
		}
	}
	if name == "" {
		if name, err = a.askName("Name: "); err != nil {
			return usage(err)
		}
	}
	password, err := a.askPassword("Password: ", false)
	if err != nil {
		return err
	}
	session, err := c.CreateSession(ctx, client.Credentials{Name: name, Password: password})
	if err != nil {
		return err
	}
	where.URL, where.Token = c.URL(), session.Token
	if err := writeContext(file, where); err != nil {
		return err
	}
	session.Token = ""
	if a.output == "json" {
		return printJSON(a.stdout, session)
	}
	_, err = fmt.Fprintf(a.stdout, "signed in at %s as %s (%s) until %s; the context is %s\n", where.URL, session.Name, session.Role, session.Expires.Format("2006-01-02"), file)
	return err
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "end the session of this command line", Args: takes(), GroupID: groupPeople, ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "Ends the session that \"fettle login URL\" began, on the server. The context stays, and is worth nothing. A token that is no session is not touched.",
		Example: "  fettle logout",
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			return c.EndSession(cmd.Context())
		},
	}
}

// self is how a person calls this program again from here.
func (a *app) self() string {
	if found, err := exec.LookPath(programName); err == nil && sameFile(found, os.Args[0]) {
		return programName
	}
	return os.Args[0] // bin/fettle
}

// sameFile tells whether name, as it was typed, is the program at path.
func sameFile(path, name string) bool {
	if name == programName {
		return true
	}
	one, err := os.Stat(path)
	other, otherErr := os.Stat(name)
	return err == nil && otherErr == nil && os.SameFile(one, other)
}
