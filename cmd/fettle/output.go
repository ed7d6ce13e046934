package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	fettle "github.com/fettle-dev/fettle"
)

// formats of every listing.
var formats = []string{"table", "wide", "json", "jsonl", "yaml", "csv", "names"}

// outputFlag gives cmd its -o, completed and checked.
func (a *app) outputFlag(cmd *cobra.Command, allowed ...string) {
	if len(allowed) == 0 {
		allowed = formats
	}
	cmd.Flags().StringP("output", "o", allowed[0], "`FORMAT`: "+strings.Join(allowed, ", "))
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp)) // the flag was just made
	check := cmd.PreRunE
	cmd.PreRunE = func(c *cobra.Command, args []string) error {
		a.output = c.Flag("output").Value.String() // all commands share the field, and the last default stands in it
		if !slices.Contains(allowed, a.output) {
			wrong := a.output
			a.output = allowed[0]
			return usage(fmt.Errorf("-o %s: one of %s: %w", wrong, strings.Join(allowed, ", "), fettle.ErrInvalid))
		}
		if check != nil {
			return check(c, args)
		}
		return nil
	}
}

// listing is an answer of many rows, for any format.
type listing struct {
	columns []string // those whose name begins with '+' stand in wide and csv only
	rows    [][]string
	names   []string // what -o names prints, one a line; nil: the first column
	object  any      // what -o json and yaml print
	lines   []any    // what -o jsonl prints, one object a line
	footer  string   // for people, below a table
	none    string   // for people at a terminal, in the place of a table without rows
}

// write prints l as -o says.
func (l listing) write(a *app) error {
	switch a.output {
	case "json":
		return printJSON(a.stdout, l.object)
	case "jsonl":
		for _, line := range l.lines {
			if err := printLine(a.stdout, line); err != nil {
				return err
			}
		}
		return nil
	case "yaml":
		return printYAML(a.stdout, l.object)
	case "csv":
		return l.csv(a.stdout)
	case "names":
		return l.printNames(a.stdout)
	}
	return l.table(a)
}

func (l listing) csv(w io.Writer) error {
	out := csv.NewWriter(w)
	head := make([]string, len(l.columns))
	for i, c := range l.columns {
		head[i] = strings.ToLower(strings.TrimPrefix(c, "+"))
	}
	if err := out.WriteAll(append([][]string{head}, l.rows...)); err != nil {
		return err
	}
	return out.Error()
}

func (l listing) printNames(w io.Writer) error {
	names := l.names
	if names == nil {
		for _, row := range l.rows {
			names = append(names, row[0])
		}
	}
	for _, name := range names {
		if _, err := fmt.Fprintln(w, clean(name)); err != nil {
			return err
		}
	}
	return nil
}

func (l listing) table(a *app) error {
	var keep []int
	var head []string
	for i, c := range l.columns {
		if wide := strings.HasPrefix(c, "+"); !wide || a.output == "wide" {
			keep, head = append(keep, i), append(head, strings.TrimPrefix(c, "+"))
		}
	}
	t := newTable(head...)
	for _, row := range l.rows {
		cells := make([]string, len(keep))
		for k, i := range keep {
			cells[k] = row[i]
		}
		t.add(cells...)
	}
	if err := t.write(a.stdout); err != nil {
		return err
	}
	if len(l.rows) == 0 && l.none != "" && terminal(a.stderr) {
		fmt.Fprintln(a.stderr, l.none)
	}
	if l.footer != "" {
		fmt.Fprintln(a.stderr, l.footer)
	}
	return nil
}

// table is columns of text, as wide as they have to be.
type table struct {
	rows [][]string
}

func newTable(head ...string) *table { return &table{rows: [][]string{head}} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write prints the table; without rows it prints nothing, so that an empty answer is an empty output.
func (t *table) write(w io.Writer) error {
	if len(t.rows) == 1 {
		return nil
	}
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i := range row {
			row[i] = clean(row[i])
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// clean takes out of text what would play with a terminal: facts and output come from outside.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}

// printObject writes v as JSON or YAML where that was asked for, and lets text write it otherwise.
func (a *app) printObject(v any, text func() error) error {
	switch a.output {
	case "json":
		return printJSON(a.stdout, v)
	case "yaml":
		return printYAML(a.stdout, v)
	}
	return text()
}

// handOut shows what was made with a secret of its own, this once. Where file names one, save puts the secret there, and it is not shown.
func (a *app) handOut(made any, secret *string, file string, save func() error) error {
	if file != "" {
		if err := save(); err != nil {
			return err
		}
		*secret = ""
		fmt.Fprintf(a.stderr, "the token is in %s\n", file)
		if a.output != "json" {
			return nil
		}
	}
	return a.printObject(made, func() error {
		_, err := fmt.Fprintln(a.stdout, *secret)
		return err
	})
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func printLine(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// printYAML goes by way of JSON, so that both have the same keys.
func printYAML(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	text, err := yaml.JSONToYAML(raw)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// terminal tells whether a stream is a person's screen or keyboard.
func terminal(stream any) bool {
	f, is := stream.(interface{ Fd() uintptr })
	return is && term.IsTerminal(int(f.Fd()))
}

// Colours, for terminals only.
const (
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	bold   = "\x1b[1m"
	faint  = "\x1b[2m"
	reset  = "\x1b[0m"
)

// paint colours text where a person sees it and has not said NO_COLOR.
func (a *app) paint(colour, text string) string {
	if !a.colour {
		return text
	}
	return colour + text + reset
}
