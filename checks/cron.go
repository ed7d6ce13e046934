package checks

import (
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/calendar"
)

// Of a check that goes by a cron expression.
const (
	cronSplay = time.Minute          // where it says nothing of its own
	cronGap   = 366 * 24 * time.Hour // the longest that may pass between two turns
)

// checkCron tells the longest time between two turns. A fault is ErrInvalid.
func checkCron(expression string) (longest time.Duration, err error) {
	cron, err := calendar.Parse(expression, "")
	if err != nil {
		return 0, err
	}
	if longest, twice := cron.Longest(); twice && longest <= cronGap {
		return longest, nil
	}
	return 0, &fettle.Fault{Key: "cron", Reason: fmt.Sprintf("%q comes less than once a year", expression)}
}
