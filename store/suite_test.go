package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fettle-dev/fettle"
)

// suite is what every database has to do. open gives a fresh one, which is closed when the test ends.
func suite(t *testing.T, open opener) {
	for _, c := range []struct {
		promise string
		test    func(t *testing.T, s *Store)
	}{
		{"a node comes back as it was written", testNodes},
		{"a beat changes liveness and leaves the facts alone", testSeen},
		{"a forgotten node is gone with its states and history", testForget},
		{"changes of facts undo backwards to any moment", testChanges},
		{"events come back in the order of their commit", testEvents},
		{"a run is saved whole or not at all", testSaveRun},
		{"of two writers of one run the slower is told", testUpdateRun},
		{"runs are listed by page, the newest first", testRuns},
		{"a roster keeps its nodes, many of them too", testRoster},
		{"unanswered tasks are found by node and run until they expire", testTasks},
		{"a tally adds up at every stage of a run", testTally},
		{"the first result of a task is kept, later ones are dropped and told", testResults},
		{"two commits of the same results at once count each of them once", testResultsRace},
		{"a result keeps every digit of its data", testResultData},
		{"output is listed by stream, a piece that came twice once", testOutput},
		{"a check is changed by rev and goes on counting after deletion", testChecks},
		{"the last state of a check on a node is kept", testStates},
		{"transitions are listed by check and node", testTransitions},
		{"a token is found by its hash until it expires or is used up", testTokens},
		{"of many who follow one login link one gets in", testLoginRace},
		{"a setting is swapped by rev", testSettings},
		{"a saved filter is swapped by rev", testSavedFilters},
		{"the audit log is listed by page, the newest first", testAudit},
		{"what is older than its retention is pruned, and nothing else", testPrune},
		{"pruning goes on until all is gone, and no number is given again", testPruneMany},
		{"a migration that was cut short goes on", testMigrateAgain},
		{"a schema from the future is refused", testMigrateBack},
		{"a batch with a value that can never be stored leaves nothing behind", testPoison},
		{"text that is not UTF-8 is stored mended", testForeignText},
		{"keys differ in case and in accents", testKeys},
		{"a cancelled context stops, and the store goes on", testCancel},
		{"a commit that its deadline cuts short leaves nothing behind", testDeadline},
		{"a closed store is unavailable", testClosed},
		{"large documents go through", testLarge},
		{"many write at once", testConcurrent},
	} {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t, Config{}))
		})
	}
	t.Run("dead letters are bounded and the dropped ones are counted", func(t *testing.T) {
		t.Parallel()
		testDeadLetters(t, open(t, Config{MaxDeadLetters: 3}))
	})
	t.Run("statements are told to the observer by name", func(t *testing.T) {
		t.Parallel()
		testObserve(t, open)
	})
}

func node(id string) fettle.Node {
	return fettle.Node{
		Identity: fettle.NodeID(id), Facts: json.RawMessage(`{"n":12345678901234567890,"os":{"name":"Debian <12>"}}`), Hash: "abc", FactsAt: 11,
		Classes: []string{"base", "mysql::master"}, Commands: []string{"check_load"}, Pools: []string{"linux"}, Labels: map[string]string{"rack": "r1"},
		Agent:    fettle.AgentInfo{Version: "1.0", OS: "linux", Arch: "amd64", Plugins: map[string]string{"agent": "1"}},
		Liveness: fettle.Alive, Seen: 12, Enrolled: 10, Session: "s1", Seq: 7,
	}
}

