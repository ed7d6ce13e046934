package checks

import (
	"testing"
	"time"
)

func TestCron(t *testing.T) {
	for expression, longest := range map[string]time.Duration{
		"*/5 * * * *":  5 * time.Minute,
		"30 6 * * 1-5": 3 * 24 * time.Hour,
		"0 3 * * *":    24 * time.Hour,
		"@hourly":      time.Hour,
		"0 0 1 * *":    31 * 24 * time.Hour,
		"0 0 1 1 *":    366 * 24 * time.Hour,
	} {
		if got, err := checkCron(expression); err != nil || got != longest {
			t.Errorf("%s: %s, %v; want %s", expression, got, err, longest)
		}
	}
	for _, bad := range []string{"", "* * *", "61 * * * *", "0 0 30 2 *", "every day", "0 0 29 2 *"} {
		if _, err := checkCron(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
