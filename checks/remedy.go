package checks

import (
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Bounds of a remedy.
const (
	maxPerHour = 60
	maxAtOnce  = 10_000
)

// remedy says what is run when a state has become bad.
func (v *definer) remedy() {
	r := v.d.OnChange
	if r == nil {
		return
	}
	switch {
	case r.Composition != "":
		v.bad("on_change.composition", "compositions cannot be run yet; name an action")
	case r.Action == "":
		v.bad("on_change.action", "it names no action to run")
	}
	for i, s := range r.When {
		if !slices.Contains([]fettle.CheckStatus{fettle.CheckOK, fettle.CheckWarning, fettle.CheckCritical, fettle.CheckUnknown}, s) {
			v.bad(fmt.Sprintf("on_change.when[%d]", i), "%q is none of ok, warning, critical and unknown", s)
		}
	}
	for key, n := range map[string][2]int{"per_hour": {r.PerHour, maxPerHour}, "at_once": {r.AtOnce, maxAtOnce}} {
		if n[0] < 0 || n[0] > n[1] {
			v.bad("on_change."+key, "%d is not between 0 and %d", n[0], n[1])
		}
	}
	if t := r.Timeout.Duration(); t != 0 && (t < time.Second || t > time.Hour) {
		v.bad("on_change.timeout", "%s is not between 1s and 1h", r.Timeout)
	}
	if err := remedyInputs(*r); err != nil {
		v.faults = append(v.faults, err)
	}
}

// remedyInputs tells whether the texts of a remedy's inputs can be compiled. A fault is ErrInvalid and begins with its key.
func remedyInputs(r fettle.Remedy) error {
	for key, v := range r.Inputs {
		text, is := v.(string)
		if !is {
			continue
		}
		if _, err := filter.CompileText(filter.Change, text); err != nil {
			return fmt.Errorf("on_change.inputs.%s: %w", key, err)
		}
	}
	return nil
}
