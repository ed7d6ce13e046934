package store

import (
	"testing"

	"github.com/fettle-dev/fettle"
)

func testJudging(t *testing.T, s *Store) {
	if _, known, err := s.JudgedTransitions(t.Context()); known || err != nil {
		t.Fatalf("before the first: %v %v", known, err)
	}
	if err := s.JudgeTransitions(t.Context(), 0, 7, nil); err != nil {
		t.Fatal(err)
	}
	r := Remedy{Transition: 9, Check: "c", Node: "a", At: 5, From: fettle.CheckOK, To: fettle.CheckCritical, Output: "ü", Action: "service.restart", Phase: fettle.RemedyWaiting}
	if err := s.JudgeTransitions(t.Context(), 7, 9, []Remedy{r}); err != nil {
		t.Fatal(err)
	}
	t.Run("by whoever is the faster", func(t *testing.T) {
		other := r
		other.Transition = 8
		wantKind(t, s.JudgeTransitions(t.Context(), 7, 9, []Remedy{other}), fettle.ErrConflict)
	})
	t.Run("and by nobody a second time", func(t *testing.T) {
		if err := s.JudgeTransitions(t.Context(), 9, 10, []Remedy{r}); err == nil {
			t.Fatal("one transition has two remedies")
		}
	})
	if seq, known, err := s.JudgedTransitions(t.Context()); seq != 9 || !known || err != nil {
		t.Errorf("judged up to %d, %v, %v", seq, known, err)
	}
	r.Seq = 1
	list := must(s.Remedies(t.Context(), RemedyQuery{}))(t)
	if len(list) == 1 {
		r.Seq = list[0].Seq // MySQL counts those, too, that were taken back
	}
	wantSame(t, []Remedy{r}, list)
}

func testRemedies(t *testing.T, s *Store) {
	var rows []Remedy
	for i, node := range []fettle.NodeID{"a", "b", "a"} {
		rows = append(rows, Remedy{Transition: int64(i + 1), Check: "c", Node: node, At: fettle.Millis(i + 1), To: fettle.CheckCritical, Phase: fettle.RemedyWaiting})
	}
	rows[1].Phase, rows[1].Kind, rows[1].Why, rows[1].Ended = fettle.RemedySkipped, "silenced", "by ann", 9
	if err := s.JudgeTransitions(t.Context(), 0, 3, rows); err != nil {
		t.Fatal(err)
	}
	of := func(q RemedyQuery) (found []int64) {
		for _, r := range must(s.Remedies(t.Context(), q))(t) {
			found = append(found, r.Transition)
		}
		return found
	}
	wantSame(t, []int64{3, 2, 1}, of(RemedyQuery{}))
	wantSame(t, []int64{3, 1}, of(RemedyQuery{Check: "c", Node: "a"}))
	wantSame(t, []int64{3, 1}, of(RemedyQuery{Open: true}))
	wantSame(t, []int64{2}, of(RemedyQuery{Phases: []fettle.RemedyPhase{fettle.RemedySkipped, fettle.RemedyFailed}}))
	wantSame(t, []int64{3, 2}, of(RemedyQuery{Transitions: []int64{2, 3, 77}}))
	wantSame(t, []int64{3, 2}, of(RemedyQuery{Since: 1}))

	one := must(s.Remedies(t.Context(), RemedyQuery{Open: true, Limit: 1}))(t)[0]
	wantSame(t, []int64{2, 1}, of(RemedyQuery{Before: one.Seq}))
	one.Phase, one.Run, one.Started, one.Caller, one.Why = fettle.RemedyRunning, "r", 12, "ann", "it goes"
	if err := s.UpdateRemedy(t.Context(), one, fettle.RemedyWaiting); err != nil {
		t.Fatal(err)
	}
	wantKind(t, s.UpdateRemedy(t.Context(), one, fettle.RemedyWaiting), fettle.ErrConflict)
	wantSame(t, []Remedy{one}, must(s.Remedies(t.Context(), RemedyQuery{Seq: one.Seq}))(t))
	wantSame(t, []int64{3}, of(RemedyQuery{Started: 11}))
	if err := s.UpdateRemedy(t.Context(), one, fettle.RemedyRunning); err != nil {
		t.Errorf("where nothing changes: %v", err)
	}
	one.Seq += 100
	wantKind(t, s.UpdateRemedy(t.Context(), one, fettle.RemedyRunning), fettle.ErrNotFound)
}
