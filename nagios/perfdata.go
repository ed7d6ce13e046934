package nagios

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of perfdata. A plugin that says more is cut, and told so among what is bad.
const (
	MaxPerfdata = 256 // values
	MaxLabel    = 255 // bytes
	maxUnit     = 16  // bytes
	maxBad      = 16  // faults told of one output
)

// ParsePerfdata reads 'label'=value[UOM];[warn];[crit];[min];[max] …, by the guidelines. What breaks them is not in perfs but in bad, with the
// reason; the values around it are kept.
func ParsePerfdata(s string) (perfs []fettle.Perf, bad []string) {
	complain := func(text string, err error) {
		if len(bad) < maxBad {
			bad = append(bad, fmt.Sprintf("%q: %v", cut(text, 80), err))
		}
	}
	s = strings.ReplaceAll(s, "\n", " ")
	for s = strings.TrimLeft(s, " \t"); s != ""; s = strings.TrimLeft(s, " \t") {
		text, rest := cutPerf(s)
		s = rest
		if len(perfs) == MaxPerfdata {
			complain(text, fmt.Errorf("more than %d values", MaxPerfdata))
			break
		}
		perf, err := parsePerf(text)
		if err != nil {
			complain(text, err)
			continue
		}
		perfs = append(perfs, perf)
	}
	return perfs, bad
}

// cutPerf gives the one value with which s begins; a quoted label may contain blanks.
func cutPerf(s string) (text, rest string) {
	end := 0
	if s[0] == '\'' {
		if end = quoteEnd(s); end < 0 {
			return s, ""
		}
	}
	if n := strings.IndexAny(s[end:], " \t"); n >= 0 {
		return s[:end+n], s[end+n:]
	}
	return s, ""
}

// quoteEnd gives the index behind the quote that closes s's label; a doubled quote stands for one inside. -1: nothing closes it.
func quoteEnd(s string) int {
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 == len(s) || s[i+1] != '\'' {
			return i + 1
		}
		i++
	}
	return -1
}

func parsePerf(s string) (p fettle.Perf, err error) {
	label, rest, err := cutLabel(s)
	if err != nil {
		return p, err
	}
	fields := strings.Split(rest, ";")
	if len(fields) > 5 && strings.Trim(strings.Join(fields[5:], ""), " ") != "" {
		return p, fmt.Errorf("more than value, warning, critical, minimum and maximum")
	}
	fields = append(fields, "", "", "", "")[:5]
	p.Label = label
	if p.Value, p.Unit, err = parseValue(fields[0]); err != nil {
		return p, err
	}
	if p.Warn, err = rangeText(fields[1], p.Unit); err != nil {
		return p, fmt.Errorf("warning: %w", err)
	}
	if p.Crit, err = rangeText(fields[2], p.Unit); err != nil {
		return p, fmt.Errorf("critical: %w", err)
	}
	if p.Min, err = parseBound(fields[3], p.Unit); err != nil {
		return p, fmt.Errorf("minimum: %w", err)
	}
	if p.Max, err = parseBound(fields[4], p.Unit); err != nil {
		return p, fmt.Errorf("maximum: %w", err)
	}
	return p, nil
}

// cutLabel gives the label with which s begins, without its quotes, and what stands behind the '='.
func cutLabel(s string) (label, rest string, err error) {
	if s[0] == '\'' {
		end := quoteEnd(s)
		if end < 0 {
			return "", "", fmt.Errorf("the quote of the label is not closed")
		}
		label, rest = strings.ReplaceAll(s[1:end-1], "''", "'"), s[end:]
		if !strings.HasPrefix(rest, "=") {
			return "", "", fmt.Errorf("no '=' behind the label")
		}
		rest = rest[1:]
	} else {
		var found bool
		if label, rest, found = strings.Cut(s, "="); !found {
			return "", "", fmt.Errorf("no '=' behind the label")
		}
		if strings.Contains(label, "'") {
			return "", "", fmt.Errorf("a quote inside a label that is not quoted")
		}
	}
	if strings.TrimSpace(label) == "" {
		return "", "", fmt.Errorf("no label")
	}
	if len(label) > MaxLabel {
		return "", "", fmt.Errorf("label of more than %d bytes", MaxLabel)
	}
	return label, rest, nil
}

