package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

// liveOrder says how nodes are asked themselves.
type liveOrder struct {
	live, diff bool
	timeout    wait
	fold       bool
	count      bool
}

func (o *liveOrder) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.live, "live", false, "ask the nodes themselves, which collect their facts for it")
	f.BoolVar(&o.diff, "diff", false, "ask the nodes, and list those for which what was stored gives another answer")
	o.timeout = wait(10 * time.Second)
	f.Var(&o.timeout, "timeout", "with --live and --diff, how long the last node may take")
}

// notLive are the flags of find that only what is stored can answer.
var notLive = []string{"fields", "sort", "desc", "limit", "as-of", "became-true-since"}

// check refuses what cannot be asked of nodes.
func (o *liveOrder) check(cmd *cobra.Command, where fettle.Filter) error {
	if where == "" {
		return usage(fmt.Errorf("the nodes are asked a filter, give one; \"fettle ping\" asks who is there: %w", fettle.ErrInvalid))
	}
	for _, name := range notLive {
		if cmd.Flags().Changed(name) {
			return usage(fmt.Errorf("--%s is about what is stored, and --live and --diff give names only: %w", name, fettle.ErrInvalid))
		}
	}
	return nil
}

// findLive asks the nodes themselves.
func (a *app) findLive(ctx context.Context, c *client.API, where fettle.Filter, o liveOrder) error {
	over := a.waitsFor("the nodes", time.Duration(o.timeout))
	found, err := c.Live(ctx, &client.AskNodesParams{Where: pointer(string(where)), Timeout: pointer(time.Duration(o.timeout).String())})
	over()
	if err != nil {
		return err
	}
	if err := a.printLive(found, o); err != nil {
		return err
	}
	switch {
	case len(found.Unanswered) > 0:
		return &codeError{code: exitSilent}
	case found.Matched == 0 && !o.diff:
		return &codeError{code: exitNobody}
	}
	return nil
}

func (a *app) printLive(found *client.LiveList, o liveOrder) error {
	nodes := found.Nodes
	if o.diff {
		nodes = slices.Sorted(slices.Values(append(slices.Clone(found.StoredOnly), found.LiveOnly...)))
	}
	switch {
	case o.count && a.output != "json":
		a.tellLive(found)
		_, err := fmt.Fprintln(a.stdout, len(nodes))
		return err
	case o.fold:
		a.tellLive(found)
		_, err := fmt.Fprintln(a.stdout, nagios.Fold(nodes))
		return err
	}
	l := listing{columns: []string{"NODE"}, object: found}
	if o.diff {
		l.columns = []string{"NODE", "STORED", "LIVE"}
	}
	for _, id := range nodes {
		row := []string{string(id)}
		_, stored := slices.BinarySearch(found.StoredOnly, id)
		if o.diff {
			row = append(row, yesNo(stored), yesNo(!stored))
		}
		l.rows = append(l.rows, row)
		l.lines = append(l.lines, liveLine{id, stored || !o.diff && !contains(found.LiveOnly, id), !o.diff || !stored})
	}
	a.tellLive(found)
	return l.write(a)
}

// liveLine is one node for -o jsonl.
type liveLine struct {
	Identity fettle.NodeID `json:"identity"`
	Stored   bool          `json:"stored"` // what was stored said yes
	Live     bool          `json:"live"`   // the node said yes
}

func contains(sorted []fettle.NodeID, id fettle.NodeID) bool {
	_, found := slices.BinarySearch(sorted, id)
	return found
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// tellLive says for people how the numbers add up.
func (a *app) tellLive(found *client.LiveList) {
	if strings.HasPrefix(a.output, "json") || a.output == "yaml" {
		return
	}
	if terminal(a.stderr) {
		fmt.Fprintf(a.stderr, "%d of %s match\n", found.Matched, plural(int(found.Asked), "node"))
	}
	if found.Undefined > 0 {
		fmt.Fprintf(a.stderr, "%s undefined: %s\n", plural(int(found.Undefined), "node"), reasons(found.UndefinedBy))
	}
	if len(found.Unanswered) > 0 {
		fmt.Fprintf(a.stderr, "%s did not answer: %s\n", plural(len(found.Unanswered), "node"), nagios.Fold(found.Unanswered))
	}
}
