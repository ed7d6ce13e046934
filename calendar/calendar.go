// Package calendar says when something that comes again is due: a cron expression, as clocks in a time zone show the time.
package calendar

import (
	"fmt"
	"strings"
	"time"

	"github.com/adhocore/gronx"

	fettle "github.com/fettle-dev/fettle"
)

const (
	maxExpression = 100 // bytes
	putBackTurns  = 100 // turns that clocks which are put back may show again: one a minute, for longer than an hour and a half
)

// Cron is a cron expression in a time zone. The zero value never comes. It does not change, and is safe for concurrent use.
type Cron struct {
	expression string
	zone       *time.Location
}

// Parse reads a cron expression: minute hour day month weekday, or a word such as @hourly; and the zone by whose clocks it goes, a name of the
// IANA database. An empty zone is UTC. The error is a fettle.Fault whose key is cron or zone.
func Parse(expression, zone string) (Cron, error) {
	fields := strings.Fields(expression)
	known := len(fields) == 5 || len(fields) == 1 && fields[0][0] == '@'
	if len(expression) > maxExpression || !known || !gronx.IsValid(expression) {
		return Cron{}, &fettle.Fault{Key: "cron", Reason: fmt.Sprintf("%.*q is no cron expression: minute hour day month weekday, such as 30 6 * * 1-5", maxExpression, expression)}
	}
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" { // what that is depends on who asks
		return Cron{}, &fettle.Fault{Key: "zone", Reason: fmt.Sprintf("%.*q is no time zone, such as Europe/Berlin", maxExpression, zone)}
	}
	return Cron{expression, place}, nil
}

// String gives the expression.
func (c Cron) String() string { return c.expression }

// IsZero tells whether c is the zero value.
func (c Cron) IsZero() bool { return c.expression == "" }

// After gives the first turn after a moment, in UTC; false: there is none, as on 30 February. Where clocks are put forward over a turn, it is
// then; where they are put back over one, it is the first of the two.
func (c Cron) After(at time.Time) (time.Time, bool) {
	if c.IsZero() {
		return time.Time{}, false
	}
	wall := wallOf(at, c.zone)
	for range putBackTurns {
		next, err := gronx.NextTickAfter(c.expression, wall, false)
		if err != nil {
			return time.Time{}, false
		}
		if turn := c.real(next); turn.After(at) {
			return turn.UTC(), true
		}
		wall = next // clocks have been put back, and this one has been
	}
	return time.Time{}, false
}

// wallOf gives what a clock in a zone shows, as if that were UTC: there is no hour twice, and none is missing.
func wallOf(at time.Time, zone *time.Location) time.Time {
	l := at.In(zone)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), l.Nanosecond(), time.UTC)
}

// real gives the moment at which clocks show a time first; in a gap, the moment at which they are put forward over it.
func (c Cron) real(wall time.Time) time.Time {
	guess := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, c.zone)
	if shown := wallOf(guess, c.zone); !shown.Equal(wall) { // a gap: time.Date goes by one of the two offsets
		start, end := guess.ZoneBounds()
		for _, edge := range []time.Time{start, end} {
			if d := edge.Sub(guess); !edge.IsZero() && d > -3*time.Hour && d < 3*time.Hour {
				return edge
			}
		}
		return guess
	}
	// Put back: the hour comes twice, and the first is before the bounds of the zone in which the second is.
	if start, _ := guess.ZoneBounds(); !start.IsZero() {
		_, before := start.Add(-time.Second).Zone()
		_, here := guess.Zone()
		if earlier := guess.Add(time.Duration(here-before) * time.Second); before > here && earlier.Before(start) {
			return earlier
		}
	}
	return guess
}

// Span of the turns that Longest looks at.
const longestTurns = 400

// Longest gives the longest time between two turns, as of the next 400 of them after a fixed moment; false: it does not come twice.
func (c Cron) Longest() (longest time.Duration, twice bool) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // any moment does, and the same gives the same
	for i := range longestTurns {
		next, ok := c.After(at)
		if !ok {
			return longest, longest > 0
		}
		if i > 0 {
			longest = max(longest, next.Sub(at))
		}
		at = next
	}
	return longest, true
}
