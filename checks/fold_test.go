package checks

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

const minute = fettle.Millis(60_000)

func member(node fettle.NodeID, status fettle.CheckStatus, at fettle.Millis) NodeState {
	return NodeState{Node: node, State: fettle.CheckState{Node: node, Status: status, Soft: status, At: at, Output: "said " + string(status)}}
}

func TestFold(t *testing.T) {
	check := fettle.Check{Name: "c", Interval: 60_000, Timeout: 10_000, Attempts: 3}
	now := 100 * minute
	soft := member("soft", fettle.CheckOK, now)
	soft.State.Soft, soft.State.Attempt, soft.State.Output = fettle.CheckCritical, 2, "load 9"
	gone := member("gone", fettle.CheckOK, now)
	gone.Silent = true
	got := Fold(States{Check: check, Now: now, Undefined: []fettle.NodeID{"u1", "u2"}, Members: []NodeState{
		member("w", fettle.CheckWarning, now), member("b", fettle.CheckOK, now), member("a", fettle.CheckCritical, now), member("old", fettle.CheckOK, now-3*minute),
		soft, gone,
		{Node: "never"},
	}})
	want := fettle.Verdict{
		Kind:  fettle.KindCheck,
		Check: "c", Status: fettle.CheckCritical,
		Tally: fettle.CheckTally{Total: 7, OK: 2, Warning: 1, Critical: 1, Unknown: 3, Silent: 1, Stale: 1, Undefined: 2},
		Nodes: map[fettle.CheckStatus][]fettle.NodeID{fettle.CheckWarning: {"w"}, fettle.CheckCritical: {"a"}, fettle.CheckUnknown: {"gone", "never", "old"}},
		Output: map[fettle.NodeID]string{
			"w": "said warning", "a": "said critical", "gone": "silent; last was ok: said ok", "never": "no result yet",
			"old": "stale; last was ok: said ok", "soft": "soft critical, 2 of 3: load 9",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFoldUndefinedAsUnknown(t *testing.T) {
	check := fettle.Check{Name: "c", Undefined: fettle.CheckUnknown}
	got := Fold(States{Check: check, Now: minute, Undefined: []fettle.NodeID{"u1", "u2"}, Members: []NodeState{member("a", fettle.CheckOK, minute)}})
	if got.Tally != (fettle.CheckTally{Total: 3, OK: 1, Unknown: 2}) || got.Status != fettle.CheckUnknown || got.Output["u1"] != undefinedOutput {
		t.Errorf("got %+v", got)
	}
}

func TestVerdictStatus(t *testing.T) {
	cel := func(text string) (When, error) {
		if text == "bad" {
			return nil, fettle.ErrInvalid
		}
		return func(tally fettle.CheckTally) (bool, error) {
			if text == "fails" {
				return false, errors.New("no such field")
			}
			return tally.Critical > 1, nil
		}, nil
	}
	tests := []struct {
		name              string
		tally             fettle.CheckTally
		warning, critical string
		want              fettle.CheckStatus
		reason            string
	}{
		{"all is well", fettle.CheckTally{Total: 3, OK: 3}, "", "", fettle.CheckOK, ""},
		{"warnings only", fettle.CheckTally{Total: 3, OK: 2, Warning: 1}, "", "", fettle.CheckWarning, ""},
		{"unknown is before warning", fettle.CheckTally{Total: 3, OK: 1, Warning: 1, Unknown: 1}, "", "", fettle.CheckUnknown, ""},
		{"critical is before all", fettle.CheckTally{Total: 3, Critical: 1, Warning: 1, Unknown: 1}, "", "", fettle.CheckCritical, ""},
		{"nobody matched", fettle.CheckTally{Undefined: 4}, "", "", fettle.CheckUnknown, "no node matches"},
		{"nobody matched, with thresholds", fettle.CheckTally{}, "10", "20", fettle.CheckUnknown, "no node matches"},
		{"below both", fettle.CheckTally{Total: 10, OK: 9, Critical: 1}, "1", "3", fettle.CheckOK, ""},
		{"above the warning", fettle.CheckTally{Total: 10, OK: 8, Critical: 1, Unknown: 1}, "1", "3", fettle.CheckWarning, ""},
		{"above both", fettle.CheckTally{Total: 10, OK: 6, Critical: 1, Unknown: 3}, "1", "3", fettle.CheckCritical, ""},
		{"percent", fettle.CheckTally{Total: 200, OK: 179, Warning: 21}, "5%", "10%", fettle.CheckCritical, ""},
		{"percent, at the edge", fettle.CheckTally{Total: 200, OK: 180, Warning: 20}, "5%", "10%", fettle.CheckWarning, ""},
		{"only a warning threshold", fettle.CheckTally{Total: 10, Critical: 10}, "0", "", fettle.CheckWarning, ""},
		{"an expression", fettle.CheckTally{Total: 10, OK: 8, Critical: 2}, "", "critical > 1", fettle.CheckCritical, ""},
		{"an expression that fails", fettle.CheckTally{Total: 10, OK: 10}, "fails", "", fettle.CheckUnknown, "warning threshold: no such field"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			th, err := ParseRule(fettle.Rule{Warning: tt.warning, Critical: tt.critical}, cel)
			if err != nil {
				t.Fatal(err)
			}
			if got, reason := th.status(tt.tally); got != tt.want || reason != tt.reason {
				t.Errorf("got %s, %q", got, reason)
			}
		})
	}
	for _, text := range []string{"20:10", "10:%", "1:2:3", "bad"} {
		if _, err := ParseRule(fettle.Rule{Critical: text}, cel); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseRule(fettle.Rule{Warning: "critical > 1"}, nil); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("an expression where none is understood: %v", err)
	}
}

func TestFoldLive(t *testing.T) {
	check := fettle.Check{Name: "c"}
	refused := fettle.Result{Node: "d", Status: fettle.StatusInvalidInput, Message: "NRPE: Command 'c' not defined"}
	got := FoldLive(Answers{
		Check: "c", Roster: []fettle.NodeID{"b", "a", "d", "e"}, Undefined: []fettle.NodeID{"u"}, Took: 12 * time.Millisecond,
		Results: []fettle.Result{result(check, "a", "ok"), result(check, "b", "warning"), refused},
	})
	want := fettle.Verdict{
		Kind:  fettle.KindCheck,
		Check: "c", Status: fettle.CheckUnknown, Live: true, TookMS: 12,
		Tally:  fettle.CheckTally{Total: 4, OK: 1, Warning: 1, Unknown: 2, Silent: 1, Undefined: 1},
		Nodes:  map[fettle.CheckStatus][]fettle.NodeID{fettle.CheckWarning: {"b"}, fettle.CheckUnknown: {"d", "e"}},
		Output: map[fettle.NodeID]string{"b": "warning line", "d": "NRPE: Command 'c' not defined", "e": "silent: no answer"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
