package web

import (
	"fmt"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// momentLayout is how a moment stands in a URL and in a box of a form, in UTC. What is zero at its end may be left off.
const momentLayout = "2006-01-02T15:04:05.999"

// parseMoment reads the moment of the past that a URL asks about; empty: now. A moment without a zone is in UTC, as pages write it.
func parseMoment(text string) (fettle.Millis, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{momentLayout, "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil && t.UnixMilli() > 0 && t.UTC().Year() <= 9999 {
			return fettle.MillisOf(t), nil
		}
	}
	return 0, fmt.Errorf("as of %q: write a moment such as 2026-11-14T09:00: %w", cut(text, maxCell), fettle.ErrInvalid)
}

// momentText writes a moment as parseMoment reads it; empty for now.
func momentText(at fettle.Millis) string {
	if at == 0 {
		return ""
	}
	return strings.TrimSuffix(at.Time().Format(momentLayout), ":00")
}

// stampOf writes a moment as the command line and REST read it.
func stampOf(at fettle.Millis) string { return at.Time().Format("2006-01-02T15:04:05.999Z07:00") }
