package runs

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of how often a standing run comes.
const (
	MinEvery = time.Second
	MaxEvery = 366 * 24 * time.Hour
)

// When says when a standing run is due.
type When struct {
	loop, every time.Duration
	schedule    cron.Schedule
	zone        *time.Location
}

// NewWhen reads when a standing run comes. ErrInvalid: not exactly one of loop, every and cron is given, or it cannot be.
func NewWhen(st fettle.Standing) (When, error) {
	w := When{loop: time.Duration(st.Loop) * time.Millisecond, every: time.Duration(st.Every) * time.Millisecond, zone: time.UTC}
	given := 0
	for _, is := range []bool{st.Loop != 0, st.Every != 0, st.Cron != ""} {
		if is {
			given++
		}
	}
	if given != 1 {
		return w, fmt.Errorf("a standing run has exactly one of loop, every and cron: %w", fettle.ErrInvalid)
	}
	if d := w.loop + w.every; st.Cron == "" && (d < MinEvery || d > MaxEvery) {
		return w, fmt.Errorf("%s is not between %s and %s: %w", d, MinEvery, MaxEvery, fettle.ErrInvalid)
	}
	if st.Zone != "" && st.Cron == "" {
		return w, &fettle.Fault{Key: "zone", Reason: "a time zone is for cron"}
	}
	if st.Cron == "" {
		return w, nil
	}
	var err error
	if w.zone, err = time.LoadLocation(st.Zone); err != nil {
		return w, &fettle.Fault{Key: "zone", Reason: fmt.Sprintf("%q is no time zone such as Europe/Vienna", st.Zone)}
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	if w.schedule, err = parser.Parse(st.Cron); err != nil {
		return w, &fettle.Fault{Key: "cron", Reason: fmt.Sprintf("%q: %v; five fields are wanted, such as 30 4 * * 1-5", st.Cron, err)}
	}
	return w, nil
}

// Loop tells whether each node comes again by itself, and after how long.
func (w When) Loop() (time.Duration, bool) { return w.loop, w.loop > 0 }

// After gives the first moment after t at which a round is due: for every, in step with anchor, the moment at which the standing run was made.
// Zero: never, as on 30 February. It is not for a loop, whose nodes have a moment each.
func (w When) After(t, anchor time.Time) time.Time {
	if w.schedule != nil {
		return w.schedule.Next(t.In(w.zone)).UTC()
	}
	if t.Before(anchor) {
		return anchor
	}
	return anchor.Add((t.Sub(anchor)/w.every + 1) * w.every)
}
