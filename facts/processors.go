package facts

import (
	"slices"
	"strconv"
	"strings"
)

// cpuDir holds a directory for each logical processor.
const cpuDir = "/sys/devices/system/cpu/"

// processors gives processors.*: count and models of logical processors, physicalcount of sockets, cores a socket and threads a core.
func (m *machine) processors() (object, error) {
	info := parseCPUInfo(m.read("/proc/cpuinfo"))
	if info.count == 0 {
		return nil, nil
	}
	layout := m.layout()
	out := object{"count": int64(info.count), "physicalcount": int64(either64(info.sockets, layout.sockets))}
	set(out, "models", list(info.models))
	set(out, "speed", humanHertz(info.hertz))
	set(out, "isa", isa(m.sys.hardware(), m.distro().id))
	if layout.cores > 0 {
		out["cores"], out["threads"] = int64(layout.cores), int64(layout.threads)
	}
	return object{"processors": out}, nil
}

func either64(a, b int) int {
	if a > 0 {
		return a
	}
	return b
}

// isa is what uname -p says: those who patched it name the hardware, and the others say unknown.
func isa(hardware, distro string) string {
	if slices.Contains([]string{"debian", "devuan", "raspbian", "arch", "manjaro", "alpine"}, distro) {
		return "unknown"
	}
	return hardware
}

// cpuInfo is what /proc/cpuinfo says.
type cpuInfo struct {
	count, sockets int
	models         []string
	hertz          int64 // of the processor that is listed last, in whole MHz
}

func parseCPUInfo(text string) cpuInfo {
	var info cpuInfo
	sockets := map[string]bool{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "processor":
			info.count++
		case "model name", "cpu":
			info.models = append(info.models, value)
		case "physical id":
			sockets[value] = true
		case "cpu MHz", "clock":
			if mhz, ok := parseSeconds(strings.TrimSuffix(value, "MHz")); ok && mhz < 1e9 {
				info.hertz = mhz * 1_000_000
			}
		}
	}
	info.sockets = len(sockets)
	return info
}

// layout is how logical processors lie in cores and sockets; zero: not known.
type layout struct{ sockets, cores, threads int }

// layout reads the topology of each processor that is on line.
func (m *machine) layout() layout {
	sockets, cores := map[string]bool{}, map[string]bool{}
	threads := 0
	for _, name := range m.names(cpuDir) {
		number, ok := strings.CutPrefix(name, "cpu")
		if _, err := strconv.Atoi(number); !ok || err != nil {
			continue
		}
		dir := cpuDir + name + "/topology/"
		socket := m.line(dir + "physical_package_id")
		siblings := either(m.line(dir+"core_cpus_list"), m.line(dir+"thread_siblings_list"))
		if socket == "" || siblings == "" {
			continue
		}
		sockets[socket], cores[siblings] = true, true
		threads = max(threads, countCPUs(siblings))
	}
	if len(sockets) == 0 {
		return layout{}
	}
	return layout{sockets: len(sockets), cores: len(cores) / len(sockets), threads: threads}
}

// countCPUs counts a list such as "0-3,8".
func countCPUs(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		low, high, ranged := strings.Cut(part, "-")
		a, err := strconv.ParseUint(low, 10, 16)
		if err != nil {
			return 0
		}
		b := a
		if ranged {
			if b, err = strconv.ParseUint(high, 10, 16); err != nil || b < a {
				return 0
			}
		}
		n += int(b-a) + 1
	}
	return n
}
