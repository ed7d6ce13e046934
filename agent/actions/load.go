package actions

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/shirou/gopsutil/v4/load"

	fettle "github.com/fettle-dev/fettle"
)

// Thresholds of check_load for one processor, over 1, 5 and 15 minutes: a machine that has this much to do for each of them makes people wait.
const (
	loadWarning  = "4,3,2"
	loadCritical = "8,6,4"
)

// checkLoad holds the load averages to -w and -c: one range or three, for 1, 5 and 15 minutes. With -r they are for one processor; the defaults
// are. What is said and measured is the load of the whole machine.
func checkLoad(ctx context.Context, args []string) (fettle.CheckOutput, error) {
	o := newOptions("check_load")
	perCPU := o.Bool("r", false, "thresholds are for one processor")
	if err := o.read(args); err != nil {
		return fettle.CheckOutput{}, err
	}
	if o.warning == "" && o.critical == "" {
		*perCPU = true
	}
	all, err := loadLimits(o.warning, o.critical)
	if err != nil {
		return fettle.CheckOutput{}, err
	}
	avg, err := load.AvgWithContext(ctx)
	if err != nil {
		return fettle.CheckOutput{}, fmt.Errorf("read the load: %w", err)
	}
	cpus := 1.0
	if *perCPU {
		cpus = float64(runtime.NumCPU())
	}
	return loadOutput([3]float64{avg.Load1, avg.Load5, avg.Load15}, all, cpus), nil
}

func loadOutput(loads [3]float64, all [3]limits, cpus float64) fettle.CheckOutput {
	out := fettle.CheckOutput{}
	for i, name := range []string{"load1", "load5", "load15"} {
		l := all[i].scaled(cpus)
		out.Code = max(out.Code, l.code(loads[i]))
		p := l.perf(name, loads[i], "")
		p.Min = new(float64)
		out.Perfdata = append(out.Perfdata, p)
	}
	out.Line = fmt.Sprintf("LOAD %s - load average: %.2f, %.2f, %.2f", statusWord(out.Code), loads[0], loads[1], loads[2])
	return out
}

// loadLimits reads the thresholds for 1, 5 and 15 minutes. One range stands for all three.
func loadLimits(warning, critical string) (all [3]limits, err error) {
	if warning == "" && critical == "" {
		warning, critical = loadWarning, loadCritical
	}
	w, err := three(warning)
	if err != nil {
		return all, err
	}
	c, err := three(critical)
	if err != nil {
		return all, err
	}
	for i := range all {
		if all[i], err = parseLimits(w[i], c[i], "", ""); err != nil {
			return all, err
		}
	}
	return all, nil
}

func three(text string) ([3]string, error) {
	parts := strings.Split(text, ",")
	switch len(parts) {
	case 1:
		return [3]string{parts[0], parts[0], parts[0]}, nil
	case 3:
		return [3]string(parts), nil
	}
	return [3]string{}, fmt.Errorf("threshold %q: one range is wanted, or three: %w", text, fettle.ErrInvalid)
}
