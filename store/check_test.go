package store

import (
	"testing"

	"github.com/fettle-dev/fettle"
)

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
		Check: "c", Node: "a", Rev: 2, Status: fettle.CheckOK, Soft: fettle.CheckWarning, Attempt: 1, Since: 5, At: 6, Output: "w", Session: "s", Seq: 9, Task: "t1",
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
