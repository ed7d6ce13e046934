package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/api/client"
)

// letterMatch is which dead letters are meant.
type letterMatch struct{ sender, kind, reason, since string }

func (m *letterMatch) flags(a *app, cmd *cobra.Command) {
	kinds := []string{"signature", "sender", "enrolment", "content", "unstorable", "panic"}
	cmd.Flags().StringVar(&m.sender, "sender", "", "only those of this `NODE`")
	cmd.Flags().StringVar(&m.kind, "kind", "", "only those of a `KIND`: signature, sender, enrolment, content, unstorable, panic")
	cmd.Flags().StringVar(&m.reason, "reason", "", "only those with this `TEXT` in their reason")
	cmd.Flags().StringVar(&m.since, "since", "", "only those of the last `TIME`, such as 2h or 7d, or since a moment in RFC 3339")
	flagNames(cmd, map[string]complete{"sender": a.namesOf(-1, nodeNames), "kind": cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp)})
}

// match gives what the server is asked.
func (m *letterMatch) match() (client.LetterMatch, error) {
	since := m.since
	if since != "" {
		if _, err := time.Parse(time.RFC3339, since); err != nil {
			d, err := longSpan(since)
			if err != nil || d <= 0 {
				return client.LetterMatch{}, usage(fmt.Errorf("--since %s: write 2h, 7d or a moment in RFC 3339", since))
			}
			since = d.String()
		}
	}
	return client.LetterMatch{Sender: pointer(m.sender), Kind: pointer(m.kind), Reason: pointer(m.reason), Since: pointer(since)}, nil
}

func (a *app) lettersCommand() *cobra.Command {
	var m letterMatch
	var limit int
	cmd := group(&cobra.Command{
		Use: "dead-letters", Short: "messages that were taken and could not be used", Aliases: []string{"letters"},
		Long: `Messages of nodes that can never be stored: not signed by the node's key, not what is expected, too large. Each has its reason; the newest
come first. They are kept for 30 days, 10,000 of them at most, and of each the first 64 KiB. Wants an operator's token.`,
		Example: `  fettle broker dead-letters --since 1h
  fettle broker dead-letters --kind signature --sender web1.acme.net
  fettle broker dead-letters show 17
  fettle broker dead-letters replay --all-matching --reason "not enrolled"`,
	}, a.letterShowCommand(), a.letterReplayCommand(), a.letterDeleteCommand())
	m.flags(a, cmd)
	cmd.Flags().IntVar(&limit, "limit", 0, "the newest `NUMBER` of them; default: all")
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		match, err := m.match()
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		list, err := pages(limit, func(n *int64, cursor *string) ([]client.DeadLetterInfo, int64, string, error) {
			got, err := c.DeadLetters(cmd.Context(), &client.ListDeadLettersParams{
				Sender: match.Sender, Kind: match.Kind, Reason: match.Reason, Since: match.Since, Limit: n, Cursor: cursor,
			})
			if err != nil {
				return nil, 0, "", err
			}
			return got.Letters, 0, got.Next, nil
		})
		if err != nil {
			return err
		}
		l := listing{columns: []string{"SEQ", "WHEN", "SENDER", "DESTINATION", "SIZE", "KIND", "REASON"}, object: client.DeadLetterList{Letters: list.items}, none: "no message was refused"}
		for _, d := range list.items {
			l.rows = append(l.rows, []string{
				strconv.FormatInt(d.Seq, 10), d.At.Local().Format(time.DateTime), orDash(d.Sender), d.Destination, byteText(float64(d.Size)), d.Kind, d.Reason,
			})
			l.lines = append(l.lines, d)
		}
		return l.write(a)
	}
	return cmd
}

// seqOf reads the number of a dead letter.
func seqOf(text string) (int64, error) {
	seq, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seq < 1 {
		return 0, usage(fmt.Errorf("%q is no number of a dead letter, as \"%s broker dead-letters\" lists them", text, programName))
	}
	return seq, nil
}

func (a *app) letterShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show SEQ", Short: "a dead letter with what is in it", Args: takes("SEQ"), ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "Prints the envelope as it says itself, of which nothing was verified; where it cannot be read, the text, or the bytes in hexadecimal.",
		Example: "  fettle broker dead-letters show 17\n  fettle broker dead-letters show 17 -o json",
	}
	a.outputFlag(cmd, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		seq, err := seqOf(args[0])
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		d, err := c.DeadLetter(cmd.Context(), seq)
		if err != nil {
			return err
		}
		return a.printObject(d, func() error { return a.printLetter(d) })
	}
	return cmd
}

