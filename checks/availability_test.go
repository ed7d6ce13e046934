package checks

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

func TestTimeline(t *testing.T) {
	type change struct {
		at       fettle.Millis
		from, to fettle.CheckStatus
	}
	const h = fettle.Millis(3_600_000)
	for name, c := range map[string]struct {
		state  fettle.CheckState
		backed []change // from the newest
		want   Spent
	}{
		"nothing has changed":            {fettle.CheckState{Status: "ok", Since: h}, nil, Spent{"ok": 10 * time.Hour}},
		"it began within the span":       {fettle.CheckState{Status: "ok", Since: 12 * h}, nil, Spent{"ok": 8 * time.Hour, "": 2 * time.Hour}},
		"there was never a state":        {fettle.CheckState{}, nil, Spent{"": 10 * time.Hour}},
		"bad for two hours":              {fettle.CheckState{Status: "ok", Since: 15 * h}, []change{{15 * h, "critical", "ok"}, {13 * h, "ok", "critical"}}, Spent{"ok": 8 * time.Hour, "critical": 2 * time.Hour}},
		"stale now":                      {fettle.CheckState{Status: "ok", Since: h, Stale: 18 * h}, []change{{18 * h, "ok", "stale"}}, Spent{"ok": 8 * time.Hour, "stale": 2 * time.Hour}},
		"the node came and left":         {fettle.CheckState{}, []change{{15 * h, "ok", ""}, {11 * h, "", "ok"}}, Spent{"ok": 4 * time.Hour, "": 6 * time.Hour}},
		"changes after the span":         {fettle.CheckState{Status: "ok", Since: 25 * h}, []change{{25 * h, "warning", "ok"}, {12 * h, "ok", "warning"}}, Spent{"ok": 2 * time.Hour, "warning": 8 * time.Hour}},
		"a link of the chain is missing": {fettle.CheckState{Status: "ok", Since: 18 * h}, []change{{18 * h, "critical", "ok"}, {12 * h, "ok", "warning"}}, Spent{"ok": 4 * time.Hour, "": 6 * time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			line := NewTimeline(10*h, 20*h, c.state)
			for _, b := range c.backed {
				line.Tell(b.at, b.from, b.to)
			}
			if diff := cmp.Diff(c.want, line.Spent()); diff != "" {
				t.Error(diff)
			}
		})
	}
	if p := (Spent{"ok": 3 * time.Hour, "critical": time.Hour, "": 96 * time.Hour}).Percent("ok"); p != 75 {
		t.Errorf("%v %%, want 75: undetermined time is said apart", p)
	}
}
