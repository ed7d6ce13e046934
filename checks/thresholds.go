package checks

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// When tells of a tally whether it is bad enough. An error makes the verdict UNKNOWN, with the error as its reason.
type When func(fettle.CheckTally) (bool, error)

// Thresholds say what a tally means: a rule that has been read. The zero value means check-mc-nrpe's order: any critical is critical, else any
// unknown is unknown, else any warning is warning.
type Thresholds struct {
	Warning, Critical When // nil: never
	MinOK             *MinOK
}

// MinOK is how many have to be ok.
type MinOK struct {
	Number  float64
	Percent bool // Number is percent of those that have a say
}

// ParseRule reads a rule. What is no range is an expression for compile, where that is given. The error is ErrInvalid and names the part of the rule.
func ParseRule(r fettle.Rule, compile func(string) (When, error)) (t Thresholds, err error) {
	if t.Warning, err = parseWhen(r.Warning, compile); err != nil {
		return Thresholds{}, fmt.Errorf("warning threshold: %w", err)
	}
	if t.Critical, err = parseWhen(r.Critical, compile); err != nil {
		return Thresholds{}, fmt.Errorf("critical threshold: %w", err)
	}
	if t.MinOK, err = parseMinOK(r.MinOK); err != nil {
		return Thresholds{}, err
	}
	return t, nil
}

func parseMinOK(text string) (*MinOK, error) {
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n >= 0) || math.IsInf(n, 0) || percent && n > 100 || !percent && n != math.Trunc(n) {
		return nil, fmt.Errorf("min_ok: %q is neither a number of nodes nor a percentage, such as 3 or 60%%: %w", text, fettle.ErrInvalid)
	}
	return &MinOK{n, percent}, nil
}

// met tells whether enough are ok. What is left out can be neither: no more is asked of the others than that all of them are ok.
func (m *MinOK) met(t fettle.CheckTally) bool {
	want := m.Number
	if m.Percent {
		want = math.Ceil(m.Number*float64(t.Counted())/100 - 1e-9)
	}
	return float64(t.OK) >= min(want, float64(t.Counted()))
}

func parseWhen(text string, compile func(string) (When, error)) (When, error) {
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	r, err := nagios.ParseRange(text)
	if err == nil {
		return func(t fettle.CheckTally) (bool, error) { return r.AlertOf(t.Counted()-t.OK, t.Counted()), nil }, nil
	}
	if compile == nil || strings.Trim(text, "0123456789.:@~%-+ ") == "" {
		return nil, err // it was meant as a range: that error tells more than one of the expression's
	}
	when, fault := compile(text)
	if fault != nil && !strings.ContainsAny(text, "<>=!&|(") {
		return nil, fmt.Errorf("%w; CEL over the tally would be critical > 2", err) // no comparison was meant
	}
	return when, fault
}

// status gives what t means, and why where it cannot be said. Where all are left out, nothing is wrong that somebody ought to hear of.
func (th Thresholds) status(t fettle.CheckTally) (s fettle.CheckStatus, reason string) {
	switch {
	case t.Total == 0:
		return fettle.CheckUnknown, noNode
	case t.Counted() == 0:
		return fettle.CheckOK, ""
	case th.Warning == nil && th.Critical == nil && th.MinOK == nil:
		return usual(t), ""
	case th.MinOK != nil && !th.MinOK.met(t):
		return fettle.CheckCritical, ""
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

// usual gives the status where there is no rule.
func usual(t fettle.CheckTally) fettle.CheckStatus {
	switch {
	case t.Critical > 0:
		return fettle.CheckCritical
	case t.Unknown > 0:
		return fettle.CheckUnknown
	case t.Warning > 0:
		return fettle.CheckWarning
	}
	return fettle.CheckOK
}

const noNode = "no node matches"
