package checks

import (
	"errors"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func moment(t *testing.T, text string) fettle.Millis {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return fettle.MillisOf(at)
}

func TestSilenceHolds(t *testing.T) {
	year := fettle.Silence{Filter: "true", Reason: "r", Author: "ann", Starts: moment(t, "2026-01-01T00:00:00Z"), Expires: moment(t, "2026-12-31T00:00:00Z")}
	again := func(cron, zone string, lasts time.Duration) fettle.Silence {
		s := year
		s.Cron, s.Zone, s.Duration = cron, zone, lasts.Milliseconds()
		return s
	}
	for _, tt := range []struct {
		promise, at string
		silence     fettle.Silence
		holds       bool
		then        string // until, or the next beginning; empty: never
	}{
		{"without a break, before", "2025-12-31T23:59:59Z", year, false, "2026-01-01T00:00:00Z"},
		{"without a break, at its start", "2026-01-01T00:00:00Z", year, true, "2026-12-31T00:00:00Z"},
		{"without a break, at its end", "2026-12-31T00:00:00Z", year, false, ""},
		{"every Saturday at two, before", "2026-11-20T12:00:00Z", again("0 2 * * 6", "", time.Hour), false, "2026-11-21T02:00:00Z"},
		{"at two", "2026-11-21T02:00:00Z", again("0 2 * * 6", "", time.Hour), true, "2026-11-21T03:00:00Z"},
		{"a second before three", "2026-11-21T02:59:59Z", again("0 2 * * 6", "", time.Hour), true, "2026-11-21T03:00:00Z"},
		{"at three", "2026-11-21T03:00:00Z", again("0 2 * * 6", "", time.Hour), false, "2026-11-28T02:00:00Z"},
		{"over midnight", "2026-11-22T00:30:00Z", again("0 23 * * 6", "", 2*time.Hour), true, "2026-11-22T01:00:00Z"},
		{"windows that meet are one", "2026-11-21T02:30:00Z", again("0 2,3 * * 6", "", time.Hour), true, "2026-11-21T04:00:00Z"},
		{"a window ends with the silence", "2026-12-30T23:30:00Z", again("0 23 * * *", "", 2*time.Hour), true, "2026-12-31T00:00:00Z"},
		{"no beginning after the end", "2026-12-30T00:30:00Z", again("0 0 * * *", "", 10*time.Minute), false, ""},
		{"two in Berlin is one in summer's UTC less one", "2026-07-04T00:30:00Z", again("0 2 * * 6", "Europe/Berlin", time.Hour), true, "2026-07-04T01:00:00Z"},
		{"two in Berlin in winter", "2026-11-21T01:30:00Z", again("0 2 * * 6", "Europe/Berlin", time.Hour), true, "2026-11-21T02:00:00Z"},
		{"half past two does not exist on this night: it is when clocks go forward", "2026-03-29T01:00:00Z", again("30 2 * * *", "Europe/Berlin", time.Hour), true, "2026-03-29T02:00:00Z"},
		{"and not before", "2026-03-29T00:59:59Z", again("30 2 * * *", "Europe/Berlin", time.Hour), false, "2026-03-29T01:00:00Z"},
		{"half past two comes twice: the first counts", "2026-10-25T00:45:00Z", again("30 2 * * *", "Europe/Berlin", time.Hour), true, "2026-10-25T01:30:00Z"},
		{"and the second does not begin it again", "2026-10-25T01:45:00Z", again("30 2 * * *", "Europe/Berlin", time.Hour), false, "2026-10-26T01:30:00Z"},
		{"a window over the night in which clocks go back lasts as long as it says", "2026-10-25T02:59:00Z", again("0 1 * * *", "Europe/Berlin", 4*time.Hour), true, "2026-10-25T03:00:00Z"},
		{"New York", "2026-11-01T06:30:00Z", again("0 2 * * *", "America/New_York", time.Hour), false, "2026-11-01T07:00:00Z"},
	} {
		w, err := ReadSilence(tt.silence)
		if err != nil {
			t.Errorf("%s: %v", tt.promise, err)
			continue
		}
		holds, until, next := w.At(moment(t, tt.at))
		var want fettle.Millis
		if tt.then != "" {
			want = moment(t, tt.then)
		}
		if holds != tt.holds || holds && until != want || !holds && next != want {
			t.Errorf("%s: holds %v, until %v, next %v; want %v, %v", tt.promise, holds, until.Time(), next.Time(), tt.holds, want.Time())
		}
	}
}

func TestSilenceIsRefused(t *testing.T) {
	good := fettle.Silence{Filter: "true", Reason: "r", Author: "ann", Starts: minute, Expires: 2 * minute}
	if _, err := ReadSilence(good); err != nil {
		t.Fatal(err)
	}
	for key, change := range map[string]func(*fettle.Silence){
		"filter":   func(s *fettle.Silence) { s.Filter = "" },
		"reason":   func(s *fettle.Silence) { s.Reason = " " },
		"author":   func(s *fettle.Silence) { s.Author = "" },
		"expires":  func(s *fettle.Silence) { s.Expires = 0 },
		"checks":   func(s *fettle.Silence) { s.Checks = []string{"["} },
		"statuses": func(s *fettle.Silence) { s.Statuses = []fettle.CheckStatus{"ok"} },
		"cron":     func(s *fettle.Silence) { s.Cron, s.Duration = "at night", 60_000 },
		"duration": func(s *fettle.Silence) { s.Cron = "0 2 * * *" },
		"zone":     func(s *fettle.Silence) { s.Cron, s.Duration, s.Zone = "0 2 * * *", 60_000, "Mars/Olympus" },
	} {
		s := good
		change(&s)
		_, err := ReadSilence(s)
		var fault *fettle.Fault
		if !errors.As(err, &fault) || fault.Key != key || !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
