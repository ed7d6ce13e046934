package store

import (
	"fmt"
	"testing"

	"github.com/fettle-dev/fettle"
)

func testStanding(t *testing.T, s *Store) {
	for _, name := range []string{"b", "a"} {
		st := fettle.Standing{Name: name, Action: "agent.ping", Pace: fettle.Pace{Locks: map[string]int{"l": 2}}, Loop: 1000, Owner: "ann"}
		if err := s.NewStanding(t.Context(), st); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.NewStanding(t.Context(), st), fettle.ErrConflict)
	}
	wantKind(t, s.NewStanding(t.Context(), fettle.Standing{}), fettle.ErrInvalid)
	list := must(s.Standing(t.Context(), "", 0))(t)
	if len(list) != 2 || list[0].Name != "a" || list[0].Rev != 1 || list[0].Pace.Locks["l"] != 2 {
		t.Fatalf("%+v", list)
	}
	one := list[0]
	one.Paused = "bob"
	one.Rev = must(s.UpdateStanding(t.Context(), one))(t)
	wantSame(t, one, must(s.Standing(t.Context(), "", 1))(t)[0])
	stale := one
	stale.Rev = 1
	_, err := s.UpdateStanding(t.Context(), stale)
	wantKind(t, err, fettle.ErrConflict)
	if err := s.DeleteStanding(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteStanding(t.Context(), "a"), fettle.ErrNotFound)
	if list = must(s.Standing(t.Context(), "", 0))(t); len(list) != 1 || list[0].Name != "b" {
		t.Fatalf("%+v", list)
	}
}

func testPacedRun(t *testing.T, s *Store) {
	n := newRun("r1", "a", "b", "c", "d")
	n.Run.Pace = &fettle.Pace{Batch: "2", While: `verdict("x") == "ok"`}
	n.Run.Timeout, n.Run.Standing, n.Run.RetryOf, n.Run.Remedy = 5000, "loop", "r0", "disk"
	for i := range n.Tasks {
		n.Tasks[i].Expires = NotCalled
	}
	save(t, s, n)
	if err := s.CallTasks(t.Context(), []fettle.TaskID{"r1-0", "r1-1"}, 150, 5150); err != nil {
		t.Fatal(err)
	}
	if err := s.MarkUnsent(t.Context(), []fettle.TaskID{"r1-1"}); err != nil {
		t.Fatal(err)
	}
	if n := must(s.CancelUncalled(t.Context(), "r1"))(t); n != 2 {
		t.Errorf("%d tasks whose turn had not come were cancelled", n)
	}
	var got []string
	for _, k := range must(s.Tasks(t.Context(), TaskQuery{Run: "r1"}))(t) {
		got = append(got, fmt.Sprint(k.State, k.Sent, k.Expires == 5150))
	}
	wantSame(t, []string{"sent150 true", "queued0 true", "cancelled0 false", "cancelled0 false"}, got)

	r := must(s.Run(t.Context(), "r1"))(t)
	r.Stopped, r.Refused = "enough", []fettle.Refusal{{Reason: "away", Count: 1, Nodes: []fettle.NodeID{"b"}}}
	r.Rev = must(s.UpdateRun(t.Context(), r))(t)
	wantSame(t, r, must(s.Run(t.Context(), "r1"))(t))
	if list := must(s.RunsOf(t.Context(), "loop", 5))(t); len(list) != 1 || list[0].RetryOf != "r0" || list[0].Remedy != "disk" || list[0].Pace.Batch != "2" {
		t.Errorf("%+v", list)
	}

	commit(t, s, Batch{Results: []fettle.Result{{Task: "r1-1", Node: "b", Run: "r1", Action: "agent.ping"}}, Received: 170})
	wantSame(t, map[fettle.NodeID]fettle.Millis{"a": 5150}, must(s.LastEnds(t.Context(), []fettle.RunID{"r1", "r9"}))(t))
	commit(t, s, Batch{Results: []fettle.Result{{Task: "r1-0", Node: "a", Run: "r1", Action: "agent.ping"}}, Received: 180})
	wantSame(t, map[fettle.NodeID]fettle.Millis{"a": 180}, must(s.LastEnds(t.Context(), []fettle.RunID{"r1"}))(t))
}
