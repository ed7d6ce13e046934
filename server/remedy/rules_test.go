package remedy

import (
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/store"
)

const (
	began  = fettle.Millis(1_800_000_000_000)
	minute = fettle.Millis(60_000)
)

// ready is a situation in which a remedy is run.
func ready() situation {
	r := checks.Remedied(fettle.Remedy{Action: "service.restart"})
	return situation{
		now: began + 1000, at: began, to: fettle.CheckCritical, remedy: &r, allowed: 10,
		said: server.Said{State: fettle.CheckState{Status: fettle.CheckCritical, At: began}, Status: fettle.CheckCritical},
	}
}

func TestRules(t *testing.T) {
	if d := ready().decide(); d.do != doRun {
		t.Fatalf("nothing is against it, and: %+v", d)
	}
	for _, c := range []struct {
		when   string
		change func(*situation)
		do     doing
		kind   string
	}{
		{"the definition lost its remedy", func(s *situation) { s.remedy = nil }, doSkip, kindGone},
		{"the remedy is for warnings by now", func(s *situation) { s.remedy.When = []fettle.CheckStatus{fettle.CheckWarning} }, doSkip, kindGone},
		{"somebody has paused it", func(s *situation) { s.paused = &Pause{By: "ann", Reason: "migration"} }, doSkip, kindPaused},
		{"it has stopped by itself", func(s *situation) { s.paused = &Pause{By: "server", Stopped: true} }, doSkip, kindStopped},
		{"the change is old", func(s *situation) { s.now = began + 16*minute }, doSkip, kindOld},
		{"the server has just started", func(s *situation) { s.settling = true }, doWait, kindSettling},
		{"the server has been starting for too long", func(s *situation) { s.settling, s.now = true, began+15*minute+1 }, doSkip, kindOld},
		{"the board does not have it yet", func(s *situation) { s.said = server.Said{} }, doWait, kindCommit},
		{"the node has left the check", func(s *situation) { s.said, s.now = server.Said{}, began+minute }, doSkip, kindGone},
		{"the node is silent", func(s *situation) { s.said.Silent, s.said.Status = true, fettle.CheckUnknown }, doSkip, kindSilent},
		{"the state is stale", func(s *situation) { s.said.Stale, s.said.Status = true, fettle.CheckUnknown }, doSkip, kindStale},
		{"it is well by now", func(s *situation) { s.said.State.Status, s.said.Status = fettle.CheckOK, fettle.CheckOK }, doSkip, kindOver},
		{"it is flapping", func(s *situation) { s.said.State.Flapping = true }, doSkip, kindFlapping},
		{"a silence holds", func(s *situation) { s.said.Silenced = &fettle.SilencedBy{Author: "ann"} }, doSkip, kindSilenced},
		{"what it depends on is critical", func(s *situation) { s.said.Shadowed = true }, doSkip, kindShadowed},
		{"another is at work there", func(s *situation) { s.past.busy = 7 }, doSkip, kindBusy},
		{"the node has had its share", func(s *situation) { s.past.onNode = 3 }, doSkip, kindPerHour},
		{"the fleet has had its share", func(s *situation) { s.past.nodes = 10 }, doSkip, kindNodes},
		{"the fleet has had its share, this node too", func(s *situation) { s.past.nodes, s.past.onNode = 10, 1 }, doRun, ""},
		{"the last one was a minute ago", func(s *situation) { s.past.last = began - minute }, doWait, kindCooldown},
		{"the last one was long ago", func(s *situation) { s.past.last = began - 6*minute }, doRun, ""},
		{"it may not come again within a day", func(s *situation) { s.past.last, s.remedy.Cooldown = began-minute, fettle.Span(24*time.Hour) }, doSkip, kindCooldown},
		{"another node is being mended", func(s *situation) { s.past.going = 1 }, doWait, kindAtOnce},
		{"another node is being mended, and two may", func(s *situation) { s.past.going, s.remedy.AtOnce = 1, 2 }, doRun, ""},
		{"a pause goes before all else", func(s *situation) { s.paused, s.said.Silent = &Pause{}, true }, doSkip, kindPaused},
	} {
		t.Run(c.when, func(t *testing.T) {
			s := ready()
			c.change(&s)
			if d := s.decide(); d.do != c.do || d.kind != c.kind || d.do != doRun && d.why == "" {
				t.Errorf("it does %d because of %q: %s; want %d, %q", d.do, d.kind, d.why, c.do, c.kind)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		run     fettle.Run
		message string
		phase   fettle.RemedyPhase
		why     string
	}{
		{fettle.Run{Tally: fettle.Tally{Roster: 1, OK: 1}}, "", fettle.RemedyWatching, "watched"},
		{fettle.Run{Tally: fettle.Tally{Roster: 1, Failed: 1}}, "refused: by the node", fettle.RemedyFailed, "by the node"},
		{fettle.Run{Tally: fettle.Tally{Roster: 1, Failed: 1}}, "", fettle.RemedyFailed, "the action failed"},
		{fettle.Run{Tally: fettle.Tally{Roster: 1, Silent: 1}}, "", fettle.RemedyFailed, "did not answer"},
		{fettle.Run{Tally: fettle.Tally{Roster: 1, Never: 1}}, "", fettle.RemedyFailed, "not asked"},
		{fettle.Run{Tally: fettle.Tally{Roster: 1, Never: 1}, Refused: []fettle.Refusal{{Reason: "policy p denies it"}}}, "", fettle.RemedyFailed, "policy p"},
		{fettle.Run{}, "", fettle.RemedyFailed, "gone"},
	} {
		if phase, why := outcome(c.run, c.message); phase != c.phase || !strings.Contains(why, c.why) {
			t.Errorf("%+v: %s, %s", c.run.Tally, phase, why)
		}
	}
}

// TestGaps: numbers are given before transactions commit, and these commit in any order.
func TestGaps(t *testing.T) {
	now := began + minute
	page := func(seqs ...int64) (list []store.Transition) {
		for _, seq := range seqs {
			list = append(list, store.Transition{Seq: seq, At: now - 1000})
		}
		return list
	}
	if got := settled(page(5, 6, 8, 9), 4, now); len(got) != 2 {
		t.Errorf("7 may come yet, and %d were judged", len(got))
	}
	if got := settled(page(5, 6), 3, now); len(got) != 0 {
		t.Errorf("4 may come yet, and %d were judged", len(got))
	}
	old := page(5, 6, 8, 9)
	for i := range old {
		old[i].At = now - fettle.Millis(gapTime.Milliseconds())
	}
	if got := settled(old, 3, now); len(got) != 4 {
		t.Errorf("what is missing will not come, and %d were judged", len(got))
	}
}
