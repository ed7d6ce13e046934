package runs

import (
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/calendar"
)

// Bounds of how often a standing run comes.
const (
	MinEvery = time.Second
	MaxEvery = 366 * 24 * time.Hour
)

// When says when a standing run is due.
type When struct {
	loop, every time.Duration
	cron        calendar.Cron
}

// NewWhen reads when a standing run comes. ErrInvalid: not exactly one of loop, every and cron is given, or it cannot be.
func NewWhen(st fettle.Standing) (When, error) {
	w := When{loop: time.Duration(st.Loop) * time.Millisecond, every: time.Duration(st.Every) * time.Millisecond}
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
	w.cron, err = calendar.Parse(st.Cron, st.Zone)
	return w, err
}

// Loop tells whether each node comes again by itself, and after how long.
func (w When) Loop() (time.Duration, bool) { return w.loop, w.loop > 0 }

// After gives the first moment after t at which a round is due: for every, in step with anchor, the moment at which the standing run was made.
// Zero: never, as on 30 February. It is not for a loop, whose nodes have a moment each.
func (w When) After(t, anchor time.Time) time.Time {
	if !w.cron.IsZero() {
		next, _ := w.cron.After(t)
		return next
	}
	if t.Before(anchor) {
		return anchor
	}
	return anchor.Add((t.Sub(anchor)/w.every + 1) * w.every)
}
