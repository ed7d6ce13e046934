package checks

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
)

var codes = map[string]fettle.CheckCode{"ok": 0, "warning": 1, "critical": 2, "unknown": 3}

// result gives a result of check c on node n; word is its status.
func result(check fettle.Check, node fettle.NodeID, word string) fettle.Result {
	return fettle.Result{Node: node, Check: check.Name, CheckRev: check.Rev, Output: &fettle.CheckOutput{Code: codes[word], Line: word + " line"}}
}

func TestApplyCountsAsNagiosDoes(t *testing.T) {
	check := fettle.Check{Name: "c", Rev: 3, Attempts: 3, Interval: 60_000}
	steps := []struct {
		say       string
		hard, now string // the status that counts, and the last one
		attempt   int
		change    string // of the transition; empty: none
	}{
		{"critical", "critical", "critical", 3, "hard >critical"}, // the first result counts at once
		{"ok", "ok", "ok", 1, "hard critical>ok"},
		{"ok", "ok", "ok", 1, ""},
		{"warning", "ok", "warning", 1, "soft ok>warning"},
		{"critical", "ok", "critical", 2, "soft warning>critical"},
		{"ok", "ok", "ok", 1, "soft critical>ok"}, // it never counted
		{"critical", "ok", "critical", 1, "soft ok>critical"},
		{"critical", "ok", "critical", 2, ""},
		{"critical", "critical", "critical", 3, "hard ok>critical"},
		{"critical", "critical", "critical", 3, ""},
		{"warning", "warning", "warning", 3, "hard critical>warning"}, // from problem to problem at once
		{"ok", "ok", "ok", 1, "hard warning>ok"},
	}
	var state fettle.CheckState
	var since fettle.Millis
	for i, step := range steps {
		now := fettle.Millis(1000 * (i + 1))
		next, tr, taken := Apply(state, result(check, "n1", step.say), check, Order{"s1", int64(i + 1)}, now)
		if !taken {
			t.Fatalf("step %d was not taken", i)
		}
		if string(next.Status) != step.hard || string(next.Soft) != step.now || next.Attempt != step.attempt {
			t.Errorf("step %d, %s: got %s, last %s, attempt %d", i, step.say, next.Status, next.Soft, next.Attempt)
		}
		change := ""
		if tr != nil {
			change = map[bool]string{true: "hard ", false: "soft "}[tr.Hard] + string(tr.From) + ">" + string(tr.To)
		}
		if change != step.change {
			t.Errorf("step %d, %s: transition %q, want %q", i, step.say, change, step.change)
		}
		if next.Status != state.Status {
			since = now
		}
		if next.Since != since || next.At != now || next.Output != step.say+" line" {
			t.Errorf("step %d: %+v", i, next)
		}
		state = next
	}
}

func TestApplyOrder(t *testing.T) {
	check := fettle.Check{Name: "c", Rev: 3, Interval: 60_000, Timeout: 10_000}
	state, _, _ := Apply(fettle.CheckState{}, result(check, "n1", "ok"), check, Order{"s5", 10}, 1000)
	old := result(check, "n1", "critical")
	old.CheckRev = 2
	other := result(check, "n1", "critical")
	other.Check = "d"
	bad := result(check, "n1", "critical")
	tests := []struct {
		name   string
		result fettle.Result
		order  Order
		now    fettle.Millis
		taken  bool
	}{
		{"the next", bad, Order{"s5", 11}, 2000, true},
		{"the same again", bad, Order{"s5", 10}, 2000, false},
		{"an earlier one", bad, Order{"s5", 9}, 2000, false},
		{"the first of a later session", bad, Order{"s6", 1}, 2000, true},
		{"one of an earlier session", bad, Order{"s4", 99}, 2000, false},
		{"one of an earlier session after the state has become stale", bad, Order{"s4", 99}, 132_000, true},
		{"an earlier one of the same session after that", bad, Order{"s5", 9}, 132_000, false},
		{"an old rev", old, Order{"s5", 11}, 2000, false},
		{"another check", other, Order{"s5", 11}, 2000, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, tr, taken := Apply(state, tt.result, check, tt.order, tt.now)
			if taken != tt.taken || taken != (tr != nil) {
				t.Fatalf("taken %v, transition %v", taken, tr)
			}
			if diff := cmp.Diff(state, got); (diff == "") == taken {
				t.Errorf("state (-before +after):\n%s", diff)
			}
		})
	}
}

