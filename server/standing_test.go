package server

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

func (p parade) stand(o StandingOrder) fettle.Standing {
	p.t.Helper()
	o.Name, o.Action, o.Caller = "round", "agent.ping", "ann"
	if o.Selection == (Selection{}) {
		o.All = true
	}
	if o.Timeout == 0 {
		o.Timeout = time.Minute
	}
	st, err := p.Stand(p.t.Context(), o)
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}

func (p parade) standingNow() fettle.Standing {
	p.t.Helper()
	st, err := p.StandingRun(p.t.Context(), "round")
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}

// theRound waits until the standing run has had so many rounds, and gives the last.
func (p parade) theRound(n int64) fettle.Run {
	p.t.Helper()
	p.eventually("a round begins", func() bool { return p.standingNow().Rounds >= n })
	st := p.standingNow()
	if st.Rounds != n {
		p.t.Fatalf("there were %d rounds, want %d", st.Rounds, n)
	}
	return p.now(fettle.Run{ID: st.Last})
}

func TestALoop(t *testing.T) {
	p := newParade(t, 3)
	p.stand(StandingOrder{RunRequest: RunRequest{Pace: fettle.Pace{Concurrency: 1}}, Loop: 30 * time.Minute})
	one := p.theRound(1)
	if one.Standing != "round" || one.Caller != "ann" {
		t.Errorf("%+v", one)
	}
	for i := range 3 { // one after the other, a minute and a bit apart
		p.until(one, i+1)
		p.clock.add(50 * time.Second)
		p.answer(p.asked(one)[fettle.NodeID([]string{"n0", "n1", "n2"}[i])], fettle.StatusOK)
	}
	p.ended(one, fettle.Tally{Roster: 3, OK: 3})

	t.Run("each node comes again half an hour after its own end", func(t *testing.T) {
		p.eventually("the next round is due", func() bool { p.standing.poke(); return p.standingNow().Next > p.standingNow().Created })
		if wait := p.standingNow().Next.Sub(fettle.MillisOf(p.Now())); wait < 28*time.Minute || wait > 29*time.Minute {
			t.Errorf("the next round is in %s", wait)
		}
		p.join("n9", `{"i":9}`) // it is new, and has not to wait
		p.pass(29 * time.Minute)
		for _, id := range []fettle.NodeID{"n0", "n1", "n2", "n9"} {
			p.join(id, `{}`) // or else they would be silent by now
		}
		two := p.theRound(2)
		p.answer(p.until(two, 1)["n9"], fettle.StatusOK)
		p.answer(p.until(two, 2)["n0"], fettle.StatusOK)
		p.waits(two, "the time at which the next node is due")
		p.pass(50 * time.Second)
		p.answer(p.until(two, 3)["n1"], fettle.StatusOK)
	})
	t.Run("it can be paused in the middle of a round", func(t *testing.T) {
		two := p.theRound(2)
		if st, err := p.PauseStanding(t.Context(), "round", "bob"); err != nil || st.Paused != "bob" {
			t.Fatal(st, err)
		}
		p.pass(time.Minute)
		p.waits(two, "paused by bob")
		if _, err := p.PauseStanding(t.Context(), "round", "bob"); !errors.Is(err, fettle.ErrConflict) {
			t.Errorf("paused twice: %v", err)
		}
		if _, err := p.ResumeStanding(t.Context(), "round", "bob"); err != nil {
			t.Fatal(err)
		}
		p.answer(p.until(two, 4)["n2"], fettle.StatusOK)
		p.ended(two, fettle.Tally{Roster: 4, OK: 4})
	})
	t.Run("it ends, and its round with it", func(t *testing.T) {
		p.pass(30 * time.Minute)
		for _, id := range []fettle.NodeID{"n0", "n1", "n2", "n9"} {
			p.join(id, `{}`)
		}
		p.standing.poke()
		three := p.theRound(3)
		asked := p.until(three, 1)
		if err := p.EndStanding(t.Context(), "round", "ann"); err != nil {
			t.Fatal(err)
		}
		for _, task := range asked {
			p.answer(task, fettle.StatusOK)
		}
		if now := p.ended(three, fettle.Tally{Roster: 4, OK: 1, Never: 3}); now.Stopped != "standing run round was ended" {
			t.Errorf("%+v", now)
		}
		if _, err := p.StandingRun(t.Context(), "round"); !errors.Is(err, fettle.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestARoundIsOfOneMoment: while it is looked whether a round is due, time passes and a node comes. The round does not begin by the new time with the
// nodes of the old.
func TestARoundIsOfOneMoment(t *testing.T) {
	p := newParade(t, 1)
	p.stand(StandingOrder{Loop: 30 * time.Minute})
	one := p.theRound(1)
	p.answer(p.until(one, 1)["n0"], fettle.StatusOK)
	p.ended(one, fettle.Tally{Roster: 1, OK: 1})
	p.join("n1", `{}`)
	late, ok := p.Inventory.Get("n1")
	if !ok {
		t.Fatal("n1 has not come")
	}
	p.stop()

	q := parade{idleFleet(t, DefaultConfig(), p.dsn, p.clock)}
	q.Inventory.Remove("n1")
	var looks atomic.Int64 // the server that is stopped in the end looks too
	q.Now = func() time.Time {
		if looks.Add(1) == 3 { // when it is known who is there
			q.clock.add(time.Hour)
			if err := q.Inventory.Put(late); err != nil {
				t.Error(err)
			}
		}
		return q.clock.Now()
	}
	st, _ := q.standing.get("round")
	due, err := q.loopRound(t.Context(), st, 30*time.Minute)
	if err != nil || due.IsZero() {
		t.Fatalf("due at %s, %v", due, err)
	}
	if _, err := q.loopRound(t.Context(), st, 30*time.Minute); err != nil {
		t.Fatal(err)
	}
	if two := q.theRound(2); two.Tally.Roster != 2 {
		t.Errorf("the round has %d nodes of 2", two.Tally.Roster)
	}
}

func TestEvery(t *testing.T) {
	p := newParade(t, 1)
	p.stand(StandingOrder{Every: time.Hour})
	one := p.theRound(1)
	p.eventually("the next is known", func() bool { st := p.standingNow(); return st.Next.Sub(st.Created) == time.Hour })
	p.answer(p.until(one, 1)["n0"], fettle.StatusOK)
	p.ended(one, fettle.Tally{Roster: 1, OK: 1})
	p.join("n0", `{}`)
	p.pass(time.Hour)
	p.theRound(2)
	t.Run("it survives the server, and makes up for one round of those that it missed", func(t *testing.T) {
		p.stop()
		p.clock.add(10*time.Hour + 10*time.Minute)
		q := parade{openFleet(t, DefaultConfig(), p.dsn, p.clock)}
		q.seq = p.seq
		q.join("n0", `{}`)
		q.theRound(3)
		q.pass(time.Minute)
		st := q.standingNow()
		if st.Rounds != 3 || st.Next.Sub(st.Created) != 12*time.Hour {
			t.Errorf("%d rounds, the next at %s", st.Rounds, st.Next.Sub(st.Created))
		}
	})
}

// TestARoundWhoseTimeIsUp: a server comes back after the time of the round before, and looks for the next round before it ends that one.
func TestARoundWhoseTimeIsUp(t *testing.T) {
	p := newParade(t, 1)
	p.stand(StandingOrder{Every: time.Hour})
	p.until(p.theRound(1), 1)
	p.stop()
	p.clock.add(10 * time.Hour)
	q := parade{idleFleet(t, DefaultConfig(), p.dsn, p.clock)}
	st, _ := q.standing.get("round")
	if _, err := q.round(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	if now := q.standingNow(); now.Rounds != 2 || now.Skipped != "" {
		t.Errorf("%d rounds, and one was left out: %s", now.Rounds, now.Skipped)
	}
}

func TestARoundThatIsLeftOut(t *testing.T) {
	p := newParade(t, 1)
	p.stand(StandingOrder{RunRequest: RunRequest{Timeout: 3 * time.Hour}, Every: time.Hour})
	one := p.theRound(1)
	p.pass(time.Hour + time.Second)
	p.eventually("it is left out", func() bool { return p.standingNow().SkippedAt != 0 })
	if st := p.standingNow(); st.Rounds != 1 || !strings.Contains(st.Skipped, string(one.ID)+" still goes, with 1 nodes pending") {
		t.Errorf("%+v", st)
	}
}

// TestTheOwnersRights: a standing run can do what its owner can at the time, and nothing when that is nothing.
func TestTheOwnersRights(t *testing.T) {
	p := newParade(t, 1)
	user := store.User{Name: "ann", Role: "operator", Source: "local", Groups: []string{"web"}}
	var err error
	if user.Rev, err = p.Store.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	if _, err := p.SavePolicy(t.Context(), Policy{Name: "web", Actions: []string{"*"}, When: `"web" in user.groups`}); err != nil {
		t.Fatal(err)
	}
	p.stand(StandingOrder{RunRequest: RunRequest{User: Asker{Name: "ann", Account: "ann", Role: "operator"}}, Every: time.Hour})
	p.answer(p.until(p.theRound(1), 1)["n0"], fettle.StatusOK)
	p.ended(p.theRound(1), fettle.Tally{Roster: 1, OK: 1})

	user.Groups = nil
	if user.Rev, err = p.Store.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	p.pass(time.Hour)
	if two := p.ended(p.theRound(2), fettle.Tally{Roster: 1, Never: 1}); len(two.Refused) != 1 || two.Refused[0].Reason != "no policy allows it: web" {
		t.Errorf("%+v", two.Refused)
	}
	user.Role = "viewer"
	if user.Rev, err = p.Store.SaveUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	p.pass(time.Hour)
	p.eventually("it is left out", func() bool { return p.standingNow().Skipped == "ann may not run anything any more: the role is viewer" })
}

func TestAStandingRunThatCannotBe(t *testing.T) {
	p := newParade(t, 1)
	all := RunRequest{Action: "agent.ping", Selection: Selection{All: true}}
	for _, o := range []StandingOrder{
		{Name: "x", RunRequest: all},
		{Name: "x", RunRequest: all, Loop: time.Hour, Every: time.Hour},
		{Name: "x", RunRequest: all, Cron: "61 * * * *"},
		{Name: "x", RunRequest: all, Cron: "@daily", Zone: "Atlantis"},
		{Name: "x", RunRequest: all, Every: time.Hour, Zone: "UTC"},
		{Name: "a b", RunRequest: all, Every: time.Hour},
		{Name: "x", RunRequest: RunRequest{Action: "agent.ping", Selection: Selection{Roster: "r"}}, Every: time.Hour},
		{Name: "x", RunRequest: RunRequest{Action: "agent.ping", Selection: Selection{Where: "facts."}}, Every: time.Hour},
		{Name: "x", RunRequest: RunRequest{Action: "agent.ping"}, Every: time.Hour},
	} {
		if _, err := p.Stand(t.Context(), o); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
