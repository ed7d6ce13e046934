package facts

import (
	"math"
	"strconv"
	"strings"
)

// memory gives memory.system and, where there is swap, memory.swap.
func (m *machine) memory() (object, error) {
	sizes := parseMeminfo(m.read("/proc/meminfo"))
	out := object{}
	if total := sizes["MemTotal"]; total > 0 {
		available, known := sizes["MemAvailable"]
		if !known { // kernels before 3.14
			available = sizes["MemFree"] + sizes["Buffers"] + sizes["Cached"]
		}
		out["system"] = memoryFacts(total, available)
	}
	if total := sizes["SwapTotal"]; total > 0 {
		out["swap"] = memoryFacts(total, sizes["SwapFree"])
	}
	facts := object{}
	set(facts, "memory", out)
	return facts, nil
}

// memoryFacts gives sizes in bytes and for people, and how full it is.
func memoryFacts(total, available uint64) object {
	available = min(available, total)
	used := total - available
	return object{
		"total": humanBytes(total), "total_bytes": count(total),
		"available": humanBytes(available), "available_bytes": count(available),
		"used": humanBytes(used), "used_bytes": count(used),
		"capacity": percent(used, total),
	}
}

// parseMeminfo reads /proc/meminfo into bytes.
func parseMeminfo(text string) map[string]uint64 {
	sizes := map[string]uint64{}
	for key, value := range pairs(text, ":") {
		number, _ := strings.CutSuffix(value, " kB")
		if n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 53); err == nil {
			sizes[key] = n * 1024
		}
	}
	return sizes
}

// count gives n as a fact: an int64 wherever it fits one.
func count(n uint64) any {
	if n > math.MaxInt64 {
		return n
	}
	return int64(n)
}
