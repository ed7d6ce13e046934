package actions

import (
	"context"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v4/host"

	fettle "github.com/fettle-dev/fettle"
)

// checkUptime tells for how long the system has been up, and holds that to -w and -c: ranges of seconds, such as "600:" to hear of a restart.
// Without them it is always OK: neither a short nor a long time is bad in itself.
func checkUptime(ctx context.Context, args []string) (fettle.CheckOutput, error) {
	o := newOptions("check_uptime")
	if err := o.read(args); err != nil {
		return fettle.CheckOutput{}, err
	}
	l, err := parseLimits(o.warning, o.critical, "", "")
	if err != nil {
		return fettle.CheckOutput{}, err
	}
	seconds, err := host.UptimeWithContext(ctx)
	if err != nil {
		return fettle.CheckOutput{}, fmt.Errorf("read the uptime: %w", err)
	}
	return uptimeOutput(float64(seconds), l), nil
}

func uptimeOutput(seconds float64, l limits) fettle.CheckOutput {
	code := l.code(seconds)
	up := time.Duration(seconds) * time.Second
	p := l.perf("uptime", seconds, "s")
	p.Min = new(float64)
	return fettle.CheckOutput{
		Code:     code,
		Line:     fmt.Sprintf("UPTIME %s - up %d days, %02d:%02d", statusWord(code), int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60),
		Perfdata: []fettle.Perf{p},
	}
}
