package facts

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ticks a second of the times in /proc/PID/stat. The kernel shows every program this value, whatever its own is.
const ticks = 100

// basics gives the facts of one line each: load_averages, filesystems, fips_enabled, timezone and path.
func (m *machine) basics() (object, error) {
	out := object{}
	set(out, "load_averages", parseLoad(m.line("/proc/loadavg")))
	set(out, "filesystems", parseFilesystems(m.read("/proc/filesystems")))
	out["fips_enabled"] = m.line("/proc/sys/crypto/fips_enabled") == "1"
	set(out, "timezone", m.sys.zone(m.raw("/etc/localtime")))
	set(out, "path", m.sys.getenv("PATH"))
	return out, nil
}

// parseLoad reads /proc/loadavg: "0.25 0.09 0.02 1/123 4567".
func parseLoad(line string) object {
	fields := strings.Fields(line)
	out := object{}
	for i, span := range []string{"1m", "5m", "15m"} {
		if i >= len(fields) {
			return nil
		}
		load, err := strconv.ParseFloat(fields[i], 64)
		if err != nil || load != load || load > 1e9 || load < 0 {
			return nil
		}
		out[span] = load
	}
	return out
}

// parseFilesystems lists what /proc/filesystems knows that needs a device.
func parseFilesystems(text string) string {
	var names []string
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 1 && fields[0] != "fuseblk" {
			names = append(names, fields[0])
		}
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// uptime gives system_uptime: that of the machine, or inside docker that of the container's first process.
func (m *machine) uptime() (object, error) {
	first, _, _ := strings.Cut(m.line("/proc/uptime"), " ")
	up, ok := parseSeconds(first)
	if !ok {
		return nil, nil
	}
	if m.virtualization().name == "docker" {
		if began, ok := startOf(m.line("/proc/1/stat")); ok && began <= up {
			up -= began
		}
	}
	return object{"system_uptime": uptimeFacts(up)}, nil
}

// parseSeconds reads "12345.67" and cuts what is below a second.
func parseSeconds(s string) (int64, bool) {
	whole, _, _ := strings.Cut(s, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	return seconds, err == nil && seconds >= 0
}

// startOf reads from /proc/PID/stat when the process began, in seconds after the machine did. The name, in brackets, may hold anything.
func startOf(stat string) (int64, bool) {
	const starttime = 22 - 3 // proc(5), counted from the field after the name
	i := strings.LastIndexByte(stat, ')')
	if i < 0 {
		return 0, false
	}
	fields := strings.Fields(stat[i+1:])
	if len(fields) <= starttime {
		return 0, false
	}
	began, err := strconv.ParseInt(fields[starttime], 10, 64)
	return began / ticks, err == nil && began >= 0
}

// uptimeFacts gives days, hours and seconds, each of the whole time, and a text.
func uptimeFacts(seconds int64) object {
	hours := seconds / 3600
	days := hours / 24
	text := fmt.Sprintf("%d days", days)
	switch days {
	case 0:
		text = fmt.Sprintf("%d:%02d hours", hours, seconds/60%60)
	case 1:
		text = "1 day"
	}
	return object{"seconds": seconds, "hours": hours, "days": days, "uptime": text}
}

// identity gives the user that we run as.
func (m *machine) identity() (object, error) {
	who, err := m.sys.account()
	if err != nil {
		return nil, err
	}
	out := object{"privileged": who.privileged}
	set(out, "user", who.user)
	if who.uid >= 0 {
		out["uid"], out["gid"] = who.uid, who.gid
		set(out, "group", who.group)
	}
	return object{"identity": out}, nil
}