func TestApplyNewRev(t *testing.T) {
	check := fettle.Check{Name: "c", Rev: 1, Attempts: 3}
	state, _, _ := Apply(fettle.CheckState{}, result(check, "n1", "ok"), check, Order{"s", 1}, 1000)
	check.Rev = 2
	got, tr, _ := Apply(state, result(check, "n1", "critical"), check, Order{"s", 2}, 2000)
	if got.Status != fettle.CheckCritical || got.Rev != 2 || tr == nil || !tr.Hard || tr.From != fettle.CheckOK {
		t.Errorf("the first result of a new rev counts at once: %+v, %+v", got, tr)
	}
}

func TestApplyMergedResults(t *testing.T) {
	check := fettle.Check{Name: "c", Attempts: 3}
	state, _, _ := Apply(fettle.CheckState{}, result(check, "n1", "ok"), check, Order{"s", 1}, 1000)
	many := result(check, "n1", "critical")
	many.Count = 5
	got, _, _ := Apply(state, many, check, Order{"s", 6}, 2000)
	if got.Status != fettle.CheckCritical {
		t.Errorf("five results in one, of which three make it count: %+v", got)
	}
}

func TestStatusOf(t *testing.T) {
	for status, want := range map[fettle.Status]fettle.CheckStatus{
		fettle.StatusOK: fettle.CheckOK, fettle.StatusFailed: fettle.CheckCritical, fettle.StatusTimeout: fettle.CheckUnknown, fettle.StatusUnknownAction: fettle.CheckUnknown,
	} {
		if got := StatusOf(fettle.Result{Status: status}); got != want {
			t.Errorf("%s: got %s", status, got)
		}
	}
}

func TestApplyKnowsAResultThatComesAgain(t *testing.T) {
	check := fettle.Check{Name: "c", Rev: 1, Attempts: 3}
	result := func(task fettle.TaskID, code fettle.CheckCode) fettle.Result {
		return fettle.Result{Task: task, Node: "n", Check: "c", CheckRev: 1, Output: &fettle.CheckOutput{Code: code}}
	}
	var state fettle.CheckState
	for _, step := range []struct {
		task  fettle.TaskID
		order Order
		taken bool
	}{
		{"1", Order{"s1", 1}, true},
		{"2", Order{"s1", 1}, true},  // the next one of the same message
		{"2", Order{"s1", 2}, false}, // sent again
		{"1", Order{"s2", 1}, false}, // sent again after a restart of the agent
		{"3", Order{"s2", 1}, true},
		{"4", Order{"s1", 9}, false}, // of the session before
	} {
		next, _, taken := Apply(state, result(step.task, fettle.CodeCritical), check, step.order, 1)
		if taken != step.taken {
			t.Errorf("task %s in %+v: taken %v, want %v", step.task, step.order, taken, step.taken)
		}
		state = next
	}
}

// TestAResultThatWasFoldedIsNotFoldedAgainByALaterAgent: an agent died before it saw the receipt, and the next one finds the result in the spool when
// the state has long grown old.
func TestAResultThatWasFoldedIsNotFoldedAgainByALaterAgent(t *testing.T) {
	check := fettle.Check{Name: "c", Rev: 1, Attempts: 1, Interval: 1000, Timeout: 1000}
	made := func(task fettle.TaskID, word string) fettle.Result {
		r := result(check, "n1", word)
		r.Task = task
		return r
	}
	var state fettle.CheckState
	fold := func(r fettle.Result, order Order, now fettle.Millis) bool {
		next, _, taken := Apply(state, r, check, order, now)
		state = next
		return taken
	}
	const first, second, setBack = "0100-session", "0200-session", "0050-session"
	fold(made("0101", "ok"), Order{first, 1}, 1000)
	fold(made("0102", "critical"), Order{first, 2}, 2000)
	late := fettle.Millis(1_000_000) // stale for long
	if fold(made("0101", "ok"), Order{second, 1}, late) || fold(made("0102", "critical"), Order{second, 1}, late) {
		t.Error("what was folded was folded again")
	}
	if !fold(made("0103", "ok"), Order{second, 2}, late) || !fold(made("0201", "critical"), Order{second, 3}, late) {
		t.Error("what is new was not taken")
	}
	if !fold(made("0051", "ok"), Order{setBack, 1}, 2*late) {
		t.Error("a node whose clock was set back is not heard again")
	}
}
