package checks

import (
	"fmt"
	"strings"
	"time"

	"github.com/adhocore/gronx"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a cron expression.
const (
	maxCron   = 100                  // bytes
	cronTurns = 400                  // that are looked at for the longest time between two: more than a year of daily ones
	cronSplay = time.Minute          // of a check that says nothing of its own
	cronGap   = 366 * 24 * time.Hour // the longest that may pass between two turns
)

// CheckCron reads a cron expression: minute hour day month weekday, or a word such as @hourly. A fault is ErrInvalid. It gives the longest time
// between two turns.
func CheckCron(expression string) (longest time.Duration, err error) {
	fields := strings.Fields(expression)
	known := len(fields) == 5 || len(fields) == 1 && fields[0][0] == '@'
	if len(expression) > maxCron || !known || !gronx.IsValid(expression) {
		return 0, fmt.Errorf("%q is no cron expression: minute hour day month weekday, such as 30 6 * * 1-5: %w", expression, fettle.ErrInvalid)
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // any moment does, and the same gives the same
	for i := range cronTurns {
		next, err := nextTurn(expression, at)
		if err != nil {
			return 0, err
		}
		if i > 0 {
			longest = max(longest, next.Sub(at))
		}
		at = next
	}
	if longest > cronGap {
		return 0, fmt.Errorf("%q comes less than once a year: %w", expression, fettle.ErrInvalid)
	}
	return longest, nil
}

// nextTurn gives the first turn after a moment.
func nextTurn(expression string, after time.Time) (time.Time, error) {
	next, err := gronx.NextTickAfter(expression, after.UTC(), false)
	if err != nil {
		return time.Time{}, fmt.Errorf("cron %q: %w: %w", expression, err, fettle.ErrInvalid)
	}
	return next, nil
}
