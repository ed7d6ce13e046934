package facts

import (
	"math"
	"strconv"
	"strings"
)

// object is a JSON object of facts.
type object = map[string]any

// set puts value under key, unless the value says nothing: an empty string, an empty list or an empty object is an absent fact.
func set(o object, key string, value any) {
	switch v := value.(type) {
	case string:
		if v == "" {
			return
		}
	case []any:
		if len(v) == 0 {
			return
		}
	case object:
		if len(v) == 0 {
			return
		}
	}
	o[key] = value
}

// humanBytes writes a size as facter does: "0 bytes", "4.00 KiB", "23.54 GiB".
func humanBytes(n uint64) string {
	if n < 1024 {
		return strconv.FormatUint(n, 10) + " bytes"
	}
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	value, unit := float64(n)/1024, 0
	for round2(value) >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return strconv.FormatFloat(round2(value), 'f', 2, 64) + " " + units[unit]
}

func round2(f float64) float64 { return math.Round(f*100) / 100 }

// humanHertz writes a frequency as facter does: "2.30 GHz". Zero is nothing.
func humanHertz(hz int64) string {
	if hz <= 0 {
		return ""
	}
	value, prefixes := float64(hz), []string{"", "k", "M", "G", "T"}
	i := 0
	for value >= 1000 && i < len(prefixes)-1 {
		value /= 1000
		i++
	}
	return strconv.FormatFloat(value, 'f', 2, 64) + " " + prefixes[i] + "Hz"
}

// percent writes used of total with two digits: "20.57%".
func percent(used, total uint64) string {
	return strconv.FormatFloat(float64(used)/float64(total)*100, 'f', 2, 64) + "%"
}

// diskPercent is percent with facter's exceptions for mounts: full is "100%", empty "0%".
func diskPercent(used, total uint64) string {
	switch {
	case used == total:
		return "100%"
	case used == 0:
		return "0%"
	}
	return percent(used, total)
}

// fields of "key<sep>value" lines, such as /proc/meminfo has; blanks around both are cut, and the first of two alike wins.
func pairs(text, sep string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, sep)
		key = strings.TrimSpace(key)
		if _, seen := out[key]; ok && key != "" && !seen {
			out[key] = strings.TrimSpace(value)
		}
	}
	return out
}

// list makes a JSON list of strings.
func list(words []string) []any {
	out := make([]any, len(words))
	for i, word := range words {
		out[i] = word
	}
	return out
}
