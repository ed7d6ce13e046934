package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) factsCommand() *cobra.Command {
	var m aim
	var limit int
	var by, asOf string
	var summary bool
	cmd := &cobra.Command{
		Use: "facts [PATH [FILTER]]", Short: "which facts there are, and the values of one, counted", GroupID: groupAsk,
		Long: `Without a path: every fact path with its type, how many nodes have it and how many values there are.
With one: its values over the nodes that match, the most frequent first; --by lays them out against a second fact. Values that are
numbers are summed up: a percentile is a value that occurs, the smallest one that so many do not exceed.`,
		Example: `  fettle facts
  fettle facts os.release.major
  fettle facts os.release.major --by environment
  fettle facts memory.system.total_bytes --summary
  fettle facts 'mountpoints."/".filesystem' -W environment=production`,
		Args: takes("PATH?", "FILTER?"), ValidArgsFunction: a.namesOf(0, pathNames),
	}
	a.aimFlags(cmd, &m)
	cmd.Flags().IntVar(&limit, "limit", 0, "at most `NUMBER` values; 0: all")
	cmd.Flags().StringVar(&by, "by", "", "a second fact `PATH`: for each value, its values, counted")
	cmd.Flags().BoolVar(&summary, "summary", false, "no values, only what their numbers sum up to")
	flagNames(cmd, map[string]complete{"by": a.namesOf(-1, pathNames)})
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
		at, err := moment("as-of", asOf, time.Now())
		if err != nil {
			return err
		}
		if len(args) == 0 {
			if by != "" || summary {
				return usage(fmt.Errorf("--by and --summary want a PATH: %w", fettle.ErrInvalid))
			}
			list, err := c.FactPaths(cmd.Context(), &client.ListFactsParams{Where: pointer(string(where)), AsOf: pointer(at)})
			if err != nil {
				return err
			}
			return a.printPaths(list)
		}
		p := client.CountValuesParams{Where: pointer(string(where)), By: pointer(by), Summary: pointer(summary), Limit: pointer(int64(limit)), AsOf: pointer(at)}
		list, err := c.FactValues(cmd.Context(), args[0], &p)
		if err != nil {
			return err
		}
		if err := a.printValues(list, summary); err != nil {
			return err
		}
		if !summary && len(list.Values) == 0 {
			return noSuchFact(cmd.Context(), c, list.Path)
		}
		return nil
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

func (a *app) printValues(list *client.ValueList, summary bool) error {
	var l listing
	switch {
	case summary:
		l = numbersListing(list)
	case list.By != nil:
		l = a.byListing(list)
	default:
		l = valuesListing(list)
	}
	if err := l.write(a); err != nil {
		return err
	}
	if summary && list.Numbers == nil {
		return &codeError{exitNobody, fmt.Errorf("no node has a number in %s", list.Path)}
	}
	return nil
}

// noSuchFact says that no node that was asked about has a fact, and suggests the nearest, where none at all has it.
func noSuchFact(ctx context.Context, c *client.API, path string) error {
	near := ""
	if names, err := pathNames(ctx, c, ""); err == nil && !slices.Contains(names, path) {
		near = didYouMean(path, names)
	}
	return &codeError{exitNobody, fmt.Errorf("no node has %s%s; \"fettle facts\" lists the paths that exist", path, near)}
}
