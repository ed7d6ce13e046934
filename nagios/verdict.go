package nagios

import (
	"fmt"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// MaxPluginText is the number of bytes that Nagios keeps of a plugin's output, its closing zero left out.
const MaxPluginText = 8191

// What one node's output, and the line for the nodes that find no place, may take of it.
const (
	maxNodeText = 200
	maxRest     = 200
)

// FormatVerdict writes v as a plugin prints it, and gives the code to exit with. The first line is the one that users of check-mc-nrpe know:
//
//	check_load: OK: 41 WARNING: 1 CRITICAL: 0 UNKNOWN: 0|total=42 ok=41 warn=1 crit=0 unknown=0 checktime=0.0061
//
// When v has a reason, UNKNOWN and that reason stand before the '|' instead. Below come what is counted beside the four (silent, stale,
// undefined), whether v is settling, and the nodes of each bad state with the first line of their output; nodes with an output that are in no
// bad state are soft. The text has at most MaxPluginText bytes and no newline at its end: nodes that find no place are folded, then counted.
func FormatVerdict(v fettle.Verdict, took time.Duration) (text string, code fettle.CheckCode) {
	t := v.Tally
	head := fmt.Sprintf("OK: %d WARNING: %d CRITICAL: %d UNKNOWN: %d", t.OK, t.Warning, t.Critical, t.Unknown)
	if v.Reason != "" {
		head = "UNKNOWN: " + plain(v.Reason, 1000)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s|total=%d ok=%d warn=%d crit=%d unknown=%d checktime=%.4f", plain(v.Check, 255), head,
		t.Total, t.OK, t.Warning, t.Critical, t.Unknown, took.Seconds())
	if beside := besideLine(v); beside != "" {
		b.WriteString("\n" + beside)
	}
	all := sections(v)
	for i, s := range all {
		share := (MaxPluginText - b.Len()) / (len(all) - i)
		writeSection(&b, s, v.Output, b.Len()+share)
	}
	return b.String(), v.Status.Code()
}

// besideLine says what is counted beside OK, warning, critical and unknown: the silent and stale ones are among the unknown.
func besideLine(v fettle.Verdict) string {
	var parts []string
	for _, c := range []struct {
		n    int
		word string
	}{{v.Tally.Silent, "silent"}, {v.Tally.Stale, "stale"}, {v.Tally.Undefined, "undefined"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.word))
		}
	}
	if v.Settling {
		parts = append(parts, "settling: the server has just started, this is its last status")
	}
	return strings.Join(parts, ", ")
}

// section is a list of nodes under a title.
type section struct {
	title string
	nodes []fettle.NodeID
}

// sections gives the nodes of each bad state, the worst first.
func sections(v fettle.Verdict) []section {
	out := []section{
		{"CRITICAL", v.Nodes[fettle.CheckCritical]},
		{"WARNING", v.Nodes[fettle.CheckWarning]},
		{"UNKNOWN", v.Nodes[fettle.CheckUnknown]},
	}
	bad := map[fettle.NodeID]bool{}
	for _, s := range out {
		for _, n := range s.nodes {
			bad[n] = true
		}
	}
	soft := section{title: "SOFT"}
	for n := range v.Output {
		if !bad[n] {
			soft.nodes = append(soft.nodes, n)
		}
	}
	slices.Sort(soft.nodes)
	return slices.DeleteFunc(append(out, soft), func(s section) bool { return len(s.nodes) == 0 })
}

// writeSection writes a node a line as long as b stays below limit, then the rest of them in one line.
func writeSection(b *strings.Builder, s section, output map[fettle.NodeID]string, limit int) {
	b.WriteString("\n" + s.title + ":")
	for i, node := range s.nodes {
		line := "\n   " + string(node)
		if text := plain(output[node], maxNodeText); text != "" {
			line += ": " + text
		}
		if b.Len()+len(line)+maxRest > limit {
			b.WriteString("\n   " + rest(s.nodes[i:]))
			return
		}
		b.WriteString(line)
	}
}

// rest gives a line of less than maxRest bytes for nodes that found no place.
func rest(nodes []fettle.NodeID) string {
	const shown = 1000 // more names than these never find a place, even folded
	text := fmt.Sprintf("and %d more: %s", len(nodes), Fold(nodes[:min(len(nodes), shown)]))
	if len(nodes) > shown {
		text += "…"
	}
	return cut(text, maxRest-10)
}

// plain gives at most limit bytes of s in one line, without the '|' that would begin perfdata.
func plain(s string, limit int) string {
	s = strings.NewReplacer("|", "/", "\n", " ", "\r", " ").Replace(strings.ToValidUTF8(s, "�"))
	return strings.TrimSpace(cut(s, limit))
}
