package actions

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// builtin is a check command that needs no child. It is given its options, of the spelling that the monitoring plugins have, and gives what
// such a plugin would print. An error that is ErrInvalid is about the options.
type builtin func(ctx context.Context, args []string) (fettle.CheckOutput, error)

// builtins are the check commands that a node answers when its NRPE configuration does not define them.
func builtins() map[string]builtin {
	return map[string]builtin{
		"check_load": checkLoad, "check_disk": checkDisk, "check_mem": checkMem, "check_procs": checkProcs, "check_uptime": checkUptime,
	}
}

func builtinNames() []string {
	return []string{"check_disk", "check_load", "check_mem", "check_procs", "check_uptime"}
}

// runBuiltin runs check for as long as ctx lasts. One that hangs (a file system that does not answer) is left behind.
func runBuiltin(ctx context.Context, name string, check builtin, args []string, limit time.Duration) Outcome {
	type answer struct {
		out fettle.CheckOutput
		err error
	}
	answers := make(chan answer, 1) // so that one that comes too late finds a place
	go func() {
		out, err := check(ctx, args)
		answers <- answer{out, err}
	}()
	select {
	case <-ctx.Done():
		out := ended(ctx, name, limit)
		out.Output = &fettle.CheckOutput{Code: fettle.CodeUnknown, Line: out.Message}
		return out
	case a := <-answers:
		return builtinOutcome(name, a.out, a.err)
	}
}

func builtinOutcome(name string, out fettle.CheckOutput, err error) Outcome {
	if err != nil {
		return unknown(statusOfBuiltin(err), fmt.Sprintf("%s: %v", name, err))
	}
	return Outcome{Message: out.Line, Output: &out, Data: map[string]any{
		"exitcode": int64(out.Code), "output": out.Line, "perfdata": nagios.FormatPerfdata(out.Perfdata),
	}}
}

// options are the options that all built-in checks have.
type options struct {
	*flag.FlagSet
	warning, critical string
}

func newOptions(name string) *options {
	o := &options{FlagSet: flag.NewFlagSet(name, flag.ContinueOnError)}
	o.SetOutput(io.Discard)
	for _, flagName := range []string{"w", "warning"} {
		o.StringVar(&o.warning, flagName, "", "warning threshold")
	}
	for _, flagName := range []string{"c", "critical"} {
		o.StringVar(&o.critical, flagName, "", "critical threshold")
	}
	return o
}

// read reads args; words that are no options are a fault.
func (o *options) read(args []string) error {
	if err := o.Parse(args); err != nil {
		return fmt.Errorf("%s: %w", strings.TrimPrefix(err.Error(), "flag: "), fettle.ErrInvalid)
	}
	if o.NArg() > 0 {
		return fmt.Errorf("%q is no option: %w", o.Arg(0), fettle.ErrInvalid)
	}
	return nil
}

// words is an option that may be given again and again.
type words []string

// String implements flag.Value.
func (w *words) String() string { return strings.Join(*w, ",") }

// Set implements flag.Value.
func (w *words) Set(s string) error {
	*w = append(*w, s)
	return nil
}

// limits are the two ranges of a value; nil: none.
type limits struct{ warning, critical *nagios.Range }

// parseLimits reads two ranges, each with its default when it is not given; an empty default stands for none.
func parseLimits(warning, critical, defaultWarning, defaultCritical string) (l limits, err error) {
	if warning == "" && critical == "" {
		warning, critical = defaultWarning, defaultCritical
	}
	if l.warning, err = parseLimit(warning); err != nil {
		return limits{}, fmt.Errorf("warning: %w", err)
	}
	if l.critical, err = parseLimit(critical); err != nil {
		return limits{}, fmt.Errorf("critical: %w", err)
	}
	return l, nil
}

func parseLimit(text string) (*nagios.Range, error) {
	if text == "" {
		return nil, nil
	}
	r, err := nagios.ParseRange(text)
	if err != nil {
		return nil, err
	}
	return &r, nil
}

// code holds v to the limits.
func (l limits) code(v float64) fettle.CheckCode {
	switch {
	case l.critical != nil && l.critical.Alert(v):
		return fettle.CodeCritical
	case l.warning != nil && l.warning.Alert(v):
		return fettle.CodeWarning
	}
	return fettle.CodeOK
}

// scaled gives the limits with their ends multiplied, as plain numbers.
func (l limits) scaled(by float64) limits {
	return limits{scaleRange(l.warning, by), scaleRange(l.critical, by)}
}

func scaleRange(r *nagios.Range, by float64) *nagios.Range {
	if r == nil {
		return nil
	}
	return &nagios.Range{Lo: scaleEnd(r.Lo, by), Hi: scaleEnd(r.Hi, by), Inside: r.Inside}
}

// scaleEnd leaves an end that is no end as it is, and rounds away what a person does not want to read.
func scaleEnd(v, by float64) float64 {
	if math.IsInf(v, 0) {
		return v
	}
	return math.Round(v*by*1000) / 1000
}

// whole gives the limits without fractions.
func (l limits) whole() limits { return limits{wholeRange(l.warning), wholeRange(l.critical)} }

func wholeRange(r *nagios.Range) *nagios.Range {
	if r == nil {
		return nil
	}
	return &nagios.Range{Lo: math.Floor(r.Lo), Hi: math.Floor(r.Hi), Inside: r.Inside}
}

// perf gives perfdata with the limits.
func (l limits) perf(label string, v float64, unit string) fettle.Perf {
	p := fettle.Perf{Label: label, Value: &v, Unit: unit}
	if l.warning != nil {
		p.Warn = l.warning.String()
	}
	if l.critical != nil {
		p.Crit = l.critical.String()
	}
	return p
}

// statusWord gives the word with which a plugin's line says how it is.
func statusWord(c fettle.CheckCode) string { return strings.ToUpper(string(c.Status())) }

// bytesText writes n bytes for a person.
func bytesText(n float64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%.0f B", n)
	}
	i := -1
	for n >= 1024 && i < len(units)-1 {
		n /= 1024
		i++
	}
	return fmt.Sprintf("%.1f %ciB", n, units[i])
}

// statusOfBuiltin gives the status of a built-in check that could not be done.
func statusOfBuiltin(err error) fettle.Status {
	if errors.Is(err, fettle.ErrInvalid) {
		return fettle.StatusInvalidInput
	}
	return fettle.StatusOther
}
