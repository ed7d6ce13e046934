package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// wait is a flag for how long to wait: 10s, 2m, or a plain number of seconds as Nagios plugins take it.
type wait time.Duration

func (w *wait) Set(text string) error {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		*w = wait(time.Duration(n) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%q is no time such as 10s or 2m", text)
	}
	*w = wait(d)
	return nil
}

// String gives the time; empty: none was given.
func (w *wait) String() string {
	if *w == 0 {
		return ""
	}
	return spell(time.Duration(*w))
}

// given gives the time as REST takes it; nil: none was given.
func (w *wait) given() *string {
	if *w == 0 {
		return nil
	}
	return pointer(time.Duration(*w).String())
}

// Type is what --help calls the value.
func (w *wait) Type() string { return "TIME" }

// spell writes a duration without the units that are zero: 5m, where String says 5m0s.
func spell(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// takes refuses positionals but for those named; a name that ends in "?" may be left out, and one that ends in "..." comes any number of times.
func takes(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		for i, name := range names {
			if strings.HasSuffix(name, "...") {
				return nil
			}
			if i >= len(args) && !strings.HasSuffix(name, "?") {
				return fmt.Errorf("%s is missing", name)
			}
		}
		if len(args) > len(names) {
			return fmt.Errorf("%q is one argument too many; a filter with spaces wants quotes", args[len(names)])
		}
		return nil
	}
}
