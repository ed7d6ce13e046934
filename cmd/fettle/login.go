package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) loginCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "login", Short: "a link that signs a browser in, once", Args: cobra.NoArgs, GroupID: groupAsk,
		Long:    "Asks the server for a link that lets a browser in once, within a quarter of an hour, with the rights of the token that asks.",
		Example: "  fettle login",
	}
	a.outputFlag(cmd, "table", "json")
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the person whose session it will be; default: the token's name")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
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
