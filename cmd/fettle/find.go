package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
	"github.com/spf13/cobra"
)

func (a *app) findCommand() *cobra.Command {
	var (
		m      aim
		count  bool
		fold   bool
		limit  int
		fields string
		asOf   string
	)
	cmd := &cobra.Command{
		Use: "find [FILTER]", Short: "which nodes match a filter", GroupID: groupAsk,
		Long: `Lists the nodes that a filter matches; without one, all nodes. The filter is CEL as a positional or after -S,
the short form after -W, or -F, -C, -I; together a node has to satisfy all of them.

Exit code 4 when nobody matches.`,
		Example: `  fettle find 'facts.os.family == "Debian" && facts.processors.count >= 8'
  fettle find -W 'environment=production customer=acme mysql::master'
  fettle find -I /^web/ --fields os.name,os.release.full
  fettle find 'facts.os.release.major == "11"' --as-of -7d
  fettle find 'has(facts.puppet_role)' --count`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	a.aimFlags(cmd, &m)
	cmd.Flags().BoolVar(&count, "count", false, "only how many")
	cmd.Flags().BoolVar(&fold, "fold", false, "names folded into one line, web[01-16,18]")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most so many nodes; 0: all")
	cmd.Flags().StringVar(&fields, "fields", "os.name,os.release.full", "columns: fact paths, and facts, classes, agent, commands, pools, labels")
	asOfFlag(cmd, &asOf)
	flagNames(cmd, map[string]complete{"fields": a.namesOf(-1, fieldNames)})
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		where, err := m.filter(cmd.Context(), args, false)
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		if limit < 0 {
			return usage(fmt.Errorf("--limit %d is below zero: %w", limit, fettle.ErrInvalid))
		}
		at, err := moment(asOf, time.Now())
		if err != nil {
			return err
		}
		q := question{where: where, limit: limit, fields: fields, count: count, asOf: at}
		if a.output == "names" || fold {
			q.fields = ""
		}
		found, err := find(cmd.Context(), c, q)
		if err != nil {
			return err
		}
		if err := a.printFound(found, q, fold); err != nil {
			return err
		}
		if found.Matched == 0 {
			return &codeError{code: exitNobody}
		}
		return nil
	}
	return cmd
}

func (a *app) printFound(found *client.NodeList, q question, fold bool) error {
	a.tellNobody(found, q)
	switch {
	case q.count && a.output == "json":
		return printJSON(a.stdout, found)
	case q.count:
		a.tellUndefined(found)
		_, err := fmt.Fprintln(a.stdout, found.Matched)
		return err
	case fold:
		ids := make([]fettle.NodeID, len(found.Nodes))
		for i, n := range found.Nodes {
			ids[i] = n.Identity
		}
		_, err := fmt.Fprintln(a.stdout, nagios.Fold(ids))
		return err
	}
	columns := splitFields(q.fields)
	l := listing{columns: []string{"NODE", "LIVENESS", "SEEN"}, object: found}
	for _, c := range columns {
		l.columns = append(l.columns, strings.ToUpper(c))
	}
	l.columns = append(l.columns, "+ENROLLED")
	for _, n := range found.Nodes {
		row := []string{string(n.Identity), string(n.Liveness), ago(n.Seen)}
		if a.output == "csv" {
			row[2] = n.Seen.UTC().Format(time.RFC3339)
		}
		for _, c := range columns {
			row = append(row, plainValue(n.Fields[c]))
		}
		l.rows = append(l.rows, append(row, n.Enrolled.UTC().Format(time.RFC3339)))
		l.lines = append(l.lines, n)
	}
	if err := l.write(a); err != nil {
		return err
	}
	if a.output == "table" || a.output == "wide" {
		if terminal(a.stderr) {
			fmt.Fprintf(a.stderr, "%s matched\n", plural(int(found.Matched), "node"))
		}
		a.tellUndefined(found)
	}
	return nil
}

// tellNobody says what else to try; hints stand in the answer of the JSON modes.
func (a *app) tellNobody(found *client.NodeList, q question) {
	if strings.HasPrefix(a.output, "json") {
		return
	}
	for _, hint := range found.Hints {
		a.hint(hint)
	}
	switch {
	case found.Matched > 0 || !terminal(a.stderr):
	case q.where == "" && q.asOf == "":
		fmt.Fprintf(a.stderr, "no node has reported yet; start an agent: %s agent --server stomp://…\n", a.self())
	case q.where == "":
		fmt.Fprintln(a.stderr, "no node was known then")
	default:
		fmt.Fprintf(a.stderr, "no node matches; what each clause finds: %s filter explain %s\n", a.self(), shellLine([]string{string(q.where)}))
	}
}

// hint says on stderr what may have been meant; nothing for an empty text.
func (a *app) hint(text string) {
	if text = strings.TrimPrefix(text, ", "); text != "" && !strings.HasPrefix(a.output, "json") {
		fmt.Fprintln(a.stderr, "hint:", clean(text))
	}
}

// tellUndefined says of how many nodes it cannot be said whether they match, and why.
func (a *app) tellUndefined(found *client.NodeList) {
	if found.Undefined == 0 || strings.HasPrefix(a.output, "json") {
		return
	}
	var why []string
	for _, path := range slices.Sorted(maps.Keys(found.UndefinedBy)) {
		why = append(why, fmt.Sprintf("%s (%d)", path, found.UndefinedBy[path]))
	}
	fmt.Fprintf(a.stderr, "%s undefined: %s\n", plural(int(found.Undefined), "node"), strings.Join(why, ", "))
}

func splitFields(fields string) (out []string) {
	for field := range strings.SplitSeq(fields, ",") {
		if field = strings.TrimSpace(field); field != "" {
			out = append(out, field)
		}
	}
	return out
}

// plainValue writes a JSON value for a table: text without quotes, nothing for what is not there.
func plainValue(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// ago writes how long ago t was, in one unit.
func ago(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := time.Since(t)
	switch {
	case d < time.Second:
		return "now"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s ago"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m ago"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + "h ago"
	}
	return strconv.Itoa(int(d.Hours()/24)) + "d ago"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}