// parseValue reads a number and its unit; "U" is a value that could not be determined, and gives nil.
func parseValue(s string) (*float64, string, error) {
	if s == "U" {
		return nil, "", nil
	}
	end := numberEnd(s)
	v, err := parseNumber(s[:end])
	if err != nil {
		return nil, "", fmt.Errorf("value %q: %w", cut(s, 40), err)
	}
	unit := s[end:]
	if len(unit) > maxUnit {
		return nil, "", fmt.Errorf("unit of more than %d bytes", maxUnit)
	}
	if strings.ContainsAny(unit, `0123456789'",.=:@~+-`) {
		return nil, "", fmt.Errorf("unit %q", unit)
	}
	return &v, unit, nil
}

// parseBound reads a minimum or maximum. Many plugins repeat the unit there.
func parseBound(s, unit string) (*float64, error) {
	s = strings.TrimSuffix(s, unit)
	if s == "" || s == "U" {
		return nil, nil
	}
	v, err := parseNumber(s)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", cut(s, 40), err)
	}
	return &v, nil
}

// rangeText gives s if it is a range. Many plugins repeat the unit there, against the guidelines: it is left out.
func rangeText(s, unit string) (string, error) {
	lo, hi, two := strings.Cut(s, ":")
	if s = strings.TrimSuffix(lo, unit); two {
		s += ":" + strings.TrimSuffix(hi, unit)
	}
	if s == "" || s == "U" {
		return "", nil
	}
	r, err := ParseRange(s)
	if err != nil {
		return "", err
	}
	if r.Percent {
		return "", fmt.Errorf("range %q: %% has no place in perfdata", s)
	}
	return s, nil
}

// numberEnd gives the length of the number with which s begins. An exponent counts only when digits follow it: "5e" is five of unit e.
func numberEnd(s string) int {
	digits := func(i int) int {
		for i < len(s) && '0' <= s[i] && s[i] <= '9' {
			i++
		}
		return i
	}
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	i = digits(i)
	if i < len(s) && s[i] == '.' {
		i = digits(i + 1)
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		if end := digits(j); end > j {
			i = end
		}
	}
	return i
}

// parseNumber reads a finite decimal number. What else strconv understands (hexadecimal, underscores, inf) is refused.
func parseNumber(s string) (float64, error) {
	if s == "" || numberEnd(s) != len(s) {
		return 0, fmt.Errorf("not a number")
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("not a number")
	}
	return v, nil
}

// FormatPerf writes p as ParsePerfdata reads it.
func FormatPerf(p fettle.Perf) string {
	label := p.Label
	if strings.ContainsAny(label, " \t\n='") {
		label = "'" + strings.ReplaceAll(label, "'", "''") + "'"
	}
	value := "U"
	if p.Value != nil {
		value = formatNumber(*p.Value) + p.Unit
	}
	text := label + "=" + value + ";" + p.Warn + ";" + p.Crit + ";" + formatBound(p.Min) + ";" + formatBound(p.Max)
	return strings.TrimRight(text, ";")
}

// FormatPerfdata writes ps in one line.
func FormatPerfdata(ps []fettle.Perf) string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = FormatPerf(p)
	}
	return strings.Join(texts, " ")
}

func formatBound(v *float64) string {
	if v == nil {
		return ""
	}
	return formatNumber(*v)
}

// formatNumber writes v without an exponent, which the guidelines do not know, unless it would be absurdly long.
func formatNumber(v float64) string {
	if a := math.Abs(v); a != 0 && (a >= 1e21 || a < 1e-9) {
		return strconv.FormatFloat(v, 'e', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
