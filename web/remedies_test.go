package web

import (
	"context"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/remedy"
)

// medicine is what remedies say, for pages.
type medicine struct {
	list   []remedy.One
	pauses []remedy.Pause
}

func (m medicine) List(_ context.Context, q remedy.Query) (out []remedy.One, err error) {
	for _, one := range m.list {
		if one.Check == q.Check && len(out) < q.Limit {
			out = append(out, one)
		}
	}
	return out, nil
}

func (m medicine) Of(_ context.Context, transitions []int64) (map[int64]remedy.One, error) {
	out := map[int64]remedy.One{}
	for _, one := range m.list {
		out[one.Transition] = one
	}
	return out, nil
}

func (m medicine) Pauses() []remedy.Pause { return m.pauses }

func TestTheLastRemedyStandsByItsButton(t *testing.T) {
	m := medicine{
		list: []remedy.One{
			{Seq: 2, Transition: 9, Check: "web", Node: "n2", Phase: fettle.RemedyFailed, Why: "it said no", Run: "r2", Ended: 5}, {Seq: 1, Transition: 8, Check: "web", Node: "n1", Phase: fettle.RemedyMended},
		},
		pauses: []remedy.Pause{{Check: "disk", By: "ann", Reason: "works"}, {Check: "web", By: "server", Reason: "3 in a row", Stopped: true}},
	}
	s := &site{cfg: Config{Remedies: m, Now: time.Now}}
	shown := &remedyShown{Action: "service.restart"}
	if err := s.fillRemedy(t.Context(), "web", shown); err != nil {
		t.Fatal(err)
	}
	if l := shown.Last; l == nil || l.Node != "n2" || l.Run != "/runs/r2" || l.Class != "critical" || l.Why != "it said no" || !strings.Contains(shown.Paused, "stopped by itself: 3 in a row") {
		t.Errorf("%+v, %+v", shown, shown.Last)
	}
	changes := []changed{{seqs: []int64{7, 8}}, {seqs: []int64{9}}}
	if err := s.addRemedies(t.Context(), changes); err != nil {
		t.Fatal(err)
	}
	if len(changes[0].Remedies) != 1 || changes[0].Remedies[0].Node != "n1" || len(changes[1].Remedies) != 1 {
		t.Errorf("%+v", changes)
	}
}
