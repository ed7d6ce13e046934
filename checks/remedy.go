package checks

import (
	"context"
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// What a remedy has where its definition leaves it open.
const (
	DefaultPerHour  = 3
	DefaultAtOnce   = 1
	DefaultCooldown = 5 * time.Minute
	maxPerHour      = 60
	maxAtOnce       = 10_000
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
	if _, err := RemedyInputs(*r); err != nil {
		v.faults = append(v.faults, err)
	}
}

// Limits gives r with nothing left open.
func Limits(r fettle.Remedy) fettle.Remedy {
	if len(r.When) == 0 {
		r.When = []fettle.CheckStatus{fettle.CheckCritical}
	}
	if r.PerHour == 0 {
		r.PerHour = DefaultPerHour
	}
	if r.AtOnce == 0 {
		r.AtOnce = DefaultAtOnce
	}
	r.Cooldown, r.Timeout = orSpan(r.Cooldown, DefaultCooldown), orSpan(r.Timeout, fettle.DefaultTimeout)
	return r
}

// Inputs are the inputs of a remedy, with their texts compiled.
type Inputs map[string]any // a *filter.Text, or a value as it is

// RemedyInputs compiles the inputs of a remedy. A fault is ErrInvalid and begins with its key.
func RemedyInputs(r fettle.Remedy) (Inputs, error) {
	out := Inputs{}
	for key, v := range r.Inputs {
		text, is := v.(string)
		if !is {
			out[key] = v
			continue
		}
		t, err := filter.CompileText(filter.Change, text)
		if err != nil {
			return nil, fmt.Errorf("on_change.inputs.%s: %w", key, err)
		}
		out[key] = t
	}
	return out, nil
}

// Fill gives the inputs for one node, where its state of a check has become state and was another before. The error is ErrInvalid: a text says
// something that is undefined there.
func (in Inputs) Fill(ctx context.Context, node filter.Record, state fettle.CheckState, was fettle.CheckStatus) (map[string]any, error) {
	node.Vars = map[string]any{"state": map[string]any{
		"check": state.Check, "status": string(state.Status), "was": string(was), "output": state.Output, "attempt": int64(state.Attempt), "since": state.Since.Time(),
	}}
	out := make(map[string]any, len(in))
	for key, v := range in {
		t, is := v.(*filter.Text)
		if !is {
			out[key] = v
			continue
		}
		text, err := t.Fill(ctx, &node)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", key, err)
		}
		out[key] = text
	}
	return out, nil
}
