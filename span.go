package fettle

import (
	"fmt"
	"strings"
	"time"
)

// Span is a length of time as people write it: 30s, 5m, 2h30m, 7d. Zero means that it was left open.
type Span time.Duration

// ParseSpan reads a span; a day has 24 hours. A fault is ErrInvalid.
func ParseSpan(text string) (Span, error) {
	bad := fmt.Errorf("%q is not a span of time such as 30s, 5m or 7d: %w", text, ErrInvalid)
	days, rest, found := strings.Cut(text, "d")
	if !found {
		days, rest = "", text
	}
	var all time.Duration
	if found {
		d, err := time.ParseDuration(days + "h")
		if err != nil || d < 0 || d > 100_000*time.Hour {
			return 0, bad
		}
		all = 24 * d
	}
	if rest != "" || !found {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return 0, bad
		}
		all += d
	}
	if all < 0 {
		return 0, bad
	}
	return Span(all), nil
}

// Duration gives s as the standard library has it.
func (s Span) Duration() time.Duration { return time.Duration(s) }

// Milliseconds gives s in milliseconds.
func (s Span) Milliseconds() int64 { return time.Duration(s).Milliseconds() }

// String writes s without the units that are zero: 5m, where time.Duration has 5m0s.
func (s Span) String() string {
	const day = Span(24 * time.Hour)
	if s >= day && s%day == 0 {
		return fmt.Sprintf("%dd", s/day)
	}
	text := time.Duration(s).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// MarshalText writes s as String does.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what ParseSpan does.
func (s *Span) UnmarshalText(text []byte) error {
	v, err := ParseSpan(string(text))
	*s = v
	return err
}
