//go:build unix

package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/go-sql-driver/mysql" // the drivers with which we look at what the server has stored
	_ "modernc.org/sqlite"

	"github.com/fettle-dev/fettle/wire"
)

// found is what was counted at the end.
type found struct {
	runs, executed, results, unknown, refused   int
	checks, transitions, cutOff, sent, repeated int
	swapped, stale                              int
	faults                                      []error
}

// maxFaults is how many broken promises are told.
const maxFaults = 20

func (f *found) bad(format string, args ...any) {
	f.faults = append(f.faults, fmt.Errorf(format, args...))
}

// print prints what was counted.
func (h *house) print(out io.Writer, f *found) {
	if f == nil {
		return
	}
	for _, row := range []struct {
		what string
		n    int
	}{
		{"messages of agents", f.sent},
		{"of these said twice", f.repeated},
		{"of these swapped", f.swapped},
		{"numbered runs", f.runs},
		{"numbers executed", f.executed},
		{"results in the store", f.results},
		{"of these: outcome unknown", f.unknown},
		{"of these: not executed", f.refused},
		{"check results made", f.checks},
		{"transitions in the store", f.transitions},
		{"of these: became stale", f.stale},
		{"made as their agent died", f.cutOff},
		{"server memory, MiB at most", h.serverTops},
	} {
		fmt.Fprintf(out, "%-28s %6d\n", row.what, row.n)
	}
}

// account ends everything, and compares what was executed with what is in the store.
func (h *house) account(ctx context.Context, w *work) (*found, error) {
	f := &found{}
	for _, g := range h.groups {
		f.sent += int(g.repeater.sent.Load())
		f.repeated += int(g.repeater.repeated.Load())
		f.swapped += int(g.repeater.swapped.Load())
		if err := g.running.End(); err != nil {
			f.faults = append(f.faults, err)
		}
		h.spoolsAreEmpty(f, g)
	}
	h.weigh()
	if err := h.server.End(); err != nil {
		f.faults = append(f.faults, err)
	}
	if h.serverTops > h.memory {
		f.bad("the server had %d MiB, and %d were allowed", h.serverTops, h.memory)
	}
	db, err := h.openStore()
	if err != nil {
		return f, err
	}
	defer db.Close()
	executed, checks, err := h.records()
	if err != nil {
		return f, err
	}
	if err := compareRuns(ctx, db, f, w, executed); err != nil {
		return f, err
	}
	if err := compareTallies(ctx, db, f); err != nil {
		return f, err
	}
	if err := compareChecks(ctx, db, f, checks); err != nil {
		return f, err
	}
	var dead int
	var why sql.NullString
	if err := db.QueryRowContext(ctx, "SELECT COUNT(*), MIN(reason) FROM dead_letters").Scan(&dead, &why); err != nil {
		return f, err
	}
	if dead > 0 {
		f.bad("%d messages became dead letters: %s", dead, why.String)
	}
	if n := len(f.faults); n > maxFaults {
		f.faults = append(f.faults[:maxFaults], fmt.Errorf("and %d more", n-maxFaults))
	}
	return f, errors.Join(f.faults...)
}

func (h *house) openStore() (*sql.DB, error) {
	if h.db != nil {
		return sql.Open("mysql", h.db.dsn(h.db.address))
	}
	return sql.Open("sqlite", filepath.Join(h.serverDir, "fettle.db"))
}

// spoolsAreEmpty opens the spools that the agents of a group have left.
func (h *house) spoolsAreEmpty(f *found, g *group) {
	files, _ := filepath.Glob(filepath.Join(g.dir, "state", "*", "spool"))
	for _, file := range files {
		s, err := wire.OpenSpool(wire.DefaultSpool(file))
		if err != nil {
			f.bad("spool %s: %v", file, err)
			continue
		}
		if n := s.Stats().Entries; n > 0 {
			f.bad("%d entries are left in %s", n, file)
		}
		_ = s.Close()
	}
}

// deed is one line of a record.
type deed struct {
	node, number, code string
	last               bool // its process was killed or stopped after it: whether it was kept is not known
}

// records reads what was executed: by node and number for runs, in order for the check.
func (h *house) records() (runs map[string]int, checks map[string][]deed, err error) {
	runs, checks = map[string]int{}, map[string][]deed{}
	for _, g := range h.groups {
		file, err := os.Open(record(h.dir, g.number))
		if err != nil {
			return nil, nil, err
		}
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			words := strings.Fields(lines.Text())
			if len(words) != 4 {
				return nil, nil, fmt.Errorf("%s: %q is no line of a record", file.Name(), lines.Text())
			}
			d := deed{node: words[1], number: words[2], code: words[3]}
			if words[0] == "run" {
				runs[d.node+" "+d.number]++
				continue
			}
			list := checks[d.node]
			if n := len(list); n > 0 && life(list[n-1]) != life(d) {
				list[n-1].last = true
			}
			checks[d.node] = append(list, d)
		}
		_ = file.Close()
	}
	for _, list := range checks {
		list[len(list)-1].last = true
	}
	return runs, checks, nil
}

// life tells which life of its agent a deed belongs to.
func life(d deed) string {
	begun, _, _ := strings.Cut(d.number, "-")
	return begun
}

