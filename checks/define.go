package checks

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// The actions by which nodes do what a definition's nrpe and command ask.
const (
	ActionNRPE    = "nrpe.check"
	ActionCommand = "check.command"
)

// Bounds of a definition.
const (
	MaxName     = 100
	maxCommand  = 8 << 10
	maxInterval = 31 * 24 * time.Hour
	maxAttempts = 1000
	maxLabels   = 32
	maxLabel    = 200
	maxDepends  = 16
	maxNotes    = 4000
	maxLink     = 2000
)

// What a flap threshold is where a definition leaves it open, in percent: those of Nagios.
const (
	DefaultFlapLow  = 20
	DefaultFlapHigh = 30
)

// Define gives what nodes are asked by d, with nothing left open and Filter in CEL, names of saved filters still in it. The error has a *fettle.Fault
// or, with its key before it, a *filter.Error for every fault of d.
func Define(d fettle.CheckDefinition) (fettle.Check, error) {
	v := definer{d: d, check: fettle.Check{
		Name: d.Name, Timeout: orSpan(d.Timeout, fettle.DefaultTimeout).Milliseconds(), Attempts: max(d.Attempts, 1), Retry: d.Retry.Milliseconds(), Rule: d.Rule, DependsOn: d.DependsOn,
		Fresh: d.Freshness.Milliseconds(), Undefined: d.Undefined, Rules: d.Verdict, Splay: d.Splay.Milliseconds(),
	}}
	if err := CheckName(d.Name); err != nil {
		v.bad("name", "%v", err)
	}
	v.task()
	v.nodes()
	v.times()
	v.flap()
	v.people()
	v.remedy()
	v.rule("rule", d.Rule)
	return v.check, errors.Join(v.faults...)
}

// CheckName tells whether name may be that of a check.
func CheckName(name string) error {
	if name == "" {
		return errors.New("a check needs a name")
	}
	within := func(r rune) bool { return r == '_' || r == '-' || r == '.' || r == ':' }
	plain := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' }
	for i, r := range name {
		if !plain(r) && (i == 0 || !within(r)) {
			return fmt.Errorf("%q is no name of a check: letters, digits, and _ - . : within", name)
		}
	}
	if len(name) > MaxName {
		return fmt.Errorf("%q… has %d bytes, and %d are allowed", name[:20], len(name), MaxName)
	}
	return nil
}

func orSpan(s fettle.Span, other time.Duration) fettle.Span {
	if s == 0 {
		return fettle.Span(other)
	}
	return s
}

// definer reads one definition.
type definer struct {
	d      fettle.CheckDefinition
	check  fettle.Check
	faults []error
}

