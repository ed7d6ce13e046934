//go:build unix

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver with which we look at what the server has stored

	"github.com/fettle-dev/fettle/wire"
)

// maxFaults is how many broken promises are told.
const maxFaults = 20

// account is what is counted when all has ended.
type account struct {
	*story
	faults      []error
	ended       time.Time
	states      int
	transitions int
	cutOff      int // states whose last result was made as its agent ended
}

func (a *account) bad(format string, args ...any) {
	a.faults = append(a.faults, fmt.Errorf(format, args...))
}

// account ends everything, and compares what the nodes have said with what the server has stored.
func (s *story) account(ctx context.Context) error {
	a := &account{story: s, ended: time.Now()}
	if used, err := s.fleet.CPU(); err == nil {
		fmt.Fprintf(s.out, "the fleet used %v of processor time\n", used.Round(time.Second))
	}
	a.must(s.fleet.End())
	a.spools()
	a.must(s.shut(false))
	a.must(s.made.read())
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "server", "fettle.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	if err := a.compareStates(ctx, db); err != nil {
		return err
	}
	if err := a.compareTransitions(ctx, db); err != nil {
		return err
	}
	var dead int
	var why sql.NullString
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*), MIN(reason) FROM dead_letters").Scan(&dead, &why); err != nil {
		return err
	}
	if dead > 0 {
		a.bad("%d messages became dead letters: %s", dead, why.String)
	}
	a.must(growth("server", s.memory[0]))
	a.must(growth("fleet", s.memory[1]))
	a.print()
	if n := len(a.faults); n > maxFaults {
		a.faults = append(a.faults[:maxFaults], fmt.Errorf("and %d more", n-maxFaults))
	}
	return errors.Join(a.faults...)
}

func (a *account) must(err error) {
	if err != nil {
		a.faults = append(a.faults, err)
	}
}

// spools opens the spools that the agents have left: nothing may be in them.
func (a *account) spools() {
	files, err := filepath.Glob(filepath.Join(a.nodesDir, "*", "spool"))
	if err != nil || len(files) != a.nodes {
		a.bad("%d nodes have left %d spools: %w", a.nodes, len(files), err)
	}
	for _, file := range files {
		s, err := wire.OpenSpool(wire.DefaultSpool(file))
		if err != nil {
			a.bad("spool %s: %w", file, err)
			continue
		}
		if n := s.Stats().Entries; n > 0 {
			a.bad("%d entries are left in %s", n, file)
		}
		_ = s.Close()
	}
}

// stored is a state in the store.
type stored struct {
	status, soft, output string
	received, stale      int64
}

// compareStates wants the last state of every check on every node, and none too old.
func (a *account) compareStates(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT check_name, node, status, soft, output, received_at, stale_at FROM check_states")
	if err != nil {
		return err
	}
	defer rows.Close()
	found := map[spot]stored{}
	count := map[string]int{}
	for rows.Next() {
		var where spot
		var s stored
		if err := rows.Scan(&where.check, &where.node, &s.status, &s.soft, &s.output, &s.received, &s.stale); err != nil {
			return err
		}
		found[where] = s
		count[where.check]++
	}
	a.states = len(found)
	oldest := a.ended.Add(-a.interval - min(a.interval, catchUp)).UnixMilli()
	for where, s := range found {
		if s.stale != 0 || s.status == "stale" || s.received < oldest {
			a.bad("the state of %s on %s is stuck: %+v", where.check, where.node, s)
		}
	}
	for _, d := range a.list {
		if !d.unwatched {
			a.compareCheck(d, found)
		}
		if count[d.name] != a.roster[d.name] {
			a.bad("%s has %d states, and the inventory %d members", d.name, count[d.name], a.roster[d.name])
		}
	}
	return rows.Err()
}