// compareRuns looks at each task of each numbered run.
func compareRuns(ctx context.Context, db *sql.DB, f *found, w *work, executed map[string]int) error {
	numbers := map[string]string{} // by run
	rows, err := db.QueryContext(ctx, "SELECT id, inputs FROM runs WHERE action = 'nrpe.check'")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, raw string
		var inputs struct{ Args []string }
		if err := rows.Scan(&id, &raw); err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(raw), &inputs); err != nil || len(inputs.Args) != 1 {
			return fmt.Errorf("run %s has inputs %s: %w", id, raw, err)
		}
		numbers[id] = inputs.Args[0]
	}
	f.runs = len(numbers)
	for id, n := range w.taken {
		if numbers[id] != n {
			f.bad("run %s, number %s, was confirmed and is not in the store", id, n)
		}
	}
	results := map[string]int{} // status, by node and number
	answers, err := db.QueryContext(ctx, "SELECT node, run, status, message FROM results WHERE action = 'nrpe.check'")
	if err != nil {
		return err
	}
	defer answers.Close()
	for answers.Next() {
		var node, run, message string
		var status int
		if err := answers.Scan(&node, &run, &status, &message); err != nil {
			return err
		}
		key := node + " " + numbers[run]
		if _, twice := results[key]; twice || numbers[run] == "" {
			f.bad("node and number %q have two results, or their run %s is lost", key, run)
		}
		results[key] = status
		if status == 0 && message != "count "+numbers[run] {
			f.bad("the result of %q says %q", key, message)
		}
	}
	f.results, f.executed = len(results), len(executed)
	judgeRuns(f, executed, results)
	return errors.Join(rows.Err(), answers.Err())
}

// judgeRuns compares what was executed with the results.
func judgeRuns(f *found, executed, results map[string]int) {
	for key, n := range executed {
		status, answered := results[key]
		switch {
		case n > 1:
			f.bad("%q was executed %d times", key, n)
		case !answered:
			f.bad("%q was executed, and its result is lost", key)
		case status != 0 && status != 8:
			f.bad("%q was executed, and its result has status %d", key, status)
		}
	}
	for key, status := range results {
		switch {
		case status == 0 && executed[key] == 0:
			f.bad("%q has a result, and was never executed", key)
		case status == 8:
			f.unknown++
		case status != 0:
			f.refused++
		}
	}
	if f.executed == 0 {
		f.bad("nothing was executed at all")
	}
}

// compareTallies counts anew what every run says of itself.
func compareTallies(ctx context.Context, db *sql.DB, f *found) error {
	rows, err := db.QueryContext(ctx, `SELECT r.id, r.state, r.tally_roster, r.tally_ok, r.tally_failed, r.tally_silent, r.tally_never, r.tally_pending,
		(SELECT COUNT(*) FROM results WHERE run = r.id AND status = 0), (SELECT COUNT(*) FROM results WHERE run = r.id AND status <> 0),
		(SELECT COUNT(*) FROM tasks WHERE run = r.id) FROM runs r`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, state string
		var roster, ok, failed, silent, never, pending, wasOK, wasNot, tasks int
		if err := rows.Scan(&id, &state, &roster, &ok, &failed, &silent, &never, &pending, &wasOK, &wasNot, &tasks); err != nil {
			return err
		}
		if state == "going" || ok != wasOK || failed != wasNot || pending != 0 || roster != ok+failed+silent+never || tasks > roster {
			f.bad("run %s is %s with %d ok, %d failed, %d silent, %d never, %d pending of %d; it has %d tasks, %d results that are ok and %d that are not",
				id, state, ok, failed, silent, never, pending, roster, tasks, wasOK, wasNot)
		}
	}
	return rows.Err()
}

// compareChecks follows the states of each node's check through its record.
func compareChecks(ctx context.Context, db *sql.DB, f *found, checks map[string][]deed) error {
	stored, err := pairs(ctx, db, "SELECT node, CASE to_status WHEN 'stale' THEN 'stale' ELSE output END FROM transitions WHERE check_name = 'count' ORDER BY seq")
	if err != nil {
		return err
	}
	states, err := pairs(ctx, db, "SELECT node, output FROM check_states WHERE check_name = 'count'")
	if err != nil {
		return err
	}
	for node, list := range checks {
		f.checks += len(list)
		f.transitions += len(stored[node])
		f.stale += stales(stored[node])
		judgeChecks(f, node, list, stored[node])
		final := list[max(0, len(list)-2):] // whether the last one was kept is not known
		if got := states[node]; len(got) != 1 || got[0] != "count "+final[0].number && got[0] != "count "+final[len(final)-1].number {
			f.bad("the state of %s is %q, and the last of its record are %v", node, got, final)
		}
	}
	return nil
}

// staleRow is the row of a state that became too old, as it may where faults in a row have cut its node off. The next result ends that.
const staleRow = "stale"

func stales(stored []string) (n int) {
	for _, row := range stored {
		if row == staleRow {
			n++
		}
	}
	return n
}

// judgeChecks wants each change of state once and in order. A result that was made when its agent died may be missing, with what it changed.
func judgeChecks(f *found, node string, list []deed, stored []string) {
	code := ""
	for _, d := range list {
		if len(stored) > 1 && stored[0] == staleRow && stored[1] == "count "+d.number {
			stored, code = stored[1:], ""
		}
		if d.code == code {
			continue
		}
		switch {
		case len(stored) > 0 && stored[0] == "count "+d.number:
			stored, code = stored[1:], d.code
		case d.last:
			f.cutOff++
		default:
			f.bad("the change of %s to code %s by number %s is not in the store, or not in its place: what follows there is %q", node, d.code, d.number, first(stored))
			return
		}
	}
	if len(stored) > 0 && !(len(stored) == 1 && stored[0] == staleRow) {
		f.bad("%s has changes in the store that it never made, or twice: %q", node, first(stored))
	}
}

func first(list []string) []string { return list[:min(len(list), 3)] }

func pairs(ctx context.Context, db *sql.DB, query string) (map[string][]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]string{}
	for rows.Next() {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return nil, err
		}
		out[key] = append(out[key], value)
	}
	return out, rows.Err()
}
