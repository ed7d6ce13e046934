package main

import (
	"errors"
	"testing"
)

func TestWhyATrialEnded(t *testing.T) {
	for name, row := range map[string]struct{ err, last, want string }{
		"in its own words":  {"exit status 1", "fettle: it was not welcomed within 3s", "it was not welcomed within 3s"},
		"by a crash":        {"signal: segmentation fault", "goroutine 1 [running]:", "signal: segmentation fault: goroutine 1 [running]:"},
		"without any words": {"signal: killed", "", "signal: killed"},
	} {
		if got := whyEnded(errors.New(row.err), row.last); got != row.want {
			t.Errorf("%s: %q, want %q", name, got, row.want)
		}
	}
}
