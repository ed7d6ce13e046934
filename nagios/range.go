package nagios

import (
	"fmt"
	"math"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// Range is a threshold of the plugin guidelines: it alerts for values outside Lo..Hi, both ends belonging to it, or inside when Inside is set.
// The zero value is the range "0", which alerts for everything but zero.
//
//	10       alerts below 0 and above 10
//	10:      below 10
//	~:10     above 10
//	10:20    outside 10 to 20
//	@10:20   inside 10 to 20
//	10%      as 10, of the percentage that a number is of a total
type Range struct {
	Lo, Hi  float64 // ±Inf: no end
	Inside  bool
	Percent bool // Lo and Hi are percent of a total: see AlertOf
}

// ParseRange reads a range as it is written. ErrInvalid says what is wrong with it.
func ParseRange(s string) (Range, error) {
	r, err := parseRange(s)
	if err != nil {
		return Range{}, fmt.Errorf("range %q: %w: %w", cut(s, 80), err, fettle.ErrInvalid)
	}
	return r, nil
}

func parseRange(s string) (r Range, err error) {
	s, r.Inside = strings.CutPrefix(s, "@")
	if s == "" {
		return r, fmt.Errorf("is empty")
	}
	lo, hi, two := strings.Cut(s, ":")
	if !two {
		lo, hi = "", s
	}
	if r.Lo, err = r.end(lo, "~", math.Inf(-1), 0); err != nil {
		return r, err
	}
	if r.Hi, err = r.end(hi, "", math.Inf(1), math.Inf(1)); err != nil {
		return r, err
	}
	if r.Percent && (plainNumber(lo) || plainNumber(hi)) {
		return r, fmt.Errorf("one end is a percentage and one is not")
	}
	if r.Lo > r.Hi {
		return r, fmt.Errorf("begins at %s, above its end %s", formatNumber(r.Lo), formatNumber(r.Hi))
	}
	return r, nil
}

// end reads one end of a range: open is the sign for an end at infinity, absent the value when nothing is written.
func (r *Range) end(s, open string, infinity, absent float64) (float64, error) {
	if s == "" {
		return absent, nil
	}
	if s == open {
		return infinity, nil
	}
	number, percent := strings.CutSuffix(s, "%")
	r.Percent = r.Percent || percent
	v, err := parseNumber(number)
	if err != nil {
		return 0, fmt.Errorf("%q: %w", cut(s, 40), err)
	}
	return v, nil
}

// plainNumber tells whether an end is a number that is no percentage. An end that is not written, or open, goes with either.
func plainNumber(s string) bool { return s != "" && s != "~" && !strings.HasSuffix(s, "%") }

// Alert tells whether v raises the alarm. NaN does.
func (r Range) Alert(v float64) bool {
	if math.IsNaN(v) {
		return true
	}
	inside := r.Lo <= v && v <= r.Hi
	return inside == r.Inside
}

// AlertOf tells whether n of total raises the alarm: the number n itself, or the percentage that it is. Of nothing, n is 0 percent.
func (r Range) AlertOf(n, total int) bool {
	if !r.Percent {
		return r.Alert(float64(n))
	}
	if total <= 0 {
		return r.Alert(0)
	}
	return r.Alert(100 * float64(n) / float64(total))
}

// String writes r as ParseRange reads it, as short as it can be.
func (r Range) String() string {
	unit := ""
	if r.Percent {
		unit = "%"
	}
	var b strings.Builder
	if r.Inside {
		b.WriteByte('@')
	}
	switch {
	case math.IsInf(r.Lo, -1):
		b.WriteString("~:")
	case r.Lo != 0 || math.IsInf(r.Hi, 1):
		b.WriteString(formatNumber(r.Lo) + unit + ":")
	}
	if !math.IsInf(r.Hi, 1) {
		b.WriteString(formatNumber(r.Hi) + unit)
	}
	return b.String()
}
