package actions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/process"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// Thresholds of check_procs, in percent of the processes that the kernel allows.
const (
	procsWarning  = "70%"
	procsCritical = "85%"
)

// defaultMaxProcs is taken where the kernel does not say how many processes it allows.
const defaultMaxProcs = 32768

// checkProcs counts processes and holds their number to -w and -c: ranges of a number, or of percent of the most that the kernel allows. With
// -C only those of that name are counted, with -s only those in one of these states (Linux: R S D Z T).
func checkProcs(ctx context.Context, args []string) (fettle.CheckOutput, error) {
	o := newOptions("check_procs")
	name := o.String("C", "", "name of the processes that are counted")
	states := o.String("s", "", "states of the processes that are counted")
	if err := o.read(args); err != nil {
		return fettle.CheckOutput{}, err
	}
	defaultWarning, defaultCritical := procsWarning, procsCritical
	if *name != "" {
		defaultWarning, defaultCritical = "", "1:"
	}
	l, err := parseLimits(o.warning, o.critical, defaultWarning, defaultCritical)
	if err != nil {
		return fettle.CheckOutput{}, err
	}
	procs, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return fettle.CheckOutput{}, fmt.Errorf("list the processes: %w", err)
	}
	count, zombies := 0, 0
	for _, p := range procs {
		is, zombie := countProc(ctx, p, *name, *states)
		if is {
			count++
		}
		if zombie {
			zombies++
		}
	}
	what := "processes"
	if *name != "" {
		what += " named " + *name
	}
	if *states != "" {
		what += " in state " + *states
	}
	return procsOutput(count, zombies, maxProcs(), what, l), nil
}

// countProc tells whether p is one of those that are asked for, and whether it is a zombie. One that has just ended is neither.
func countProc(ctx context.Context, p *process.Process, name, states string) (is, zombie bool) {
	status, err := p.StatusWithContext(ctx)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) && runtime.GOOS == "linux" {
		return false, false
	}
	zombie = slices.Contains(status, process.Zombie)
	if states != "" && !slices.ContainsFunc(status, func(s string) bool { return strings.Contains(states, stateLetter(s)) }) {
		return false, zombie
	}
	if name == "" {
		return true, zombie
	}
	own, err := p.NameWithContext(ctx)
	return err == nil && own == name, zombie
}

// stateLetter gives the letter that ps has for a state.
func stateLetter(status string) string {
	switch status {
	case process.Running:
		return "R"
	case process.Sleep:
		return "S"
	case process.Blocked:
		return "D"
	case process.Zombie:
		return "Z"
	case process.Stop:
		return "T"
	case process.Idle:
		return "I"
	}
	return "?"
}

func procsOutput(count, zombies, most int, what string, l limits) fettle.CheckOutput {
	code := fettle.CodeOK
	switch {
	case l.critical != nil && l.critical.AlertOf(count, most):
		code = fettle.CodeCritical
	case l.warning != nil && l.warning.AlertOf(count, most):
		code = fettle.CodeWarning
	}
	shown := limits{countRange(l.warning, most), countRange(l.critical, most)}
	p := shown.perf("procs", float64(count), "")
	p.Min = new(float64)
	z := float64(zombies)
	return fettle.CheckOutput{
		Code:     code,
		Line:     fmt.Sprintf("PROCS %s - %d %s, %d zombies", statusWord(code), count, what, zombies),
		Perfdata: []fettle.Perf{p, {Label: "zombies", Value: &z, Min: new(float64)}},
	}
}

// countRange gives r as a range of numbers, where it is one of percent.
func countRange(r *nagios.Range, most int) *nagios.Range {
	if r == nil || !r.Percent {
		return r
	}
	return wholeRange(scaleRange(r, float64(most)/100))
}

// maxProcs gives how many processes the kernel allows.
func maxProcs() int {
	text, err := os.ReadFile("/proc/sys/kernel/pid_max")
	if err != nil {
		return defaultMaxProcs
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n <= 0 {
		return defaultMaxProcs
	}
	return n
}
