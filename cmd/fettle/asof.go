package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
)

// asOfFlag gives cmd its --as-of.
func asOfFlag(cmd *cobra.Command, text *string) {
	cmd.Flags().StringVar(text, "as-of", "", "the `MOMENT` that is asked about: 2026-11-14T09:00, -2h, -3d, yesterday; default: now")
}

// moment reads what a person writes after a flag for a moment of the past, as REST takes it; empty: now. A time without a zone is local.
func moment(flag, text string, now time.Time) (string, error) {
	switch {
	case text == "":
		return "", nil
	case text == "yesterday":
		return now.AddDate(0, 0, -1).UTC().Format(time.RFC3339), nil
	case strings.HasPrefix(text, "-"):
		d, err := longSpan(text[1:])
		if err != nil {
			return "", usage(fmt.Errorf("--%s %s: %w: %w", flag, text, err, fettle.ErrInvalid))
		}
		return now.Add(-d).UTC().Format(time.RFC3339), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t.UTC().Format(time.RFC3339), nil
		}
	}
	return "", usage(fmt.Errorf("--%s %s: write 2026-11-14T09:00, -2h, -3d or yesterday: %w", flag, text, fettle.ErrInvalid))
}

// longSpan reads a duration that may have days: 3d, 2h30m.
func longSpan(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	d, err := time.ParseDuration(days + "h")
	if err != nil {
		return 0, err
	}
	if d *= 24; rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	return d + more, err
}
