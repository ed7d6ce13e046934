package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

func (a *app) findCommand() *cobra.Command {
	var (
		m           aim
		q           question
		live        liveOrder
		fold, one   bool
		asOf, since string
	)
	cmd := &cobra.Command{
		Use: "find [FILTER]", Short: "which nodes match a filter", GroupID: groupAsk,
		Long: `Lists the nodes that a filter matches; without one, all nodes. The filter is CEL as a positional or after -S,
the short form after -W, or -F, -C, -I; together a node has to satisfy all of them. @name in it is a saved filter.

--fields takes fact paths, expressions in CEL over all that a filter sees, and facts, classes, agent, commands, pools, labels; a minus
in an expression wants blanks around it, because a fact's name may have one. --became-true-since lists the nodes for which the filter
is true and was not at that moment.

--live asks the nodes instead of what is stored: each collects its facts and says yes or no, and the list ends with the last one that is
alive. --diff lists those for which what was stored gives another answer.

--one is for scripts: it prints the identity of the node that is meant, and is an error when it is several.

Exit code 4 when nobody matches; 3 when some nodes were asked and did not answer.`,
		Example: `  fettle find 'facts.os.family == "Debian" && facts.processors.count >= 8'
  fettle find -W 'environment=production customer=acme mysql::master'
  fettle find -I /^web/ --fields os.name,os.release.full
  fettle find @web-prod --fields 'role, facts.memory.system.total_bytes / 1073741824' --sort memory.system.total_bytes --desc --limit 10
  fettle find 'facts.os.release.major == "11"' --as-of -7d
  fettle find 'version(facts.kernelversion) < version("6.1")' --became-true-since -24h
  fettle find 'facts.os.release.minor == "8"' --diff
  ssh $(fettle find --one 'facts.role == "db" && facts.primary')
  fettle find 'has(facts.puppet_role)' --count`,
		ValidArgsFunction: a.namesOf(0, savedNames),
	}
	a.aimFlags(cmd, &m)
	a.findFlags(cmd, &q)
	cmd.Flags().BoolVar(&fold, "names", false, "names only, folded into one line: web[01-16,18]")
	cmd.Flags().BoolVar(&one, "one", false, "the one node that matches, and an error when it is not exactly one")
	asOfFlag(cmd, &asOf)
	live.flags(cmd)
	cmd.Flags().StringVar(&since, "became-true-since", "", "only nodes for which the filter was not true at that `TIME`, such as -24h or yesterday")
	a.outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if q.where, err = m.filter(cmd.Context(), args, false); err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		if one {
			if err := onlyOne(cmd); err != nil {
				return err
			}
			q.limit = namesInFault
		}
		if live.live || live.diff {
			if err := live.check(cmd, q.where); err != nil {
				return err
			}
			live.fold, live.count = fold, q.count
			return a.findLive(cmd.Context(), c, q.where, live)
		}
		if q.limit < 0 {
			return usage(fmt.Errorf("--limit %d is below zero: %w", q.limit, fettle.ErrInvalid))
		}
		now := time.Now()
		if q.asOf, err = moment("as-of", asOf, now); err != nil {
			return err
		}
		if q.since, err = moment("became-true-since", since, now); err != nil {
			return err
		}
		if one && (a.output == "table" || a.output == "wide") {
			a.output = "names"
		}
		if a.output == "names" || fold {
			q.fields = ""
		}
		found, err := find(cmd.Context(), c, q)
		if err != nil {
			return err
		}
		if one && found.Matched > 1 {
			return severalMatch(found)
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

// namesInFault is how many names stand at most in the error of a find that was to find one.
const namesInFault = 5

// onlyOne refuses what --one has no use for.
func onlyOne(cmd *cobra.Command) error {
	for _, name := range []string{"names", "count", "limit", "live", "diff"} {
		if cmd.Flags().Changed(name) {
			return usage(fmt.Errorf("--one and --%s exclude each other: %w", name, fettle.ErrInvalid))
		}
	}
	return nil
}

// severalMatch is the error of a find that was to find one.
func severalMatch(found *client.NodeList) error {
	ids := make([]fettle.NodeID, len(found.Nodes))
	for i, n := range found.Nodes {
		ids[i] = n.Identity
	}
	more := ""
	if left := found.Matched - int64(len(ids)); left > 0 {
		more = fmt.Sprintf(" and %d more", left)
	}
	return fmt.Errorf("%d nodes match, and one was asked for: %s%s: %w", found.Matched, nagios.Fold(ids), more, fettle.ErrConflict)
}

// findFlags adds what a list of nodes may be asked for, completed. --columns is --fields: the word is everybody's second guess.
func (a *app) findFlags(cmd *cobra.Command, q *question) {
	f := cmd.Flags()
	f.BoolVar(&q.count, "count", false, "only how many")
	f.IntVar(&q.limit, "limit", 0, "at most `NUMBER` nodes; 0: all")
	f.StringVar(&q.fields, "fields", "os.name,os.release.full", "`COLUMNS`: fact paths and CEL, with commas between")
	f.StringVar(&q.sort, "sort", "", "order by this fact `PATH`, nodes without it last; default: by name")
	f.BoolVar(&q.desc, "desc", false, "turn the order around")
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "columns" {
			name = "fields"
		}
		return pflag.NormalizedName(name)
	})
	flagNames(cmd, map[string]complete{"fields": a.namesOf(-1, fieldNames), "sort": a.namesOf(-1, pathNames)})
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
	columns := filter.SplitList(q.fields)
	l := listing{columns: []string{"NODE", "LIVENESS", "SEEN"}, object: found}
	for _, c := range columns {
		l.columns = append(l.columns, heading(c))
	}
	l.columns = append(l.columns, "+ENROLLED")
	for _, n := range found.Nodes {
		row := []string{string(n.Identity), string(n.Liveness), ago(n.Seen)}
		if n.Contested != nil && a.output != "csv" {
			row[1] += ", contested"
		}
		switch {
		case n.Liveness == "": // of the past it is not known
			row[2] = ""
		case a.output == "csv":
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
	case q.since != "":
		fmt.Fprintln(a.stderr, "for no node it became true since then")
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
	fmt.Fprintf(a.stderr, "%s undefined: %s\n", plural(int(found.Undefined), "node"), reasons(found.UndefinedBy))
}

// heading is what stands above a column: a path in capitals, an expression as it is.
func heading(field string) string {
	if _, err := fettle.ParsePath(field); err != nil {
		return field
	}
	return strings.ToUpper(field)
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
