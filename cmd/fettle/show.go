package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) showCommand() *cobra.Command {
	var asOf, history string
	cmd := &cobra.Command{
		Use: "show NODE", Short: "everything that is known of one node", GroupID: groupAsk, Args: takes("NODE"), ValidArgsFunction: a.namesOf(0, nodeNames),
		Example: "  fettle show web1.acme.net\n  fettle show web1.acme.net -o json\n  fettle show web1.acme.net --as-of yesterday\n  fettle show web1.acme.net --history=os",
	}
	asOfFlag(cmd, &asOf)
	cmd.Flags().StringVar(&history, "history", "", "what changed, the newest first: of a `PATH` and all below it, or of all")
	cmd.Flags().Lookup("history").NoOptDefVal = allFacts
	flagNames(cmd, map[string]complete{"history": a.namesOf(-1, pathNames)})
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := fettle.ParseNodeID(args[0])
		if err != nil {
			return usage(err)
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		if history != "" {
			return a.showHistory(cmd.Context(), c, id, strings.TrimPrefix(history, allFacts))
		}
		n, err := showNode(cmd.Context(), c, id, asOf)
		if err != nil {
			return unknownNode(cmd.Context(), c, id, err)
		}
		if a.output == "table" || a.output == "wide" {
			return a.printNode(n)
		}
		return a.listNode(n)
	}
	return cmd
}

// allFacts is what --history means without a path.
const allFacts = "all"

func showNode(ctx context.Context, c *client.API, id fettle.NodeID, asOf string) (*client.NodeInfo, error) {
	at, err := moment("as-of", asOf, time.Now())
	if err != nil {
		return nil, err
	}
	if at == "" {
		return c.Node(ctx, id)
	}
	return c.NodeAt(ctx, id, at)
}

// unknownNode suggests, where the server does not know a node, the nearest that it knows.
func unknownNode(ctx context.Context, c *client.API, id fettle.NodeID, err error) error {
	if !errors.Is(err, fettle.ErrNotFound) {
		return err
	}
	near := ""
	if found, err := find(ctx, c, question{limit: nearNodes}); err == nil {
		names := make([]string, len(found.Nodes))
		for i, n := range found.Nodes {
			names[i] = string(n.Identity)
		}
		near = didYouMean(string(id), names)
	}
	return fmt.Errorf("there is no node %s%s: %w", id, near, fettle.ErrNotFound)
}

// nearNodes is among how many nodes the nearest name is looked for.
const nearNodes = 5000

// showHistory lists what changed in a node's facts, to the end.
func (a *app) showHistory(ctx context.Context, c *client.API, id fettle.NodeID, path string) error {
	all := client.ChangeList{Changes: []client.ChangeItem{}}
	p := client.ShowHistoryParams{Path: pointer(path)}
	for {
		page, err := c.History(ctx, id, &p)
		if err != nil {
			return unknownNode(ctx, c, id, err)
		}
		all.Changes = append(all.Changes, page.Changes...)
		if page.Next == "" {
			break
		}
		p.Cursor = &page.Next
	}
	l := listing{columns: []string{"AT", "PATH", "OLD", "NEW"}, object: all}
	for _, change := range all.Changes {
		at := change.At.Local().Format(time.DateTime)
		if a.output == "csv" {
			at = change.At.UTC().Format(time.RFC3339)
		}
		l.rows = append(l.rows, []string{at, change.Path, leaf(change.Old), leaf(change.New)})
		l.lines = append(l.lines, change)
	}
	return l.write(a)
}

// listNode prints a node for programs: as CSV a fact a row, otherwise as one object.
func (a *app) listNode(n *client.NodeInfo) error {
	l := listing{columns: []string{"PATH", "VALUE"}, names: []string{string(n.Identity)}, object: n, lines: []any{n}}
	facts, err := decodeFacts(n)
	if err != nil {
		return err
	}
	l.leaves(nil, facts)
	return l.write(a)
}

// leaves adds a row for each leaf of a document, in the order of the paths.
func (l *listing) leaves(at fettle.Path, v any) {
	object, is := v.(map[string]any)
	if !is {
		if text, is := leafText(v); is && len(at) > 0 {
			l.rows = append(l.rows, []string{at.String(), text})
		}
		return
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		l.leaves(append(slices.Clone(at), key), object[key])
	}
}

func decodeFacts(n *client.NodeInfo) (facts any, err error) {
	if len(n.Facts) == 0 {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(n.Facts))
	dec.UseNumber()
	if err := dec.Decode(&facts); err != nil {
		return nil, fmt.Errorf("facts of %s: %w", n.Identity, err)
	}
	return facts, nil
}

// leafText writes a value that is no object; false for what JSON cannot say.
func leafText(v any) (string, bool) {
	if text, is := v.(string); is {
		return text, true
	}
	raw, err := json.Marshal(v)
	return string(raw), err == nil
}

func (a *app) printNode(n *client.NodeInfo) error {
	var b strings.Builder
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-10s %s\n", key, value) // cleaned before it was painted
		}
	}
	line("node", string(n.Identity))
	if n.Contested != nil {
		line("contested", *n.Contested)
	}
	if n.Liveness != "" { // of the past it is not known
		line("liveness", fmt.Sprintf("%s, seen %s", a.paintLiveness(n.Liveness), ago(n.Seen)))
	}
	line("enrolled", n.Enrolled.UTC().Format(time.RFC3339))
	line("agent", clean(fmt.Sprintf("%s %s/%s", n.Agent.Version, n.Agent.OS, n.Agent.Arch)))
	line("classes", clean(strings.Join(n.Classes, " ")))
	line("commands", clean(strings.Join(n.Commands, " ")))
	for _, name := range slices.Sorted(maps.Keys(n.Checks)) {
		check := n.Checks[name]
		line("check", fmt.Sprintf("%s %s: %s", clean(name), a.paintCheck(check.Status), clean(check.Output)))
	}
	b.WriteString("facts\n")
	facts, err := decodeFacts(n)
	if err != nil {
		return err
	}
	writeTree(&b, facts, "  ")
	_, err = fmt.Fprint(a.stdout, b.String())
	return err
}

// leaf writes what a fact was; a dash for one that was not there.
func leaf(raw *json.RawMessage) string {
	if raw == nil {
		return "-"
	}
	return plainValue(*raw)
}

// writeTree writes a document as an indented tree, its keys sorted.
func writeTree(b *strings.Builder, v any, indent string) {
	object, is := v.(map[string]any)
	if !is {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		name := clean(fettle.Path{key}.String())
		if inner, is := object[key].(map[string]any); is {
			fmt.Fprintf(b, "%s%s\n", indent, name)
			writeTree(b, inner, indent+"  ")
			continue
		}
		if text, is := leafText(object[key]); is {
			fmt.Fprintf(b, "%s%s  %s\n", indent, name, clean(text))
		}
	}
}

func (a *app) paintLiveness(l fettle.Liveness) string {
	switch l {
	case fettle.Alive:
		return a.paint(green, string(l))
	case fettle.Late:
		return a.paint(yellow, string(l))
	}
	return a.paint(red, string(l))
}

func (a *app) paintCheck(s fettle.CheckStatus) string {
	switch s {
	case fettle.CheckOK:
		return a.paint(green, string(s))
	case fettle.CheckWarning:
		return a.paint(yellow, string(s))
	}
	return a.paint(red, string(s))
}
