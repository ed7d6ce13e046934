package runs

import (
	"errors"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func TestWhen(t *testing.T) {
	moment := func(text string) time.Time {
		t.Helper()
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	made := moment("2026-11-21T10:15:00Z")
	for _, c := range []struct {
		name        string
		st          fettle.Standing
		after, want string
	}{
		{"every hour, in step with its beginning", fettle.Standing{Every: 3_600_000}, "2026-11-21T10:15:00Z", "2026-11-21T11:15:00Z"},
		{"every hour, after an outage of many", fettle.Standing{Every: 3_600_000}, "2026-11-21T20:20:00Z", "2026-11-21T21:15:00Z"},
		{"before it was made", fettle.Standing{Every: 3_600_000}, "2026-11-21T09:00:00Z", "2026-11-21T10:15:00Z"},
		{"workdays at half past four", fettle.Standing{Cron: "30 4 * * 1-5"}, "2026-11-21T10:15:00Z", "2026-11-23T04:30:00Z"},
		{"in Vienna, in winter", fettle.Standing{Cron: "30 4 * * *", Zone: "Europe/Vienna"}, "2026-11-21T10:15:00Z", "2026-11-22T03:30:00Z"},
		{"in Vienna, in summer", fettle.Standing{Cron: "30 4 * * *", Zone: "Europe/Vienna"}, "2026-07-01T10:15:00Z", "2026-07-02T02:30:00Z"},
		{"in an hour that the clocks leave out: then", fettle.Standing{Cron: "30 2 * * *", Zone: "Europe/Vienna"}, "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z"},
		{"a word for it", fettle.Standing{Cron: "@daily"}, "2026-11-21T10:15:00Z", "2026-11-22T00:00:00Z"},
	} {
		w, err := NewWhen(c.st)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := w.After(moment(c.after), made); !got.Equal(moment(c.want)) {
			t.Errorf("%s: after %s comes %s, want %s", c.name, c.after, got.Format(time.RFC3339), c.want)
		}
	}
	never, err := NewWhen(fettle.Standing{Cron: "0 0 30 2 *"})
	if err != nil || !never.After(made, made).IsZero() {
		t.Errorf("on 30 February: %v, %v", never.After(made, made), err)
	}
	loop, err := NewWhen(fettle.Standing{Loop: 1_800_000})
	if d, is := loop.Loop(); err != nil || !is || d != 30*time.Minute {
		t.Errorf("a loop: %s, %v, %v", d, is, err)
	}
}

func TestWhenRefuses(t *testing.T) {
	for _, st := range []fettle.Standing{
		{},
		{Loop: 1000, Every: 1000},
		{Every: 10},
		{Loop: -1},
		{Cron: "* * *"},
		{Cron: "* * * * *", Zone: "Atlantis"},
		{Every: 1000, Zone: "UTC"},
		{Every: 2 * MaxEvery.Milliseconds()},
	} {
		if _, err := NewWhen(st); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%+v: %v", st, err)
		}
	}
}
