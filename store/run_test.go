package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
)

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
		switch i {
		case 0, 2, 4:
			n.Run.State, n.Run.Ended = fettle.RunEnded, 150
		case 3:
			n.Run.State = fettle.RunCancelled // and not answered yet
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
	wantSame(t, []fettle.RunID{"r4", "r2", "r0"}, ids(s.FindRuns(t.Context(), RunQuery{State: fettle.RunEnded})))
	wantSame(t, []fettle.RunID{"r2"}, ids(s.FindRuns(t.Context(), RunQuery{State: fettle.RunEnded, Before: "r4", Limit: 1})))
	one := must(s.Run(t.Context(), "r0"))(t)
	plugin, _, _ := strings.Cut(one.Action, ".")
	wantSame(t, 5, len(ids(s.FindRuns(t.Context(), RunQuery{Caller: one.Caller, Action: plugin, Since: one.Created}))))
	wantSame(t, 5, len(ids(s.FindRuns(t.Context(), RunQuery{Action: one.Action}))))
	for _, q := range []RunQuery{{Caller: "nobody"}, {Action: plugin[:1]}, {Action: one.Action + "x"}, {Since: one.Created + 1}} {
		wantSame(t, 0, len(ids(s.FindRuns(t.Context(), q))))
	}
	wantSame(t, []fettle.RunID{"r3", "r1"}, ids(s.GoingRuns(t.Context())))
	result := fettle.Result{Task: "late", Node: "a", Run: "r2"}
	commit(t, s, Batch{Received: 200, Results: []fettle.Result{result, {Task: "other", Node: "a", Run: "r1"}}})
	wantSame(t, []fettle.RunID{"r2"}, must(s.MiscountedRuns(t.Context(), 149))(t))
	wantSame(t, []fettle.RunID(nil), must(s.MiscountedRuns(t.Context(), 150))(t))
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
	sent := newRun("r2", "a", "b")
	sent.Sent = 105
	save(t, s, sent)
	commit(t, s, Batch{Results: []fettle.Result{{Task: "r2-0", Node: "a", Run: "r2"}}})
	if err := s.MarkUnsent(t.Context(), []fettle.TaskID{"r2-0", "r2-1"}); err != nil {
		t.Fatal(err)
	}
	if k := must(s.Tasks(t.Context(), TaskQuery{Run: "r2"}))(t); k[0].State != TaskAnswered || k[0].Sent != 105 || k[1].State != TaskQueued || k[1].Sent != 0 {
		t.Fatalf("tasks that were not sent after all: %+v", k)
	}
	if n := must(s.CancelRunTasks(t.Context(), "r2"))(t); n != 1 {
		t.Fatalf("%d tasks of r2 were cancelled, want 1", n)
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
