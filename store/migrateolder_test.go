package store

import (
	"errors"
	"slices"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/fettle-dev/fettle"
)

// older makes the database of s as a server left it whose last migration was of a file, and empty.
func older(t *testing.T, s *Store, file int64) {
	t.Helper()
	query := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	if s.d.name != "sqlite" {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
	}
	rows, err := s.db.write.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		tables = append(tables, name)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		execute(t, s, "DROP TABLE "+name)
	}
	steps, err := s.d.steps()
	if err != nil {
		t.Fatal(err)
	}
	first := slices.DeleteFunc(steps, func(m *goose.Migration) bool { return m.Version/stepsPerFile > file })
	src, err := parseDSN(s.cfg.DSN)
	if err != nil {
		t.Fatal(err)
	}
	fresh := pools{}
	if src.mysql != nil {
		fresh, err = openMySQL(src.mysql)
	} else {
		fresh, err = openSQLite(src.file)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(fresh.migrate.Close(), fresh.write.Close(), fresh.read.Close()) }()
	p, err := goose.NewProvider(s.d.goose, fresh.migrate, nil, goose.WithGoMigrations(first...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// testMigrateOlder has a database of before the definitions of checks, with data in it, become one of today.
func testMigrateOlder(t *testing.T, s *Store) {
	older(t, s, 7)
	execute(t, s, `INSERT INTO checks (name, rev, action, inputs, filter, interval_ms, timeout_ms, attempts, retry_ms, fresh_ms, undefined, deleted_at)
		VALUES ('load', 4, 'nrpe.check', '{}', '', 60000, 30000, 1, 0, 0, '', 0)`)
	execute(t, s, `INSERT INTO check_states (check_name, node, check_rev, status, soft, attempt, since_at, received_at, output, perfdata, session, seq, task, rev)
		VALUES ('load', 'n1', 4, 'critical', 'critical', 1, 1000, 2000, 'too high', '[]', 's', 3, 't1', 1)`)
	execute(t, s, `INSERT INTO transitions (check_name, node, at, from_status, to_status, hard, output) VALUES ('load', 'n1', 1000, 'ok', 'critical', 1, 'too high')`)
	again, err := reopen(t, s)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	var states []fettle.CheckState
	if err := again.LoadStates(t.Context(), func(c fettle.CheckState) error { states = append(states, c); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(states) != 1 || states[0].Status != fettle.CheckCritical || states[0].Output != "too high" || states[0].Rev != 4 || states[0].Flapping || states[0].Changes != 0 {
		t.Errorf("states: %+v", states)
	}
	if list := must(again.Transitions(t.Context(), TransitionQuery{Check: "load", Hard: true}))(t); len(list) != 1 || list[0].To != fettle.CheckCritical || list[0].Flap != fettle.FlapNone {
		t.Errorf("transitions: %+v", list)
	}
	if list := must(again.Checks(t.Context(), "", 0))(t); len(list) != 0 {
		t.Errorf("what the configuration defined is made anew from it, and here is %+v", list)
	}
	c := CheckWrite{KeptCheck: fettle.KeptCheck{CheckDefinition: fettle.CheckDefinition{Name: "load", NRPE: "check_load"}}}
	if rev, taskRev, err := again.SaveCheck(t.Context(), c); err != nil || rev != 5 || taskRev != 5 {
		t.Errorf("the check goes on counting with rev %d, %d, %v", rev, taskRev, err)
	}
	testGroups(t, again) // what later migrations made is there
}
