package store

import (
	"testing"
	"time"

	"github.com/fettle-dev/fettle"
)

func testChecks(t *testing.T, s *Store) {
	save := func(c fettle.KeptCheck, same bool) (fettle.KeptCheck, error) {
		var err error
		c.Rev, c.TaskRev, err = s.SaveCheck(t.Context(), CheckWrite{c, same})
		return c, err
	}
	def := fettle.CheckDefinition{Name: "load", NRPE: "check_load", Args: []string{"-w", "1"}, Filter: "true", Interval: fettle.Span(time.Minute), Attempts: 3, Labels: map[string]string{"a": "ü"}}
	c := must(save(fettle.KeptCheck{CheckDefinition: def, Source: "server.yaml", Role: "admin", Account: "ann", Token: "t1", Updated: 7, Editor: "ann"}, false))(t)
	_, err := save(fettle.KeptCheck{CheckDefinition: def}, false)
	wantKind(t, err, fettle.ErrConflict)
	before := c
	c.Notes = "what it is"
	c = must(save(c, true))(t)
	if c.Rev != 2 || c.TaskRev != 1 {
		t.Fatalf("after a change of the notes alone: rev %d, of the task %d", c.Rev, c.TaskRev)
	}
	c.Attempts = 4
	c = must(save(c, false))(t)
	if c.Rev != 3 || c.TaskRev != 3 {
		t.Fatalf("after a change of the task: rev %d, of the task %d", c.Rev, c.TaskRev)
	}
	wantSame(t, []fettle.KeptCheck{c}, must(s.Checks(t.Context(), "", 0))(t))
	_, err = save(before, false)
	wantKind(t, err, fettle.ErrConflict)
	_, err = save(fettle.KeptCheck{CheckDefinition: fettle.CheckDefinition{Name: "other"}, Rev: 1}, false)
	wantKind(t, err, fettle.ErrNotFound)

	commit(t, s, Batch{States: []fettle.CheckState{{Check: c.Name, Node: "a", Rev: c.Rev, Status: fettle.CheckOK}}})
	if err := s.DeleteCheck(t.Context(), c.Name, 5); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.DeleteCheck(t.Context(), c.Name, 5), fettle.ErrNotFound)
	_, err = save(c, false)
	wantKind(t, err, fettle.ErrNotFound)
	if n := len(must(s.Checks(t.Context(), "", 0))(t)); n != 0 {
		t.Fatalf("%d checks are left", n)
	}
	_ = s.LoadStates(t.Context(), func(c fettle.CheckState) error { t.Errorf("a state is left: %v", c); return nil })
	gone := must(s.Transitions(t.Context(), TransitionQuery{Check: c.Name}))(t)
	if len(gone) != 1 || gone[0].From != fettle.CheckOK || gone[0].To != "" || !gone[0].Hard || gone[0].At != 5 {
		t.Fatalf("its states went with %v", gone)
	}
	old := c.Rev
	c.Rev = 0
	if c = must(save(c, true))(t); c.Rev <= old || c.TaskRev != c.Rev {
		t.Fatalf("a check made anew has rev %d, of the task %d, and its forerunner had %d", c.Rev, c.TaskRev, old)
	}
	z := must(save(fettle.KeptCheck{CheckDefinition: fettle.CheckDefinition{Name: "zzz"}}, false))(t)
	wantSame(t, []fettle.KeptCheck{c}, must(s.Checks(t.Context(), "", 1))(t))
	wantSame(t, []fettle.KeptCheck{z}, must(s.Checks(t.Context(), "load", 1))(t))
}

func testStates(t *testing.T, s *Store) {
	v := 1.5
	a := fettle.CheckState{
		Check: "c", Node: "a", Rev: 2, Status: fettle.CheckOK, Soft: fettle.CheckWarning, Attempt: 1, Since: 5, At: 6, Output: "w", Session: "s", Seq: 9, Task: "t1", Changes: 0xFFFFF, Flapping: true, Stale: 7,
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
	commit(t, s, Batch{Left: []StateKey{{"c", "a"}, {"d", "b"}, {"c", "nosuch"}}})
	clear(got)
	if err := s.LoadStates(t.Context(), func(c fettle.CheckState) error { got[c.Node] = c; return nil }); err != nil {
		t.Fatal(err)
	}
	wantSame(t, map[fettle.NodeID]fettle.CheckState{"b": b}, got)
}

func testTransitions(t *testing.T, s *Store) {
	list := []Transition{
		{Check: "c", Node: "a", At: 1, To: fettle.CheckOK, Hard: true, Output: "ok"},
		{Check: "c", Node: "b", At: 2, From: fettle.CheckOK, To: fettle.CheckWarning, Flap: fettle.FlapBegan},
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
	wantSame(t, []Transition{list[0]}, must(s.Transitions(t.Context(), TransitionQuery{Hard: true}))(t))
	wantSame(t, []Transition{list[1], list[0]}, must(s.Transitions(t.Context(), TransitionQuery{Until: 2}))(t))
	wantSame(t, []Transition{list[1], list[2]}, must(s.TransitionsAfter(t.Context(), list[0].Seq, 0))(t))
	if last := must(s.LastTransition(t.Context()))(t); last != list[2].Seq {
		t.Errorf("the last is %d, want %d", last, list[2].Seq)
	}
}
