package checks

import (
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// When tells of a tally whether it is bad enough. An error makes the verdict UNKNOWN, with the error as its reason.
type When func(fettle.CheckTally) (bool, error)

// Thresholds say what a tally means. The zero value means check-mc-nrpe's order: any critical is critical, else any unknown is unknown, else
// any warning is warning.
type Thresholds struct {
	Warning, Critical When // nil: never
}

// ParseThresholds reads two thresholds, each empty, a range, or, when it is none and compile is given, an expression for compile. A range is
// over the nodes that are not ok: their number ("2", "@1:5") or their percentage of the total ("10%"). The error is ErrInvalid and names
// the threshold.
func ParseThresholds(warning, critical string, compile func(string) (When, error)) (t Thresholds, err error) {
	if t.Warning, err = parseWhen(warning, compile); err != nil {
		return Thresholds{}, fmt.Errorf("warning threshold: %w", err)
	}
	if t.Critical, err = parseWhen(critical, compile); err != nil {
		return Thresholds{}, fmt.Errorf("critical threshold: %w", err)
	}
	return t, nil
}

func parseWhen(text string, compile func(string) (When, error)) (When, error) {
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	r, err := nagios.ParseRange(text)
	if err == nil {
		return func(t fettle.CheckTally) (bool, error) { return r.AlertOf(t.Total-t.OK, t.Total), nil }, nil
	}
	if compile == nil || strings.Trim(text, "0123456789.:@~%-+ ") == "" {
		return nil, err // it was meant as a range: that error tells more than one of the expression's
	}
	return compile(text)
}

// status gives what t means, and why where it cannot be said.
func (th Thresholds) status(t fettle.CheckTally) (s fettle.CheckStatus, reason string) {
	if t.Total == 0 {
		return fettle.CheckUnknown, "no node matches"
	}
	if th.Warning == nil && th.Critical == nil {
		switch {
		case t.Critical > 0:
			return fettle.CheckCritical, ""
		case t.Unknown > 0:
			return fettle.CheckUnknown, ""
		case t.Warning > 0:
			return fettle.CheckWarning, ""
		}
		return fettle.CheckOK, ""
	}
	for _, one := range []struct {
		when   When
		status fettle.CheckStatus
	}{{th.Critical, fettle.CheckCritical}, {th.Warning, fettle.CheckWarning}} {
		if one.when == nil {
			continue
		}
		bad, err := one.when(t)
		if err != nil {
			return fettle.CheckUnknown, fmt.Sprintf("%s threshold: %v", one.status, err)
		}
		if bad {
			return one.status, ""
		}
	}
	return fettle.CheckOK, ""
}
