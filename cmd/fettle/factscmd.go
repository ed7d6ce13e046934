package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fettle-dev/fettle/server/api/client"
	"github.com/spf13/cobra"
)

func (a *app) factsCommand() *cobra.Command {
	var m aim
	var limit int
	var asOf string
	cmd := &cobra.Command{
		Use: "facts [PATH [FILTER]]", Short: "which facts there are, and the values of one, counted", GroupID: groupAsk,
		Long: `Without a path: every fact path with its type, how many nodes have it and how many values there are.
With one: its values over the nodes that match, the most frequent first.`,
		Example: `  fettle facts
  fettle facts os.release.major
  fettle facts 'mountpoints."/".filesystem' -W environment=production`,
		Args: takes("PATH?", "FILTER?"), ValidArgsFunction: a.namesOf(0, pathNames),
	}
	a.aimFlags(cmd, &m)
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many values; 0: all")
	asOfFlag(cmd, &asOf)
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var bare []string
		if len(args) == 2 {
			bare = args[1:]
		}
		where, err := m.filter(cmd.Context(), bare, false)
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		at, err := moment(asOf, time.Now())
		if err != nil {
			return err
		}
		if len(args) == 0 {
			list, err := c.FactPaths(cmd.Context(), &client.ListFactsParams{Where: pointer(string(where)), AsOf: pointer(at)})
			if err != nil {
				return err
			}
			return a.printPaths(list)
		}
		list, err := c.FactValues(cmd.Context(), args[0], &client.CountValuesParams{Where: pointer(string(where)), Limit: pointer(int64(limit)), AsOf: pointer(at)})
		if err != nil {
			return err
		}
		return a.printValues(list)
	}
	return cmd
}

func (a *app) printPaths(list *client.PathList) error {
	l := listing{columns: []string{"PATH", "TYPE", "NODES", "DISTINCT"}, object: list}
	for _, p := range list.Paths {
		l.rows = append(l.rows, []string{p.Path, p.Type, strconv.FormatInt(p.Nodes, 10), strconv.FormatInt(p.Distinct, 10)})
		l.lines = append(l.lines, p)
	}
	return l.write(a)
}

func (a *app) printValues(list *client.ValueList) error {
	l := listing{columns: []string{"VALUE", "NODES"}, object: list}
	for _, v := range list.Values {
		l.rows = append(l.rows, []string{plainValue(v.Value), strconv.FormatInt(v.Count, 10)})
		l.lines = append(l.lines, v)
	}
	if list.Missing > 0 {
		l.footer = fmt.Sprintf("%s without it", plural(int(list.Missing), "node"))
	}
	if err := l.write(a); err != nil {
		return err
	}
	if len(list.Values) == 0 {
		return &codeError{exitNobody, fmt.Errorf("no node has %s; \"fettle facts\" lists the paths that exist", list.Path)}
	}
	return nil
}
