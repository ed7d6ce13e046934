package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"charm.land/huh/v2"
	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// menuNodes is how many nodes a menu may offer; more want a narrower filter.
const menuNodes = 500

func (a *app) sshCommand() *cobra.Command {
	var m aim
	var first, print bool
	var user, address string
	cmd := &cobra.Command{
		Use: "ssh [FILTER] [-- SSH-ARGUMENTS...]", Short: "ssh to a node that a filter matches", GroupID: groupRun,
		Long: `Goes straight in when one node matches, and shows a menu when several do. A positional that is no CEL is a node's name, or
part of one. What stands behind -- is given to ssh as it is.`,
		Example: `  fettle ssh web1.acme.net
  fettle ssh 'facts.role == "db" && facts.country == "mt"' --user root
  fettle ssh -W 'role=web' --first -- uptime
  fettle ssh -C mysql::master --print`,
		ValidArgsFunction: a.namesOf(0, nodeNames),
	}
	a.aimFlags(cmd, &m)
	cmd.Flags().BoolVar(&first, "first", false, "the first that matches, without a menu")
	cmd.Flags().BoolVar(&print, "print", false, "print the ssh command and do not run it")
	cmd.Flags().StringVarP(&user, "user", "u", "", "`NAME` to log in as")
	cmd.Flags().StringVar(&address, "address", "", "`FACT` that has the address, such as networking.ip; default: the identity")
	flagNames(cmd, map[string]complete{"address": a.namesOf(-1, pathNames)})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		rest := []string{}
		if dash := cmd.ArgsLenAtDash(); dash >= 0 {
			args, rest = args[:dash], args[dash:]
		}
		n, err := a.pickNode(cmd, m, args, first, address)
		if err != nil {
			return err
		}
		line := sshLine(n, user, address, rest)
		if print {
			_, err := fmt.Fprintln(a.stdout, shellLine(line))
			return err
		}
		program, err := exec.LookPath(line[0])
		if err != nil {
			return fmt.Errorf("ssh is not installed: %w", err)
		}
		return a.become(cmd.Context(), program, line)
	}
	return cmd
}

// pickNode finds the one node that is meant, and asks a person at a terminal when there are several.
func (a *app) pickNode(cmd *cobra.Command, m aim, bare []string, first bool, address string) (client.NodeItem, error) {
	where, err := sshFilter(cmd, m, bare)
	if err != nil {
		return client.NodeItem{}, err
	}
	c, err := a.client()
	if err != nil {
		return client.NodeItem{}, err
	}
	found, err := find(cmd.Context(), c, question{where: where, limit: menuNodes, fields: address})
	switch {
	case err != nil:
		return client.NodeItem{}, err
	case len(found.Nodes) == 0:
		return client.NodeItem{}, &codeError{exitNobody, fmt.Errorf("no node matches %s", where)}
	case len(found.Nodes) == 1 || first:
		return found.Nodes[0], nil
	case !terminal(a.stdin) || !terminal(a.stdout):
		return client.NodeItem{}, usage(fmt.Errorf("%d nodes match, and there is no terminal for a menu: narrow the filter, or say --first: %w", found.Matched, fettle.ErrInvalid))
	}
	options := make([]huh.Option[int], len(found.Nodes))
	for i, n := range found.Nodes {
		options[i] = huh.NewOption(fmt.Sprintf("%s  %s", n.Identity, n.Liveness), i)
	}
	choice := 0
	menu := huh.NewSelect[int]().Title(fmt.Sprintf("%d nodes match", found.Matched)).Description("type / to search").Options(options...).Height(min(len(options)+3, 20)).Value(&choice)
	err = huh.NewForm(huh.NewGroup(menu)).WithShowHelp(true).WithInput(a.stdin).WithOutput(a.stdout).RunWithContext(cmd.Context())
	if errors.Is(err, huh.ErrUserAborted) {
		err = &codeError{code: exitInterrupted}
	}
	return found.Nodes[choice], err
}

// sshFilter takes a bare name, whole or in part, as well as what every other command takes.
func sshFilter(cmd *cobra.Command, m aim, bare []string) (fettle.Filter, error) {
	if len(bare) == 1 && !strings.ContainsAny(bare[0], "=<>()\"' !&|@") {
		name, err := fettle.ParseNodeID(bare[0])
		if err == nil {
			return fettle.Filter(fmt.Sprintf("identity == %q || identity.contains(%q)", name, name)), nil
		}
	}
	return m.filter(cmd.Context(), bare, true)
}

// sshLine is the command that is run.
func sshLine(n client.NodeItem, user, address string, rest []string) []string {
	to := string(n.Identity)
	if address != "" && len(n.Fields[address]) > 0 {
		to = plainValue(n.Fields[address])
	}
	line := []string{"ssh"}
	if user != "" {
		line = append(line, "-l", user)
	}
	// "--" keeps an address out of a fact from being taken for an option
	return append(append(line, "--", to), rest...)
}

// shellLine writes a command so that a shell reads it back.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if word != "" && strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-") == "" {
			quoted[i] = word
		} else {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