func commit(t *testing.T, s *Store, b Batch) Committed {
	t.Helper()
	c, err := s.Commit(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func writes(ns ...fettle.Node) (ws []NodeWrite) {
	for _, n := range ns {
		ws = append(ws, NodeWrite{Node: n})
	}
	return ws
}

func loadNodes(t *testing.T, s *Store) map[fettle.NodeID]fettle.Node {
	t.Helper()
	all := map[fettle.NodeID]fettle.Node{}
	if err := s.LoadNodes(t.Context(), func(n fettle.Node) error { all[n.Identity] = n; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantKind(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error is %v, want one that is %q", err, kind)
	}
}

func wantSame(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("want -, got +\n%s", d)
	}
}

func testNodes(t *testing.T, s *Store) {
	a, b := node("a.acme.net"), fettle.Node{Identity: "b", Enrolled: 5}
	commit(t, s, Batch{Nodes: writes(a, b)})
	a.Rev, b.Rev = 1, 1
	wantSame(t, map[fettle.NodeID]fettle.Node{"a.acme.net": a, "b": b}, loadNodes(t, s))

	a.Facts, a.Hash, a.Seq, a.Enrolled = json.RawMessage(`{}`), "def", 8, 99
	commit(t, s, Batch{Nodes: writes(a)})
	a.Rev, a.Enrolled = 2, 10
	wantSame(t, a, must(s.Node(t.Context(), "a.acme.net"))(t))

	a.Seq = 9
	last := a
	last.Seq = 10
	commit(t, s, Batch{Nodes: writes(a, b, last)})
	last.Rev = 4
	wantSame(t, last, must(s.Node(t.Context(), "a.acme.net"))(t))

	_, err := s.Node(t.Context(), "nobody")
	wantKind(t, err, fettle.ErrNotFound)
	stop := errors.New("stop")
	if err := s.LoadNodes(t.Context(), func(fettle.Node) error { return stop }); !errors.Is(err, stop) {
		t.Fatalf("the callback's error was lost: %v", err)
	}
}

func testSeen(t *testing.T, s *Store) {
	a := node("a")
	commit(t, s, Batch{Nodes: writes(a), Seen: []Seen{{"a", fettle.Late, 20}}})
	commit(t, s, Batch{Seen: []Seen{{"a", fettle.Silent, 30}, {"ghost", fettle.Alive, 30}}})
	a.Rev, a.Liveness, a.Seen = 1, fettle.Silent, 30
	wantSame(t, map[fettle.NodeID]fettle.Node{"a": a}, loadNodes(t, s))
}

func testForget(t *testing.T, s *Store) {
	change := []FactChange{{Path: "x", At: 1, New: json.RawMessage("1")}}
	commit(t, s, Batch{
		Nodes:  []NodeWrite{{node("a"), change}, {node("b"), change}},
		States: []fettle.CheckState{{Check: "c", Node: "a"}, {Check: "c", Node: "b"}},
	})
	commit(t, s, Batch{Forget: []fettle.NodeID{"a"}})
	if n := loadNodes(t, s); len(n) != 1 || n["b"].Identity != "b" {
		t.Fatalf("nodes left: %v", n)
	}
	if c := must(s.FactChanges(t.Context(), ChangeQuery{}))(t); len(c) != 1 || c[0].Node != "b" {
		t.Fatalf("changes left: %v", c)
	}
	var left []fettle.NodeID
	_ = s.LoadStates(t.Context(), func(c fettle.CheckState) error { left = append(left, c.Node); return nil })
	wantSame(t, []fettle.NodeID{"b"}, left)
}

func testChanges(t *testing.T, s *Store) {
	one, two := json.RawMessage(`1`), json.RawMessage(`"zwei"`)
	commit(t, s, Batch{Nodes: []NodeWrite{
		{node("a"), []FactChange{{Path: "os.release.major", At: 10, New: one}, {Path: "osx", At: 10, New: one}}},
		{node("b"), []FactChange{{Path: "os", At: 10, New: one}}},
	}})
	commit(t, s, Batch{Nodes: []NodeWrite{{node("a"), []FactChange{{Path: "os.release.major", At: 20, Old: one, New: two}, {Path: "osx", At: 20, Old: one}}}}})
	got := must(s.FactChanges(t.Context(), ChangeQuery{Node: "a", Path: "os"}))(t)
	wantSame(t, []FactChange{
		{Node: "a", Path: "os.release.major", At: 20, Old: one, New: two}, {Node: "a", Path: "os.release.major", At: 10, New: one},
	}, unnumbered(got))
	if got[0].Seq <= got[1].Seq {
		t.Fatalf("the newest is not first: %v", got)
	}
	page := must(s.FactChanges(t.Context(), ChangeQuery{Node: "a", Limit: 3}))(t)
	rest := must(s.FactChanges(t.Context(), ChangeQuery{Node: "a", Before: page[2].Seq, Limit: 3}))(t)
	if len(page) != 3 || len(rest) != 1 {
		t.Fatalf("pages of %d and %d changes, want 3 and 1", len(page), len(rest))
	}
	var undone []string
	err := s.UndoFacts(t.Context(), ChangeQuery{Since: 10}, func(c FactChange) error {
		undone = append(undone, fmt.Sprintf("%s %s=%s", c.Node, c.Path, c.Old))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantSame(t, []string{"a osx=1", "a os.release.major=1"}, undone)
}

func unnumbered(cs []FactChange) []FactChange {
	list := append([]FactChange(nil), cs...)
	for i := range list {
		list[i].Seq = 0
	}
	return list
}

func testEvents(t *testing.T, s *Store) {
	body := json.RawMessage(`{"why":"x"}`)
	commit(t, s, Batch{Events: []fettle.Event{{Kind: fettle.EventEnrolled, Node: "a", At: 1}, {Kind: fettle.EventChanged, Node: "b", At: 2, Body: body}}})
	if err := s.AppendEvents(t.Context(), []fettle.Event{{Kind: fettle.EventSilent, Node: "a", At: 3}}); err != nil {
		t.Fatal(err)
	}
	first := must(s.Events(t.Context(), 0, 2))(t)
	rest := must(s.Events(t.Context(), first[1].Seq, 2))(t)
	all := append(first, rest...)
	for i := range all {
		if i > 0 && all[i].Seq <= all[i-1].Seq {
			t.Fatalf("events are out of order: %v", all)
		}
	}
	ofA := must(s.NodeEvents(t.Context(), "a", 0, 0))(t)
	wantSame(t, []fettle.Event{all[2], all[0]}, ofA)
	for i := range all {
		all[i].Seq = 0
	}
	wantSame(t, []fettle.Event{
		{Kind: fettle.EventEnrolled, Node: "a", At: 1}, {Kind: fettle.EventChanged, Node: "b", At: 2, Body: body}, {Kind: fettle.EventSilent, Node: "a", At: 3},
	}, all)
}

func newRun(id string, nodes ...string) NewRun {
	n := NewRun{Run: fettle.Run{
		ID: fettle.RunID(id), Action: "agent.ping", Inputs: map[string]any{"text": "a <b>"}, Filter: `facts.x == "y"`, Caller: "ann", State: fettle.RunGoing,
		Tally: fettle.Tally{Roster: len(nodes), Pending: len(nodes)}, Undefined: 3, Created: 100, Deadline: 200,
	}}
	for i, node := range nodes {
		n.Tasks = append(n.Tasks, fettle.Task{
			ID: fettle.TaskID(fmt.Sprintf("%s-%d", id, i)), Node: fettle.NodeID(node), Action: n.Run.Action, Inputs: n.Run.Inputs, Timeout: 50, Expires: 200,
			Run: n.Run.ID, Caller: "ann",
		})
	}
	return n
}

func save(t *testing.T, s *Store, n NewRun) {
	t.Helper()
	if err := s.SaveRun(t.Context(), n); err != nil {
		t.Fatal(err)
	}
}

func testSaveRun(t *testing.T, s *Store) {
	n := newRun("r1", "a", "b")
	n.Run.All = true
	n.Tasks[1].Inputs = map[string]any{"own": "1"}
	n.Roster = &fettle.Roster{ID: "r1", Nodes: []fettle.NodeID{"a", "b"}}
	save(t, s, n)
	n.Run.Rev = 1
	wantSame(t, n.Run, must(s.Run(t.Context(), "r1"))(t))
	var tasks []fettle.Task
	for _, k := range must(s.Tasks(t.Context(), TaskQuery{Run: "r1"}))(t) {
		if tasks = append(tasks, k.Task); k.State != TaskQueued || k.Queued != 100 || k.Sent != 0 || k.Rev != 1 {
			t.Fatalf("a new task is %+v", k)
		}
	}
	wantSame(t, n.Tasks, tasks)

	bad := newRun("r2", "a", "b")
	bad.Tasks[1].ID = "r1-0"
	wantKind(t, s.SaveRun(t.Context(), bad), fettle.ErrConflict)
	_, err := s.Run(t.Context(), "r2")
	wantKind(t, err, fettle.ErrNotFound)
	if left := must(s.Tasks(t.Context(), TaskQuery{Run: "r2"}))(t); len(left) != 0 {
		t.Fatalf("tasks of a run that was refused are there: %v", left)
	}
	wantKind(t, s.SaveRun(t.Context(), newRun("r1")), fettle.ErrConflict)
}

func testUpdateRun(t *testing.T, s *Store) {
	save(t, s, newRun("r1", "a"))
	r := must(s.Run(t.Context(), "r1"))(t)
	r.State, r.Ended, r.Tally = fettle.RunEnded, 150, fettle.Tally{Roster: 1, OK: 1}
	r.Rev = must(s.UpdateRun(t.Context(), r))(t)
	wantSame(t, r, must(s.Run(t.Context(), "r1"))(t))
	stale := r
	stale.Rev = 1
	_, err := s.UpdateRun(t.Context(), stale)
	wantKind(t, err, fettle.ErrConflict)
	_, err = s.UpdateRun(t.Context(), fettle.Run{ID: "r9", Rev: 1})
	wantKind(t, err, fettle.ErrNotFound)
}

func testRuns(t *testing.T, s *Store) {
	for i := range 5 {
		n := newRun(fmt.Sprintf("r%d", i))
		if i%2 == 0 {
			n.Run.State = fettle.RunEnded
		}
		save(t, s, n)
	}
	ids := func(rs []fettle.Run, err error) (list []fettle.RunID) {
		for _, r := range must(rs, err)(t) {
			list = append(list, r.ID)
		}
		return list
	}
	wantSame(t, []fettle.RunID{"r4", "r3"}, ids(s.Runs(t.Context(), "", 2)))
	wantSame(t, []fettle.RunID{"r2", "r1", "r0"}, ids(s.Runs(t.Context(), "r3", 0)))
	wantSame(t, []fettle.RunID{"r3", "r1"}, ids(s.GoingRuns(t.Context())))
}

func testRoster(t *testing.T, s *Store) {
	r := fettle.Roster{ID: "big", Filter: "true", Undefined: 2, Created: 5}
	for i := range 2*rosterPart + 1 {
		r.Nodes = append(r.Nodes, fettle.NodeID(fmt.Sprintf("node%06d", i)))
	}
	empty := fettle.Roster{ID: "empty"}
	for _, r := range []fettle.Roster{r, empty} {
		if err := s.SaveRoster(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		wantSame(t, r, must(s.Roster(t.Context(), r.ID))(t))
	}
	wantKind(t, s.SaveRoster(t.Context(), empty), fettle.ErrConflict)
	_, err := s.Roster(t.Context(), "none")
	wantKind(t, err, fettle.ErrNotFound)
}

func testTasks(t *testing.T, s *Store) {
	save(t, s, newRun("r1", "a", "b", "a"))
	if err := s.SaveTasks(t.Context(), []fettle.Task{{ID: "single", Node: "a", Action: "x.y", Expires: 300, Check: "c", CheckRev: 4}}, 90); err != nil {
		t.Fatal(err)
	}
	ids := func(q TaskQuery) (list []fettle.TaskID) {
		t.Helper()
		for _, k := range must(s.Tasks(t.Context(), q))(t) {
			list = append(list, k.ID)
		}
		return list
	}
	wantSame(t, []fettle.TaskID{"r1-0", "r1-2", "single"}, ids(TaskQuery{Node: "a", Unanswered: 100}))
	wantSame(t, []fettle.TaskID{"single"}, ids(TaskQuery{Node: "a", Unanswered: 200}))
	wantSame(t, []fettle.TaskID{"r1-1", "r1-2"}, ids(TaskQuery{Unanswered: 100, After: "r1-0", Limit: 2}))

	if err := s.MarkSent(t.Context(), []fettle.TaskID{"r1-0", "r1-1"}, 110); err != nil {
		t.Fatal(err)
	}
	commit(t, s, Batch{Results: []fettle.Result{{Task: "r1-0", Node: "a", Run: "r1"}}})
	wantSame(t, []fettle.TaskID{"r1-1", "r1-2"}, ids(TaskQuery{Run: "r1", Unanswered: 100}))
	if err := s.MarkSent(t.Context(), []fettle.TaskID{"r1-0"}, 120); err != nil {
		t.Fatal(err)
	}
	if k := must(s.Tasks(t.Context(), TaskQuery{Run: "r1"}))(t)[0]; k.State != TaskAnswered || k.Sent != 110 {
		t.Fatalf("an answered task was sent again: %+v", k)
	}
	if n := must(s.CancelTasks(t.Context(), []fettle.TaskID{"r1-0", "r1-1"}))(t); n != 1 {
		t.Fatalf("%d tasks were cancelled, want 1", n)
	}
	if n := must(s.ExpireTasks(t.Context(), 200))(t); n != 1 {
		t.Fatalf("%d tasks expired, want 1", n)
	}
	wantSame(t, []fettle.TaskID{"single"}, ids(TaskQuery{Unanswered: 1}))
}

func testTally(t *testing.T, s *Store) {
	save(t, s, newRun("r1", "a", "b", "c", "d", "e"))
	check := func(want fettle.Tally) {
		t.Helper()
		wantSame(t, want, must(s.RunTally(t.Context(), "r1"))(t))
	}
	check(fettle.Tally{Roster: 5, Pending: 5})
	if err := s.MarkSent(t.Context(), []fettle.TaskID{"r1-0", "r1-1", "r1-2", "r1-3"}, 110); err != nil {
		t.Fatal(err)
	}
	commit(t, s, Batch{Results: []fettle.Result{{Task: "r1-0", Node: "a"}, {Task: "r1-1", Node: "b", Status: fettle.StatusTimeout}}})
	check(fettle.Tally{Roster: 5, OK: 1, Failed: 1, Pending: 3})
	must(s.CancelRunTasks(t.Context(), "r1"))(t)
	check(fettle.Tally{Roster: 5, OK: 1, Failed: 1, Silent: 2, Never: 1})
	commit(t, s, Batch{Results: []fettle.Result{{Task: "r1-2", Node: "c", Status: fettle.StatusCancelled}}})
	check(fettle.Tally{Roster: 5, OK: 1, Failed: 2, Silent: 1, Never: 1})
	wantSame(t, fettle.Tally{}, must(s.RunTally(t.Context(), "none"))(t))
}

func result(task string) fettle.Result {
	v, w := 0.5, 10.0
	return fettle.Result{
		Task: fettle.TaskID(task), Node: "a", Run: "r1", Action: "nrpe.check", Status: fettle.StatusOK, Message: "fine\nthanks", At: 105, TookMS: 12,
		Check: "c", CheckRev: 3, Count: 2,
		Output: &fettle.CheckOutput{
			Code: fettle.CodeWarning, Line: "WARNING - load", Long: "more",
			Perfdata: []fettle.Perf{{Label: "load1", Value: &v, Warn: "5", Max: &w}, {Label: "u"}},
		},
	}
}

func testResults(t *testing.T, s *Store) {
	save(t, s, newRun("r1", "a", "b", "c"))
	c := commit(t, s, Batch{Received: 111, Results: []fettle.Result{result("r1-0"), result("r1-1"), result("r1-0")}})
	wantSame(t, []bool{true, true, false}, c.New)
	again := result("r1-1")
	again.Message = "other"
	c = commit(t, s, Batch{Received: 112, Results: []fettle.Result{again, result("r1-2"), result("nobody-asked")}})
	wantSame(t, []bool{false, true, true}, c.New)

	got := must(s.Result(t.Context(), "r1-1"))(t)
	wantSame(t, StoredResult{Result: result("r1-1"), Seq: got.Seq, Received: 111}, got)
	_, err := s.Result(t.Context(), "r1-7")
	wantKind(t, err, fettle.ErrNotFound)

	page := must(s.RunResults(t.Context(), "r1", 0, 3))(t)
	rest := must(s.RunResults(t.Context(), "r1", page[2].Seq, 3))(t)
	var ids []fettle.TaskID
	for _, r := range append(page, rest...) {
		ids = append(ids, r.Task)
	}
	wantSame(t, []fettle.TaskID{"r1-0", "r1-1", "r1-2", "nobody-asked"}, ids)
}

func testResultsRace(t *testing.T, s *Store) {
	const commits, tasks = 6, 150
	var mu sync.Mutex // guards count
	count := map[fettle.TaskID]int{}
	var wg sync.WaitGroup
	for range commits {
		wg.Go(func() {
			var b Batch
			for i := range tasks {
				b.Results = append(b.Results, result(fmt.Sprintf("t%d", i)))
			}
			c, err := s.Commit(t.Context(), &b)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for i, isNew := range c.New {
				if isNew {
					count[b.Results[i].Task]++
				}
			}
		})
	}
	wg.Wait()
	for i := range tasks {
		if n := count[fettle.TaskID(fmt.Sprintf("t%d", i))]; n != 1 {
			t.Fatalf("task %d was new %d times", i, n)
		}
	}
}

func testResultData(t *testing.T, s *Store) {
	r := result("t")
	r.Data = map[string]any{"big": json.Number("12345678901234567890"), "list": []any{"a", nil, true}, "text": "1 < 2 & 3 é 🜨"}
	commit(t, s, Batch{Results: []fettle.Result{r}})
	wantSame(t, r, must(s.Result(t.Context(), "t"))(t).Result)
}

func testOutput(t *testing.T, s *Store) {
	a := OutputChunk{Task: "t", Stream: "stdout", Seq: 1, Received: 5, Body: "one"}
	b, e := a, a
	b.Seq, b.Body = 2, "two"
	e.Stream = "stderr"
	other := a
	other.Body = "not this"
	commit(t, s, Batch{Output: []OutputChunk{b, a, e}})
	commit(t, s, Batch{Output: []OutputChunk{other}})
	page := must(s.Output(t.Context(), "t", OutputChunk{}, 2))(t)
	wantSame(t, []OutputChunk{e, a}, page)
	wantSame(t, []OutputChunk{b}, must(s.Output(t.Context(), "t", page[1], 2))(t))
}

func testChecks(t *testing.T, s *Store) {
	c := fettle.Check{
		Name: "check_load", Action: "nrpe.check", Inputs: map[string]any{"command": "check_load"}, Filter: "true", Interval: 60000, Timeout: 10000,
		Attempts: 3, Retry: 15000, Fresh: 130000, Undefined: fettle.CheckUnknown,
	}
	c.Rev = must(s.SaveCheck(t.Context(), c))(t)
	_, err := s.SaveCheck(t.Context(), fettle.Check{Name: "check_load"})
	wantKind(t, err, fettle.ErrConflict)
	c.Attempts = 4
	stale := c
	c.Rev = must(s.SaveCheck(t.Context(), c))(t)
	wantSame(t, []fettle.Check{c}, must(s.Checks(t.Context(), "", 0))(t))
	_, err = s.SaveCheck(t.Context(), stale)
	wantKind(t, err, fettle.ErrConflict)
	_, err = s.SaveCheck(t.Context(), fettle.Check{Name: "other", Rev: 1})
	wantKind(t, err, fettle.ErrNotFound)

	commit(t, s, Batch{States: []fettle.CheckState{{Check: c.Name, Node: "a", Rev: c.Rev}}})
	if err := s.DeleteCheck(t.Context(), c.Name, 5); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteCheck(t.Context(), c.Name, 5), fettle.ErrNotFound)
	_, err = s.SaveCheck(t.Context(), c)
	wantKind(t, err, fettle.ErrNotFound)
	if n := len(must(s.Checks(t.Context(), "", 0))(t)); n != 0 {
		t.Fatalf("%d checks are left", n)
	}
	_ = s.LoadStates(t.Context(), func(c fettle.CheckState) error { t.Errorf("a state is left: %v", c); return nil })
	old := c.Rev
	c.Rev = 0
	if c.Rev = must(s.SaveCheck(t.Context(), c))(t); c.Rev <= old {
		t.Fatalf("a check made anew has rev %d, and its forerunner had %d", c.Rev, old)
	}
	must(s.SaveCheck(t.Context(), fettle.Check{Name: "zzz"}))(t)
	wantSame(t, []fettle.Check{c}, must(s.Checks(t.Context(), "", 1))(t))
	wantSame(t, []fettle.Check{{Name: "zzz", Rev: 1}}, must(s.Checks(t.Context(), "check_load", 1))(t))
}

func testStates(t *testing.T, s *Store) {
	v := 1.5
	a := fettle.CheckState{
		Check: "c", Node: "a", Rev: 2, Status: fettle.CheckOK, Soft: fettle.CheckWarning, Attempt: 1, Since: 5, At: 6, Output: "w", Session: "s", Seq: 9,
		Perfdata: []fettle.Perf{{Label: "x", Value: &v, Unit: "s"}},
	}
	b := fettle.CheckState{Check: "c", Node: "b", Status: fettle.CheckOK}
	commit(t, s, Batch{States: []fettle.CheckState{a, b}})
	a.Attempt, a.Perfdata = 2, nil
	commit(t, s, Batch{States: []fettle.CheckState{a}})
	got := map[fettle.NodeID]fettle.CheckState{}
	if err := s.LoadStates(t.Context(), func(c fettle.CheckState) error { got[c.Node] = c; return nil }); err != nil {
		t.Fatal(err)
	}
	wantSame(t, map[fettle.NodeID]fettle.CheckState{"a": a, "b": b}, got)
}

func testTransitions(t *testing.T, s *Store) {
	list := []Transition{
		{Check: "c", Node: "a", At: 1, To: fettle.CheckOK, Hard: true, Output: "ok"},
		{Check: "c", Node: "b", At: 2, From: fettle.CheckOK, To: fettle.CheckWarning},
		{Check: "d", Node: "a", At: 3, From: fettle.CheckOK, To: fettle.CheckCritical},
	}
	commit(t, s, Batch{Transitions: list})
	got := must(s.Transitions(t.Context(), TransitionQuery{}))(t)
	for i := range got {
		list[len(list)-1-i].Seq = got[i].Seq
	}
	wantSame(t, []Transition{list[2], list[1], list[0]}, got)
	wantSame(t, []Transition{list[2], list[0]}, must(s.Transitions(t.Context(), TransitionQuery{Node: "a"}))(t))
	wantSame(t, []Transition{list[1]}, must(s.Transitions(t.Context(), TransitionQuery{Check: "c", Since: 1}))(t))
	wantSame(t, []Transition{list[0]}, must(s.Transitions(t.Context(), TransitionQuery{Check: "c", Before: list[1].Seq, Limit: 1}))(t))
}

func testTokens(t *testing.T, s *Store) {
	k := Token{ID: "t1", Hash: "h1", Kind: TokenAPI, Name: "ann's", Role: "admin", Scopes: []string{"read"}, Created: 1, Expires: 100, Uses: -1}
	for _, k := range []Token{k, {ID: "t2", Hash: "h2", Kind: TokenLogin, Uses: 1}} {
		if err := s.SaveToken(t.Context(), k); err != nil {
			t.Fatal(err)
		}
	}
	k.Rev = 1
	wantSame(t, k, must(s.TokenByHash(t.Context(), TokenAPI, "h1", 99))(t))
	wantSame(t, k, must(s.UseToken(t.Context(), TokenAPI, "h1", 99))(t))
	for _, c := range []struct {
		kind TokenKind
		hash string
		now  fettle.Millis
	}{{TokenAPI, "h1", 100}, {TokenAPI, "h9", 1}, {TokenLogin, "h1", 1}} {
		_, err := s.TokenByHash(t.Context(), c.kind, c.hash, c.now)
		wantKind(t, err, fettle.ErrNotFound)
	}
	must(s.UseToken(t.Context(), TokenLogin, "h2", 1))(t)
	_, err := s.UseToken(t.Context(), TokenLogin, "h2", 1)
	wantKind(t, err, fettle.ErrNotFound)
	wantKind(t, s.SaveToken(t.Context(), Token{ID: "t3", Hash: "h1"}), fettle.ErrConflict)
	wantSame(t, []Token{k}, must(s.Tokens(t.Context(), TokenAPI, "", 0))(t))
	if got := must(s.Tokens(t.Context(), "", "t1", 0))(t); len(got) != 1 || got[0].ID != "t2" {
		t.Fatalf("tokens after t1: %v", got)
	}
	if err := s.DeleteToken(t.Context(), "t1"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteToken(t.Context(), "t1"), fettle.ErrNotFound)
}

func testLoginRace(t *testing.T, s *Store) {
	if err := s.SaveToken(t.Context(), Token{ID: "l", Hash: "h", Kind: TokenLogin, Uses: 1}); err != nil {
		t.Fatal(err)
	}
	in := make(chan bool, 8)
	var wg sync.WaitGroup
	for range cap(in) {
		wg.Go(func() {
			_, err := s.UseToken(t.Context(), TokenLogin, "h", 1)
			if err != nil && !errors.Is(err, fettle.ErrNotFound) {
				t.Error(err)
			}
			in <- err == nil
		})
	}
	wg.Wait()
	close(in)
	n := 0
	for ok := range in {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("%d got in by one link", n)
	}
}

func testSettings(t *testing.T, s *Store) {
	_, _, err := s.Setting(t.Context(), "instance")
	wantKind(t, err, fettle.ErrNotFound)
	if rev := must(s.SetSetting(t.Context(), "instance", "one", 0))(t); rev != 1 {
		t.Fatalf("rev is %d", rev)
	}
	_, err = s.SetSetting(t.Context(), "instance", "two", 0)
	wantKind(t, err, fettle.ErrConflict)
	must(s.SetSetting(t.Context(), "instance", "two", 1))(t)
	_, err = s.SetSetting(t.Context(), "instance", "three", 1)
	wantKind(t, err, fettle.ErrConflict)
	v, rev, err := s.Setting(t.Context(), "instance")
	if v != "two" || rev != 2 || err != nil {
		t.Fatalf("setting is %q rev %d, error %v", v, rev, err)
	}
}

func testDeadLetters(t *testing.T, s *Store) {
	for i := range 5 {
		commit(t, s, Batch{DeadLetters: []DeadLetter{{
			At: fettle.Millis(i), Sender: "x\xff", Destination: "/queue/fettle.facts", Reason: "no JSON", Body: []byte(strings.Repeat("\xff", MaxDeadBody+1)),
		}}})
	}
	got := must(s.DeadLetters(t.Context(), 0, 2))(t)
	rest := must(s.DeadLetters(t.Context(), got[1].Seq, 2))(t)
	if len(got) != 2 || len(rest) != 1 || got[0].At != 4 || rest[0].At != 2 {
		t.Fatalf("%d and %d letters are listed, want those of 4, 3 and 2", len(got), len(rest))
	}
	if l := got[0]; l.Size != MaxDeadBody+1 || len(l.Body) != MaxDeadBody || l.Sender != "x\uFFFD" {
		t.Fatalf("letter of %d bytes from %q has %d", l.Size, l.Sender, len(l.Body))
	}
	if n := must(s.DroppedDeadLetters(t.Context()))(t); n != 2 {
		t.Fatalf("%d are counted as dropped, want 2", n)
	}
	commit(t, s, Batch{DeadLetters: make([]DeadLetter, 9)})
	if n := must(s.DroppedDeadLetters(t.Context()))(t); n != 11 {
		t.Fatalf("%d are counted as dropped, want 11", n)
	}
}

func testPoison(t *testing.T, s *Store) {
	long := strings.Repeat("x", 300)
	for name, b := range map[string]Batch{
		"identity": {Nodes: writes(fettle.Node{Identity: fettle.NodeID(long)})},
		"none":     {Nodes: writes(fettle.Node{})},
		"task":     {Results: []fettle.Result{{Task: fettle.TaskID(long), Node: "a"}}},
		"run":      {Results: []fettle.Result{{Task: "t", Node: "a", Run: fettle.RunID(long)}}},
		"check":    {States: []fettle.CheckState{{Check: long, Node: "a"}}},
		"utf8":     {States: []fettle.CheckState{{Check: "\xff", Node: "a"}}},
		"stream":   {Output: []OutputChunk{{Task: "t", Stream: long}}},
		"data":     {Results: []fettle.Result{{Task: "t", Node: "a", Data: map[string]any{"f": func() {}}}}},
	} {
		b.Seen = []Seen{{"good", fettle.Alive, 1}}
		b.Nodes = append(writes(node("good")), b.Nodes...)
		if _, err := s.Commit(t.Context(), &b); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if n := loadNodes(t, s); len(n) != 0 {
		t.Fatalf("nodes of a refused batch are there: %v", n)
	}
}

func testForeignText(t *testing.T, s *Store) {
	r := result("t")
	r.Message, r.Action = "a\xffb\x00c", "x\xc3"
	n := node("a")
	n.Session = "\xed\xa0\x80"
	commit(t, s, Batch{
		Nodes: []NodeWrite{{n, []FactChange{{Path: "\xff", At: 1}}}}, Results: []fettle.Result{r},
		States: []fettle.CheckState{{Check: "c", Node: "a", Output: "\xff"}}, Output: []OutputChunk{{Task: "t", Stream: "o", Body: "\xff"}},
	})
	if got := must(s.Result(t.Context(), "t"))(t); got.Message != "a\uFFFDb\x00c" || got.Action != "x\uFFFD" {
		t.Fatalf("message is %q, action %q", got.Message, got.Action)
	}
}

func testKeys(t *testing.T, s *Store) {
	for _, name := range []string{"load", "Load", "loàd", "load\u0300"} {
		must(s.SetSetting(t.Context(), name, name, 0))(t)
	}
	for _, name := range []string{"load", "Load", "loàd", "load\u0300"} {
		if v, _, err := s.Setting(t.Context(), name); v != name || err != nil {
			t.Fatalf("setting %q is %q, %v", name, v, err)
		}
	}
}

func testCancel(t *testing.T, s *Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Commit(ctx, &Batch{Nodes: writes(node("a"))})
	wantKind(t, err, context.Canceled)
	if errors.Is(err, fettle.ErrUnavailable) {
		t.Fatalf("the caller's own wish is told as a fault of the store: %v", err)
	}
	commit(t, s, Batch{Nodes: writes(node("a"))})
	ctx, cancel = context.WithCancel(t.Context())
	err = s.LoadNodes(ctx, func(fettle.Node) error { cancel(); return ctx.Err() })
	wantKind(t, err, context.Canceled)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func testDeadline(t *testing.T, s *Store) {
	b := Batch{Events: make([]fettle.Event, 500)}
	for i := range 500 {
		b.Nodes = append(b.Nodes, NodeWrite{Node: bigNode(i)})
	}
	cut := 0
	for limit := 200 * time.Microsecond; ; limit = limit * 3 / 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		_, err := s.Commit(ctx, &b)
		cancel()
		events := len(must(s.Events(t.Context(), 0, 0))(t))
		if err == nil {
			if events != 500 || len(loadNodes(t, s)) != 500 || cut == 0 {
				t.Fatalf("%d events are there after %d cuts and a whole commit, want 500", events, cut)
			}
			return
		}
		wantKind(t, err, fettle.ErrUnavailable)
		if cut++; events != 0 || len(loadNodes(t, s)) != 0 {
			t.Fatalf("%d events and %d nodes of a commit that was cut after %v are there", events, len(loadNodes(t, s)), limit)
		}
	}
}

func testClosed(t *testing.T, s *Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Commit(t.Context(), &Batch{Nodes: writes(node("a"))})
	wantKind(t, err, fettle.ErrUnavailable)
	wantKind(t, s.LoadNodes(t.Context(), func(fettle.Node) error { return nil }), fettle.ErrUnavailable)
	wantKind(t, s.Ping(t.Context()), fettle.ErrUnavailable)
	if !strings.Contains(s.Ping(t.Context()).Error(), s.String()) {
		t.Fatalf("the error does not say where: %v", s.Ping(t.Context()))
	}
}

func testLarge(t *testing.T, s *Store) {
	n := node("a")
	n.Facts = json.RawMessage(`{"x":"` + strings.Repeat(`\"é`, 1<<18) + `"}`)
	var ns []fettle.Node
	for i := range 6 {
		n.Identity = fettle.NodeID(fmt.Sprintf("n%d", i))
		ns = append(ns, n)
	}
	commit(t, s, Batch{Nodes: writes(ns...)})
	for id, got := range loadNodes(t, s) {
		if string(got.Facts) != string(n.Facts) {
			t.Fatalf("facts of %s have %d bytes, want %d", id, len(got.Facts), len(n.Facts))
		}
	}
}

func testConcurrent(t *testing.T, s *Store) {
	const writers, commits = 6, 15
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range commits {
				b := Batch{
					Nodes:  writes(node("shared"), node(fmt.Sprintf("own%d", w)), node(fmt.Sprintf("n%d", (w+i)%writers))),
					Events: []fettle.Event{{Kind: fettle.EventChanged, Node: "shared"}},
					States: []fettle.CheckState{{Check: "c", Node: "shared"}, {Check: "c", Node: fettle.NodeID(fmt.Sprintf("n%d", (w*i)%writers))}},
				}
				if _, err := s.Commit(t.Context(), &b); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range commits {
				if err := s.LoadNodes(t.Context(), func(fettle.Node) error { return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := loadNodes(t, s)["shared"]; n.Rev != writers*commits {
		t.Fatalf("the shared node has rev %d after %d writes", n.Rev, writers*commits)
	}
	if n := len(must(s.Events(t.Context(), 0, 0))(t)); n != writers*commits {
		t.Fatalf("%d events, want %d", n, writers*commits)
	}
}
