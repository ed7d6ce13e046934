package calendar

import (
	"errors"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func TestAfter(t *testing.T) {
	for _, c := range []struct{ name, cron, zone, at, want string }{
		{"every hour", "0 * * * *", "", "2026-03-01T10:59:59Z", "2026-03-01T11:00:00Z"},
		{"a turn is not after itself", "0 * * * *", "", "2026-03-01T11:00:00Z", "2026-03-01T12:00:00Z"},
		{"a word", "@daily", "", "2026-03-01T11:00:00Z", "2026-03-02T00:00:00Z"},
		{"by the clocks of a zone", "30 4 * * *", "Europe/Berlin", "2026-01-10T00:00:00Z", "2026-01-10T03:30:00Z"},
		{"in summer", "30 4 * * *", "Europe/Berlin", "2026-07-10T00:00:00Z", "2026-07-10T02:30:00Z"},
		{"weekdays", "0 9 * * 1-5", "America/New_York", "2026-11-20T20:00:00Z", "2026-11-23T14:00:00Z"},
		{"clocks are put forward over it: at that moment", "30 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"and the day after as usual", "30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"},
		{"clocks are put back over it: the first time", "30 2 * * *", "Europe/Berlin", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"},
		{"and not the second time", "30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"29 February", "0 0 29 2 *", "", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"30 February", "0 0 30 2 *", "", "2026-01-01T00:00:00Z", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cron, err := Parse(c.cron, c.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			next, ok := cron.After(at)
			if got := next.Format(time.RFC3339); ok != (c.want != "") || ok && got != c.want {
				t.Errorf("%s, %v; want %s", got, ok, c.want)
			}
		})
	}
	if next, ok := (Cron{}).After(time.Now()); ok {
		t.Errorf("the zero value comes at %s", next)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ cron, zone, key string }{
		{"", "", "cron"},
		{"* * * *", "", "cron"},
		{"* * * * * *", "", "cron"},
		{"61 * * * *", "", "cron"},
		{"@sometimes", "", "cron"},
		{"0 0 * * *", "Mars/Olympus", "zone"},
		{"0 0 * * *", "Local", "zone"},
	} {
		_, err := Parse(c.cron, c.zone)
		var fault *fettle.Fault
		if !errors.As(err, &fault) || fault.Key != c.key || !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q %q: %v, want a fault of %s", c.cron, c.zone, err, c.key)
		}
	}
}

func TestLongest(t *testing.T) {
	for cron, want := range map[string]time.Duration{
		"*/5 * * * *": 5 * time.Minute, "0 9 * * 1-5": 72 * time.Hour, "0 0 1 1 *": 366 * 24 * time.Hour,
	} {
		c, err := Parse(cron, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := c.Longest(); !ok || got != want {
			t.Errorf("%s: %s, %v; want %s", cron, got, ok, want)
		}
	}
}
