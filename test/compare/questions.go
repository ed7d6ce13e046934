package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// question is one question in the words of each who is asked.
type question struct {
	name     string
	filter   string
	postgres string // the WHERE over nodes.facts
	maria    string // the whole statement; {path} stands for the number of a path
}

// questions are what all are asked. "nothing" is what a question costs that needs no look at any node.
var questions = []question{
	{"nothing", `false`, `false`, `SELECT COUNT(*) FROM facts WHERE FALSE`},
	{
		"equality", `facts.os.family == "Debian"`, `facts @> '{"os":{"family":"Debian"}}'`,
		`SELECT COUNT(*) FROM facts WHERE path = {os.family} AND text = 'Debian'`,
	},
	{
		"membership", `facts.country in ["us", "ca"]`, `facts @> '{"country":"us"}' OR facts @> '{"country":"ca"}'`,
		`SELECT COUNT(*) FROM facts WHERE path = {country} AND text IN ('us', 'ca')`,
	},
	{"prefix", `facts.role.startsWith("web")`, `facts->>'role' LIKE 'web%'`, `SELECT COUNT(*) FROM facts WHERE path = {role} AND text LIKE 'web%'`},
	{
		"has", `has(facts.ec2_metadata)`, `facts ? 'ec2_metadata'`,
		`SELECT COUNT(DISTINCT node) FROM facts WHERE path IN (SELECT id FROM paths WHERE name = 'ec2_metadata' OR name LIKE 'ec2\_metadata.%')`,
	},
	{
		"range", `facts.processors.count >= 16`, `(facts #>> '{processors,count}')::numeric >= 16`,
		`SELECT COUNT(*) FROM facts WHERE path = {processors.count} AND number >= 16`,
	},
	{
		"range, all distinct", `facts.memory.system.used_bytes > 10000000000`, `(facts #>> '{memory,system,used_bytes}')::numeric > 10000000000`,
		`SELECT COUNT(*) FROM facts WHERE path = {memory.system.used_bytes} AND number > 10000000000`,
	},
	{
		"four of these, &&", `facts.os.family == "Debian" && facts.country in ["us", "ca"] && facts.role.startsWith("web") && facts.memory.system.used_bytes > 10000000000`,
		`facts @> '{"os":{"family":"Debian"}}' AND (facts @> '{"country":"us"}' OR facts @> '{"country":"ca"}') AND facts->>'role' LIKE 'web%'
			AND (facts #>> '{memory,system,used_bytes}')::numeric > 10000000000`,
		`SELECT COUNT(*) FROM facts a JOIN facts b ON b.node = a.node JOIN facts c ON c.node = a.node JOIN facts d ON d.node = a.node
			WHERE a.path = {os.family} AND a.text = 'Debian' AND b.path = {country} AND b.text IN ('us', 'ca')
			AND c.path = {role} AND c.text LIKE 'web%' AND d.path = {memory.system.used_bytes} AND d.number > 10000000000`,
	},
}

// compare asks all peers everything, and prints a table. That two do not agree is an error.
func compare(ctx context.Context, peers []peer, loads []time.Duration, s settings, out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%d nodes\tmatched", s.nodes)
	for _, p := range peers {
		fmt.Fprintf(t, "\t%s", p.name())
	}
	fmt.Fprintln(t)
	var faults []error
	for _, q := range questions {
		first := 0
		for i, p := range peers {
			matched, median, err := ask(ctx, p, q.name, s)
			if err != nil {
				return err
			}
			if i == 0 {
				first = matched
				fmt.Fprintf(t, "%s\t%d", q.name, matched)
			}
			if matched != first {
				faults = append(faults, fmt.Errorf("%s: %s says that %d match, and %s says %d", q.name, peers[0].name(), first, p.name(), matched))
			}
			fmt.Fprintf(t, "\t%v", round(median))
		}
		fmt.Fprintln(t)
	}
	fmt.Fprint(t, "loading, nodes a second\t")
	for i := range peers {
		fmt.Fprintf(t, "\t%.0f", float64(s.nodes)/loads[i].Seconds())
	}
	fmt.Fprint(t, "\nbytes a node\t")
	for _, p := range peers {
		bytes, err := p.size(ctx)
		if err != nil {
			return fmt.Errorf("size of %s: %w", p.name(), err)
		}
		fmt.Fprintf(t, "\t%d", bytes/int64(s.nodes))
	}
	fmt.Fprintln(t)
	return errors.Join(append(faults, t.Flush())...)
}

// round gives a time with three digits.
func round(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}