func (v *definer) bad(key, format string, args ...any) {
	v.faults = append(v.faults, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
}

// task says what is asked.
func (v *definer) task() {
	var kinds []string
	for _, one := range []struct{ key, value string }{{"command", v.d.Command}, {"nrpe", v.d.NRPE}, {"action", v.d.Action}, {"expression", string(v.d.Expression)}} {
		if one.value != "" {
			kinds = append(kinds, one.key)
		}
	}
	switch {
	case len(kinds) == 0:
		v.bad("nrpe", "one of command, nrpe, action and expression is wanted: what is to be asked")
	case len(kinds) > 1:
		v.bad(kinds[1], "it stands beside %s, and only one of the two can be asked", kinds[0])
	}
	if len(v.d.Args) > 0 && v.d.NRPE == "" {
		v.bad("args", "they are for nrpe")
	}
	if len(v.d.Inputs) > 0 && v.d.Action == "" {
		v.bad("inputs", "they are for action")
	}
	if v.d.Verdict != nil && v.d.Action == "" && v.d.Expression == "" {
		v.bad("verdict", "it judges what action or expression gives; a plugin says itself what it means")
	}
	switch {
	case v.d.Command != "":
		if len(v.d.Command) > maxCommand || strings.ContainsRune(v.d.Command, 0) {
			v.bad("command", "it has more than %d bytes, or a byte that is zero", maxCommand)
		}
		v.check.Action, v.check.Inputs = ActionCommand, map[string]any{"command": v.d.Command}
	case v.d.NRPE != "":
		v.check.Action, v.check.Inputs = ActionNRPE, map[string]any{"command": v.d.NRPE}
		if len(v.d.Args) > 0 {
			v.check.Inputs["args"] = slices.Clone(v.d.Args)
		}
	case v.d.Action != "":
		v.check.Action, v.check.Inputs = v.d.Action, maps.Clone(v.d.Inputs)
	default:
		v.check.Expression = v.d.Expression
	}
	if _, err := NewJudge(v.check); err != nil {
		v.faults = append(v.faults, err)
	}
}

// nodes says which nodes are meant.
func (v *definer) nodes() {
	if v.d.Undefined != "" && v.d.Undefined != fettle.CheckUnknown {
		v.bad("undefined", "%q: only unknown may stand here", v.d.Undefined)
	}
	if v.d.Filter == "" {
		if v.d.NRPE == "" {
			v.bad("filter", `say which nodes have it; "true" for all`)
		}
		return
	}
	text, err := WrittenFilter(v.d.Filter)
	if err != nil {
		v.faults = append(v.faults, fmt.Errorf("filter: %w", err))
	}
	v.check.Filter = text
}

// WrittenFilter gives in CEL what a person wrote, in CEL or the short form. Names of saved filters stay in place.
func WrittenFilter(text fettle.Filter) (fettle.Filter, error) {
	_, err := filter.Compile(filter.Node, filter.Open(text))
	if err == nil {
		return text, nil
	}
	cel, shortErr := filter.Parse(text)
	if shortErr != nil {
		return "", err
	}
	_, err = filter.Compile(filter.Node, filter.Open(cel))
	return cel, err
}

// times says when it is asked.
func (v *definer) times() {
	interval := orSpan(v.d.Interval, DefaultInterval).Duration()
	if v.d.Cron != "" {
		if v.d.Interval != 0 {
			v.bad("cron", "it stands in the place of interval, not beside it")
		}
		longest, err := checkCron(v.d.Cron)
		if err != nil {
			v.faults = append(v.faults, err)
		}
		interval, v.check.Cron, v.check.Splay = longest, v.d.Cron, orSpan(v.d.Splay, cronSplay).Milliseconds()
	} else if interval < MinInterval || interval > maxInterval {
		v.bad("interval", "%s is not between %s and %s", v.d.Interval, MinInterval, fettle.Span(maxInterval))
	}
	v.check.Interval = interval.Milliseconds()
	if v.d.Splay.Duration() > max(interval, MinInterval) {
		v.bad("splay", "%s is above the interval", v.d.Splay)
	}
	if t := v.d.Timeout.Duration(); t != 0 && (t < time.Second || t > time.Hour) {
		v.bad("timeout", "%s is not between 1s and 1h", v.d.Timeout)
	}
	if v.d.Retry != 0 && v.d.Retry.Duration() < MinInterval {
		v.bad("retry", "%s is below %s", v.d.Retry, MinInterval)
	}
	if f := v.d.Freshness.Duration(); f != 0 && f <= interval {
		v.bad("freshness", "%s is not above the interval, so that every state would be stale", v.d.Freshness)
	}
	if v.d.Attempts < 0 || v.d.Attempts > maxAttempts {
		v.bad("attempts", "%d is not between 0 and %d", v.d.Attempts, maxAttempts)
	}
}

func (v *definer) flap() {
	f := fettle.Flap{}
	if v.d.Flap != nil {
		f = *v.d.Flap
	}
	if f.Off {
		return
	}
	if f.Low == 0 {
		f.Low = DefaultFlapLow
		if f.High != 0 {
			f.Low = min(f.Low, f.High-1)
		}
	}
	if f.High == 0 {
		f.High = max(DefaultFlapHigh, f.Low+1)
	}
	if f.Low < 0 || f.Low >= f.High || f.High > 100 {
		v.bad("flap", "low %d and high %d are percent, and low is below high", f.Low, f.High)
	}
	v.check.FlapLow, v.check.FlapHigh = f.Low, f.High
}

// people says what people are told.
func (v *definer) people() {
	if len(v.d.Notes) > maxNotes {
		v.bad("notes", "%d bytes, and %d are allowed", len(v.d.Notes), maxNotes)
	}
	if v.d.Runbook != "" {
		u, err := url.Parse(v.d.Runbook)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || len(v.d.Runbook) > maxLink {
			v.bad("runbook", "%q is no link, such as https://wiki.acme.net/disk", v.d.Runbook)
		}
	}
	if len(v.d.Labels) > maxLabels {
		v.bad("labels", "%d, and %d are allowed", len(v.d.Labels), maxLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(v.d.Labels)) {
		if !isLabel(key) || len(v.d.Labels[key]) > maxLabel {
			v.bad("labels."+key, "a label has letters, digits and _, and a value of at most %d bytes", maxLabel)
		}
	}
	if len(v.d.Owner) > MaxName {
		v.bad("owner", "%d bytes, and %d are allowed", len(v.d.Owner), MaxName)
	}
	if len(v.d.DependsOn) > maxDepends {
		v.bad("depends_on", "%d, and %d are allowed", len(v.d.DependsOn), maxDepends)
	}
	for i, name := range v.d.DependsOn {
		key := fmt.Sprintf("depends_on[%d]", i)
		if err := CheckName(name); err != nil {
			v.bad(key, "%v", err)
		} else if name == v.d.Name {
			v.bad(key, "a check cannot stand in its own shadow")
		} else if slices.Contains(v.d.DependsOn[:i], name) {
			v.bad(key, "%s is there twice", name)
		}
	}
}

// isLabel tells whether Prometheus takes name for a label.
func isLabel(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return name != "" && len(name) <= MaxName
}

// CheckPeople tells every fault of what people are told of a check or a group.
func CheckPeople(notes, runbook string, labels map[string]string) error {
	v := definer{d: fettle.CheckDefinition{Notes: notes, Runbook: runbook, Labels: labels}}
	v.people()
	return errors.Join(v.faults...)
}
