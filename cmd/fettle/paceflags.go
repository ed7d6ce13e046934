package main

import (
	"bytes"
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
	"github.com/fettle-dev/fettle/runs"
	"github.com/fettle-dev/fettle/server/api/client"
)

// paceFlags are the flags that say in which order and how fast a run asks, what stops it, and when it comes again.
type paceFlags struct {
	fettle.Pace
	limit, batch, maxFailed, maxSilent, gate string
	batchSleep, whileTimeout                 wait
	locks                                    []string

	name, cron, zone string
	loop, every      wait
}

// flags adds the flags to cmd.
func (p *paceFlags) flags(a *app, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&p.limit, "limit", "", "ask `NUMBER` of the nodes that match only, or so many of every hundred: 10, 5%")
	f.BoolVar(&p.LimitRandom, "limit-random", false, "those of --limit are drawn; else they are the first")
	f.Int64Var(&p.Seed, "seed", 0, "`NUMBER` from which is drawn; the same one draws the same nodes")
	f.StringVar(&p.Order, "order", "", "`ORDER` in which nodes are asked: identity, random, or a fact (default identity)")
	f.StringVar(&p.SpreadBy, "spread-by", "", "`FACT`, such as facts.rack: neighbours in the order differ in it")
	f.IntVar(&p.Canary, "canary", 0, "`NUMBER` of nodes that go first; unless all of them do well nobody follows")
	f.StringVar(&p.batch, "batch", "", "`NUMBER` of nodes a batch, or 25%; the next begins when all have answered or are silent")
	f.Var(&p.batchSleep, "batch-sleep", "between batches")
	f.IntVar(&p.Concurrency, "concurrency", 0, "`NUMBER` of nodes at once; those on which the action goes for another reason count")
	f.StringArrayVar(&p.locks, "lock", nil, "`NAME=NUMBER` of nodes that may hold a lock at once, in all runs of everybody together")
	f.StringVar(&p.gate, "while", "", "a gate in `CEL`: the next batch goes out only while it is true")
	f.Var(&p.whileTimeout, "while-timeout", "how long a gate may be closed before the run is stopped (default 1h)")
	f.StringVar(&p.maxFailed, "max-failed", "", "stop when more than `NUMBER` of nodes have failed, or 5%; 0: at the first")
	f.StringVar(&p.maxSilent, "max-silent", "", "stop when more than `NUMBER` of nodes are silent, or 5%")
	f.Var(&p.loop, "loop", "a standing run: each node again so long after its last end")
	f.Var(&p.every, "every", "a standing run: all of it so often")
	f.StringVar(&p.cron, "cron", "", "a standing run: all of it whenever the five `FIELDS` say so, such as '30 4 * * 1-5'")
	f.StringVar(&p.zone, "zone", "", "time `ZONE` of --cron, such as Europe/Vienna (default UTC)")
	f.StringVar(&p.name, "name", "", "`NAME` of a standing run (default the action's)")
	flagNames(cmd, map[string]complete{
		"order": a.orders, "spread-by": a.namesOf(-1, factNames), "limit": words("10%\ta tenth of them"), "batch": words("10%\tten batches", "25%\tfour batches", "50%\ttwo batches"),
		"max-failed": words("0\tthe first failure stops", "5%\tone in twenty may"), "max-silent": words("0\tthe first stops", "5%\tone in twenty may"),
		"zone": words("UTC", "Local"), "canary": words("1", "2", "5"), "concurrency": words("1", "4", "10"), "lock": words("puppet=4"), "name": words(),
		"while": words(`verdict("`), "seed": words("1"), "cron": words(`0 * * * *	at every full hour`, `30 4 * * 1-5	on working days`),
		"loop": words("30m"), "every": words("1h", "24h"), "batch-sleep": words("30s", "5m"), "while-timeout": words("10m", "1h"),
	})
}

// orders completes --order: names of orders, and facts.
func (a *app) orders(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	named, _ := words("identity\tby name", "random\tdrawn by --seed")(cmd, args, begun)
	found, directive := a.namesOf(-1, factNames)(cmd, args, begun)
	return append(named, found...), directive
}

// standing tells whether the flags ask for a run that comes again and again.
func (p *paceFlags) standing() bool { return p.loop != 0 || p.every != 0 || p.cron != "" }

// read gives the pace that the flags say; nil: everybody is asked at once. Faults name the flags.
func (p *paceFlags) read() (*client.Pace, error) {
	p.Limit, p.Batch, p.MaxFailed, p.MaxSilent = fettle.Share(p.limit), fettle.Share(p.batch), fettle.Share(p.maxFailed), fettle.Share(p.maxSilent)
	p.While, p.BatchSleep, p.WhileTimeout = fettle.Filter(p.gate), time.Duration(p.batchSleep).Milliseconds(), time.Duration(p.whileTimeout).Milliseconds()
	p.Locks = nil
	for _, word := range p.locks {
		name, text, _ := strings.Cut(word, "=")
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("--lock %s: it is written NAME=NUMBER, such as puppet=4: %w", word, fettle.ErrInvalid)
		}
		if p.Locks == nil {
			p.Locks = map[string]int{}
		}
		p.Locks[name] = n
	}
	var faults []error
	if p.zone != "" && p.cron == "" {
		faults = append(faults, fmt.Errorf("--zone is that of --cron, which is not given: %w", fettle.ErrInvalid))
	}
	if p.name != "" && !p.standing() {
		faults = append(faults, fmt.Errorf("--name is that of a standing run: give --loop, --every or --cron: %w", fettle.ErrInvalid))
	}
	if err := errors.Join(append(faults, flagFaults(runs.Check(p.Pace))...)...); err != nil {
		return nil, err
	}
	if !runs.Paced(p.Pace) {
		return nil, nil
	}
	raw, err := json.Marshal(p.Pace)
	if err != nil {
		return nil, err
	}
	pace := new(client.Pace)
	return pace, json.Unmarshal(raw, pace)
}

// flagFaults gives the faults of a pace under the names of the flags.
func flagFaults(err error) (out []error) {
	for _, one := range fettle.Faults(err) {
		var f *fettle.Fault
		if errors.As(one, &f) {
			key := strings.TrimSuffix(strings.TrimPrefix(f.Key, "pace."), "_ms")
			named := &fettle.Fault{Key: "--" + strings.ReplaceAll(strings.TrimSuffix(key, "s"), "_", "-"), Reason: f.Reason}
			one = named
		}
		out = append(out, one)
	}
	return out
}

// paceText says a pace in words.
func paceText(p *client.Pace) string {
	if p == nil {
		return ""
	}
	raw, err := json.Marshal(p)
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // a seed has more digits than a float64
	var fields map[string]any
	if err != nil || d.Decode(&fields) != nil {
		return ""
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value := fmt.Sprint(fields[key])
		name, isSpan := strings.CutSuffix(key, "_ms")
		switch v := fields[key].(type) {
		case json.Number:
			if ms, err := v.Int64(); err == nil && isSpan {
				value = spell(time.Duration(ms) * time.Millisecond)
			}
		case map[string]any:
			var locks []string
			for _, lock := range slices.Sorted(maps.Keys(v)) {
				locks = append(locks, fmt.Sprintf("%s=%v", lock, v[lock]))
			}
			name, value = "lock", strings.Join(locks, ",")
		case bool:
			parts = append(parts, strings.ReplaceAll(name, "_", "-"))
			continue
		}
		parts = append(parts, strings.ReplaceAll(name, "_", "-")+" "+value)
	}
	return strings.Join(parts, ", ")
}
