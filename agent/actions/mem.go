package actions

import (
	"context"
	"fmt"
	"strings"

	"github.com/shirou/gopsutil/v4/mem"

	fettle "github.com/fettle-dev/fettle"
)

// Thresholds of check_mem, in percent of the memory that is not available to programs.
const (
	memWarning  = "90"
	memCritical = "95"
)

// checkMem holds the memory in use to -w and -c: ranges of percent. In use is what the kernel could not give to a program without swapping:
// caches do not count.
func checkMem(ctx context.Context, args []string) (fettle.CheckOutput, error) {
	o := newOptions("check_mem")
	if err := o.read(args); err != nil {
		return fettle.CheckOutput{}, err
	}
	l, err := parseLimits(strings.ReplaceAll(o.warning, "%", ""), strings.ReplaceAll(o.critical, "%", ""), memWarning, memCritical)
	if err != nil {
		return fettle.CheckOutput{}, err
	}
	m, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return fettle.CheckOutput{}, fmt.Errorf("read the memory: %w", err)
	}
	return memOutput(float64(m.Total), float64(m.Available), l)
}

func memOutput(total, available float64, l limits) (fettle.CheckOutput, error) {
	if total <= 0 {
		return fettle.CheckOutput{}, fmt.Errorf("the system tells of no memory: %w", fettle.ErrUnavailable)
	}
	used := max(total-available, 0)
	percent := 100 * used / total
	code := l.code(percent)
	p := l.scaled(total/100).whole().perf("used", used, "B")
	p.Min, p.Max = new(float64), &total
	return fettle.CheckOutput{
		Code: code,
		Line: fmt.Sprintf("MEMORY %s - %.1f%% used: %s of %s, %s available", statusWord(code), percent, bytesText(used), bytesText(total), bytesText(available)),
		Perfdata: []fettle.Perf{
			p,
			{Label: "available", Value: &available, Unit: "B", Min: new(float64), Max: &total},
			l.perf("used_percent", float64(int(percent*100))/100, "%"),
		},
	}, nil
}