func (a *app) printLetter(d *client.DeadLetterDetail) error {
	line := func(name, value string) { fmt.Fprintf(a.stdout, "%-12s %s\n", name, clean(value)) }
	line("seq", strconv.FormatInt(d.Seq, 10))
	line("when", d.At.Local().Format(time.RFC3339))
	line("sender", orDash(d.Sender))
	line("destination", d.Destination)
	line("size", byteText(float64(d.Size)))
	line("kind", orDash(d.Kind))
	line("reason", d.Reason)
	if !d.Whole {
		line("replay", "cannot be: not all of it was kept")
	}
	for _, name := range slices.Sorted(maps.Keys(d.Header)) {
		line("header", name+": "+d.Header[name])
	}
	switch {
	case d.Envelope != nil:
		e := d.Envelope
		line("envelope", fmt.Sprintf("%s %s from %s, sent %s", e.Type, e.Id, e.From, e.At.Local().Format(time.RFC3339)))
		raw, err := json.MarshalIndent(e.Body, "", "  ")
		if err != nil {
			return err
		}
		for each := range strings.SplitSeq(string(raw), "\n") {
			fmt.Fprintln(a.stdout, clean(each))
		}
	case d.Text != nil:
		line("unreadable", text(d.Fault))
		for each := range strings.SplitSeq(*d.Text, "\n") {
			fmt.Fprintln(a.stdout, clean(each))
		}
	default:
		line("unreadable", text(d.Fault))
		fmt.Fprint(a.stdout, hex.Dump(d.Body))
	}
	return nil
}

// letterChoice makes a choice of the numbers that were written, or of all that match.
func letterChoice(args []string, all bool, m *letterMatch) (client.LetterChoice, error) {
	match, err := m.match()
	if err != nil {
		return client.LetterChoice{}, err
	}
	given := *m != letterMatch{}
	switch {
	case all && len(args) > 0, !all && given:
		return client.LetterChoice{}, usage(errors.New("write either numbers, or --all-matching with what has to match"))
	case !all && len(args) == 0:
		return client.LetterChoice{}, usage(fmt.Errorf("write which ones: their numbers, or --all-matching: %w", fettle.ErrInvalid))
	case all:
		return client.LetterChoice{Match: &match}, nil
	}
	var c client.LetterChoice
	for _, arg := range args {
		seq, err := seqOf(arg)
		if err != nil {
			return c, err
		}
		c.Seqs = append(c.Seqs, seq)
	}
	return c, nil
}

// choosesLetters makes cmd take the numbers of dead letters, or what those have to match that do is for.
func (a *app) choosesLetters(cmd *cobra.Command, do func(context.Context, *client.API, client.LetterChoice) error) {
	var m letterMatch
	var all bool
	m.flags(a, cmd)
	cmd.Flags().BoolVar(&all, "all-matching", false, "all that the other flags match; without them: every one")
	a.outputFlag(cmd, "table", "json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		choice, err := letterChoice(args, all, &m)
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		return do(cmd.Context(), c, choice)
	}
}

func (a *app) letterReplayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay SEQ...", Short: "hand dead letters in again", Args: takes("SEQ..."), ValidArgsFunction: cobra.NoFileCompletions,
		Long: `Hands dead letters to the server as if they came now: they are verified, ordered and de-duplicated like everything else. Those that are
taken are deleted; what is refused again stays, and makes the exit code 1. One of which only the beginning was kept cannot be replayed.
Wants an admin's token.`,
		Example: `  fettle broker dead-letters replay 17 18
  fettle broker dead-letters replay --all-matching --sender web1.acme.net`,
	}
	a.choosesLetters(cmd, func(ctx context.Context, c *client.API, choice client.LetterChoice) error {
		sum, err := c.ReplayDeadLetters(ctx, choice)
		if err != nil {
			return err
		}
		if a.output == "json" {
			err = printJSON(a.stdout, sum)
		} else {
			for _, r := range sum.Refused {
				fmt.Fprintf(a.stdout, "%d: %s\n", r.Seq, clean(r.Reason))
			}
			_, err = fmt.Fprintf(a.stdout, "%d taken, %d refused\n", sum.Taken, len(sum.Refused))
		}
		if err == nil && len(sum.Refused) > 0 {
			err = &codeError{code: exitFault}
		}
		return err
	})
	return cmd
}

func (a *app) letterDeleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "delete SEQ...", Short: "delete dead letters", Args: takes("SEQ..."), ValidArgsFunction: cobra.NoFileCompletions,
		Long:    "They are gone. Wants an admin's token.",
		Example: "  fettle broker dead-letters delete 17 18\n  fettle broker dead-letters delete --all-matching --kind content",
	}
	a.choosesLetters(cmd, func(ctx context.Context, c *client.API, choice client.LetterChoice) error {
		gone, err := c.DeleteDeadLetters(ctx, choice)
		if err != nil {
			return err
		}
		if a.output == "json" {
			return printJSON(a.stdout, gone)
		}
		_, err = fmt.Fprintf(a.stdout, "%s deleted\n", plural(int(gone.Deleted), "dead letter"))
		return err
	})
	return cmd
}