// compareCheck holds the states of a check against what its nodes have said last. Of the very last result it is not known whether it was kept:
// its agent was told to end.
func (a *account) compareCheck(d definition, found map[spot]stored) {
	for where, list := range a.made.made {
		if where.check != d.name {
			continue
		}
		s := found[where]
		_, number, _ := strings.Cut(s.output, " #")
		i := slices.IndexFunc(list, func(one deed) bool { return one.number == number })
		switch {
		case i < 0 || i < len(list)-2 || i == len(list)-2 && list[len(list)-1].at < a.ended.UnixMilli():
			a.bad("the state of %s on %s is %+v, and the last that was made is %+v", where.check, where.node, s, list[len(list)-1])
			continue
		case i == len(list)-2:
			a.cutOff++
		}
		if s.soft != list[i].status || d.attempts <= 1 && s.status != list[i].status {
			a.bad("the state of %s on %s is %+v, and it was made as %+v", where.check, where.node, s, list[i])
		}
	}
}

// change is a transition in the store, or one that ought to be there.
type change struct{ to, number string }

// compareTransitions wants every hard change once and in order, and none that no node has made.
func (a *account) compareTransitions(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT check_name, node, to_status, output FROM transitions WHERE hard = 1 ORDER BY seq")
	if err != nil {
		return err
	}
	defer rows.Close()
	found := map[spot][]change{}
	for rows.Next() {
		var where spot
		var c change
		var output string
		if err := rows.Scan(&where.check, &where.node, &c.to, &output); err != nil {
			return err
		}
		if c.to == "stale" {
			a.bad("%s on %s was taken for stale, and nobody was away", where.check, where.node)
		}
		_, c.number, _ = strings.Cut(output, " #")
		found[where] = append(found[where], c)
		a.transitions++
	}
	for _, d := range a.list {
		for where, list := range a.made.made {
			if where.check == d.name {
				a.follow(d, where, list, found[where])
			}
		}
	}
	return rows.Err()
}

// follow compares the changes of one state. Where more than one attempt is needed the numbers are not compared: results that are alike merge
// on a node while the server is away.
func (a *account) follow(d definition, where spot, list []deed, got []change) {
	want := hardChanges(list, max(d.attempts, 1))
	for i, w := range want {
		if i < len(got) && got[i].to == w.to && (d.attempts > 1 || got[i].number == w.number) {
			continue
		}
		if i == len(got) && w.number == list[len(list)-1].number && list[len(list)-1].at >= a.ended.UnixMilli() {
			return // it was made as its agent ended
		}
		a.bad("%s on %s: change %d of %d was %+v, and the store has %+v", where.check, where.node, i+1, len(want), w, got[min(i, len(got)):min(i+3, len(got))])
		return
	}
	if len(got) > len(want) {
		a.bad("%s on %s: the store has %d changes, and %d were made; the first of the others is %+v", where.check, where.node, len(got), len(want), got[len(want)])
	}
}

// hardChanges gives what counts, by the rule of Nagios: the first result counts at once, and so do a recovery and the change from one bad state
// that counts to another; from ok it takes attempts bad ones in a row.
func hardChanges(list []deed, attempts int) (changes []change) {
	hard, bad := "", 0
	for _, d := range list {
		if d.status == "ok" {
			bad = 0
		} else {
			bad++
		}
		counts := d.status == "ok" || hard != "ok" || bad >= attempts
		if counts && d.status != hard {
			hard = d.status
			changes = append(changes, change{to: hard, number: d.number})
		}
	}
	return changes
}

func (a *account) print() {
	away, changed := 0, 0
	for _, gap := range a.gone {
		results, changes := a.made.between(gap[0], gap[1])
		away, changed = away+results, changed+changes
	}
	slices.Sort(a.took)
	for _, row := range []struct {
		what string
		n    any
	}{
		{"samples", a.samples},
		{"of these settling", a.settled},
		{"tallies held against the inventory", a.counts},
		{"nodes by which counts were apart", a.apart},
		{"results on record", a.made.all},
		{"of these while the server was away", away},
		{"changes of state meanwhile", changed},
		{"states in the store", a.states},
		{"hard changes in the store", a.transitions},
		{"made as their agent ended", a.cutOff},
		{"all verdicts, median", middle(a.took).Round(100 * time.Microsecond)},
		{"all verdicts, longest", longest(a.took).Round(100 * time.Microsecond)},
		{"server, MiB at most", slices.Max(a.memory[0])},
		{"fleet, MiB at most", slices.Max(a.memory[1])},
		{"server, processor time", a.cpu.Round(time.Second)},
		{"broken promises", len(a.faults)},
	} {
		fmt.Fprintf(a.out, "%-36s %8v\n", row.what, row.n)
	}
}
