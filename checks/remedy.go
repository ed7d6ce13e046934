package checks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// Bounds of a remedy.
const (
	maxPerHour  = 60
	maxAtOnce   = 10_000
	maxGiveUp   = 100
	maxCooldown = 31 * 24 * time.Hour
	maxRemedy   = time.Hour // that the action may take
)

// What holds where a remedy leaves it open.
const (
	defaultPerHour      = 3
	defaultAtOnce       = 1
	defaultNodesPerHour = "10"
	defaultGiveUp       = 3
	defaultCooldown     = 5 * time.Minute
)

// Remedied gives a remedy with nothing left open but Timeout, which is then that of the action.
func Remedied(r fettle.Remedy) fettle.Remedy {
	if len(r.When) == 0 {
		r.When = []fettle.CheckStatus{fettle.CheckCritical}
	}
	r.PerHour, r.AtOnce, r.GiveUp = cmp.Or(r.PerHour, defaultPerHour), cmp.Or(r.AtOnce, defaultAtOnce), cmp.Or(r.GiveUp, defaultGiveUp)
	r.NodesPerHour = cmp.Or(r.NodesPerHour, defaultNodesPerHour)
	r.Cooldown = orSpan(r.Cooldown, defaultCooldown)
	return r
}

// NodesAllowed gives how many of a check's nodes a share of them is: at least one. A fault is ErrInvalid.
func NodesAllowed(share fettle.Share, all int) (int, error) {
	text, percent := strings.CutSuffix(string(share), "%")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || percent && n > 100 {
		return 0, fmt.Errorf("%q is neither a number of nodes from 1 on nor a part of them such as 10%%: %w", share, fettle.ErrInvalid)
	}
	if percent {
		n = n * all / 100
	}
	return max(n, 1), nil
}

// remedy looks at what is run when a state has become bad.
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
	for key, n := range map[string][2]int{"per_hour": {r.PerHour, maxPerHour}, "at_once": {r.AtOnce, maxAtOnce}, "give_up": {r.GiveUp, maxGiveUp}} {
		if n[0] < 0 || n[0] > n[1] {
			v.bad("on_change."+key, "%d is not between 0 and %d", n[0], n[1])
		}
	}
	if r.NodesPerHour != "" {
		if _, err := NodesAllowed(r.NodesPerHour, 1); err != nil {
			v.bad("on_change.nodes_per_hour", "%q is neither a number from 1 on nor a part such as 10%%", r.NodesPerHour)
		}
	}
	if c := r.Cooldown.Duration(); c < 0 || c > maxCooldown {
		v.bad("on_change.cooldown", "%s is above %s", r.Cooldown, fettle.Span(maxCooldown))
	}
	if t := r.Timeout.Duration(); t != 0 && (t < time.Second || t > maxRemedy) {
		v.bad("on_change.timeout", "%s is not between 1s and 1h", r.Timeout)
	}
	if err := remedyInputs(*r); err != nil {
		v.faults = append(v.faults, err)
	}
}

// remedyInputs tells whether the texts of a remedy's inputs can be compiled. A fault is ErrInvalid and begins with its key.
func remedyInputs(r fettle.Remedy) error {
	for _, key := range slices.Sorted(maps.Keys(r.Inputs)) {
		_, _, err := FillRemedy(r.Action, key, r.Inputs[key], func(text *filter.Text) (string, error) { return "", nil })
		if err != nil {
			return fmt.Errorf("on_change.inputs.%s: %w", key, err)
		}
	}
	return nil
}

// FillRemedy gives an input of a remedy, which is a text or a list with texts in it, as fill fills its texts; filled is false where there was
// nothing to fill. What a shell reads stays as it is written: nothing that a node says is put there. A fault is ErrInvalid.
func FillRemedy(action, key string, value any, fill func(*filter.Text) (string, error)) (out any, filled bool, err error) {
	switch v := value.(type) {
	case string:
		text, err := filter.CompileText(filter.Change, v)
		if shellReads(action, key) {
			if err == nil && !text.Plain() {
				err = fmt.Errorf("a shell would read what is filled in, and a node could have it run anything; hand it over in env or stdin: %w", fettle.ErrInvalid)
				return v, false, err
			}
			return v, false, nil // {{.Names}} means something to others
		}
		if err != nil || text.Plain() {
			return v, false, err
		}
		out, err = fill(text)
		return out, true, err
	case []any:
		list := slices.Clone(v)
		for i := range list {
			one, did, err := FillRemedy(action, key, list[i], fill)
			if err != nil {
				return v, filled, err
			}
			list[i], filled = one, filled || did
		}
		return list, filled, nil
	}
	return value, false, nil
}

// shellReads tells whether an input is the text of a command line or a script.
func shellReads(action, key string) bool {
	return action == "shell.run" && key == "command" || action == "shell.script" && key == "script"
}
