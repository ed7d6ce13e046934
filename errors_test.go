package fettle_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestFaults(t *testing.T) {
	one, two := &fettle.Fault{Key: "a", Reason: "one"}, &fettle.Fault{Key: "b", Reason: "two"}
	both := fmt.Errorf("action: %w: %w", one, fettle.ErrNotFound)
	for name, c := range map[string]struct {
		err  error
		want []error
	}{
		"nothing":                   {nil, nil},
		"one":                       {one, []error{one}},
		"joined":                    {errors.Join(one, two), []error{one, two}},
		"joined alone":              {errors.Join(one), []error{one}},
		"joined again":              {errors.Join(errors.Join(one, both), two), []error{one, both, two}},
		"one that is of two kinds":  {both, []error{both}},
		"what was joined and named": {fmt.Errorf("x: %w", errors.Join(one, two)), nil},
	} {
		if c.want == nil && c.err != nil {
			c.want = []error{c.err}
		}
		if got := fettle.Faults(c.err); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
