package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) runsOutputCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "output RUN NODE", Short: "what a program printed on a node while it ran", Args: takes("RUN", "NODE"),
		Long: `Prints what came from the node while the task ran, in the order in which it came: standard output on stdout, standard error on stderr. Of what
was quick, or printed more than 256 KiB, the result is printed: its beginning and its end.`,
		Example: "  fettle runs output last web1.example.net\n  fettle runs output 0199f0c2-4a1b web1.example.net -o json",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return a.namesOf(0, runNames)(cmd, args, begun)
			}
			return a.namesOf(1, nodeNames)(cmd, args, begun)
		},
	}
	a.outputFlag(cmd, "text", "json", "jsonl", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.client()
		if err != nil {
			return err
		}
		id, err := a.runOf(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		node := fettle.NodeID(strings.ToLower(args[1]))
		pieces, err := c.Output(cmd.Context(), id, node)
		if err != nil {
			return err // it says whether it is the run or the node
		}
		slices.SortStableFunc(pieces, func(x, y client.OutputPiece) int { return x.At.Compare(y.At) })
		switch a.output {
		case "json":
			return printJSON(a.stdout, client.OutputList{Output: pieces})
		case "yaml":
			return printYAML(a.stdout, client.OutputList{Output: pieces})
		case "jsonl":
			for _, p := range pieces {
				if err := printLine(a.stdout, p); err != nil {
					return err
				}
			}
			return nil
		}
		for _, p := range pieces {
			a.printed(string(p.Stream), p.Text)
		}
		if len(pieces) > 0 {
			return nil
		}
		seen, err := a.stored(cmd.Context(), c, id)
		if err != nil {
			return err
		}
		return a.printedAtEnd(seen, node)
	}
	return cmd
}

// printed prints a piece where it belongs: raw for programs, and for a terminal without what would play with it.
func (a *app) printed(stream, text string) {
	to := a.stdout
	if stream == "stderr" {
		to = a.stderr
	}
	if terminal(to) {
		lines := strings.Split(text, "\n")
		for i, line := range lines {
			lines[i] = clean(strings.TrimRight(line, "\r"))
		}
		text = strings.Join(lines, "\n")
	}
	fmt.Fprint(to, text)
}

// printedAtEnd prints what the result of a node says that it printed.
func (a *app) printedAtEnd(seen *seenRun, node fettle.NodeID) error {
	i := slices.IndexFunc(seen.results, func(res client.ResultItem) bool { return res.Node == node })
	if i < 0 {
		return fmt.Errorf("%s has printed nothing, and has not answered: %w", node, fettle.ErrNotFound)
	}
	data := dataOf(seen.results[i])
	none := true
	for _, stream := range []string{"stdout", "stderr"} {
		if text, is := data[stream].(string); is && text != "" {
			a.printed(stream, text)
			none = false
		}
	}
	if none {
		fmt.Fprintf(a.stderr, "%s has printed nothing; its result: %s\n", node, clean(message(seen.results[i])))
	}
	return nil
}

// encoded gives data as JSON; nil: there is none.
func encoded(data map[string]any) json.RawMessage {
	raw, err := json.Marshal(data)
	if err != nil {
		return nil
	}
	return raw
}

// followable tells whether what nodes print can be shown with this output.
func (a *app) followable(v view) error {
	if v.follow && a.output != runFormats[0] {
		return usage(errors.New("--follow is for people: it goes without -o, --table and --jsonl"))
	}
	return nil
}
