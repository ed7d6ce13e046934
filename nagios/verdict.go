package nagios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// MaxPluginText is the number of bytes that Nagios keeps of a plugin's output, its closing zero left out.
const MaxPluginText = 8191

// What one node's output, and the line for the nodes that find no place, may take of it.
const (
	maxNodeText    = 200
	maxRest        = 200
	maxFolded      = 400  // bytes of names that are folded into one line
	maxFoldedNames = 1000 // more names than these never find a place, even folded
	maxFoldLabel   = 60   // bytes of a label whose fold is shown
	maxSilences    = 3    // that are named
)

// FormatVerdict writes v as a plugin prints it, and gives the code to exit with. The first line is the one that users of check-mc-nrpe know:
//
//	check_load: OK: 41 WARNING: 1 CRITICAL: 0 UNKNOWN: 0|total=42 ok=41 warn=1 crit=0 unknown=0 checktime=0.0061 load1_avg=0.52 load1_max=9.1
//
// What silences and dependencies leave out is counted beside the four, where there is any. When v has a reason, UNKNOWN and that reason stand
// before the '|' instead. Below come what else is counted (silent, stale, undefined, flapping), whether v is settling, the members of a group, the
// values of a fact, and the nodes of each bad state: those whose plugins said the same in one line, their names folded. Nodes with an output that
// are in no bad state are soft. The text has at most MaxPluginText bytes and no newline at its end: what finds no place is counted.
func FormatVerdict(v fettle.Verdict, took time.Duration) (text string, code fettle.CheckCode) {
	t := v.Tally
	head := countsLine(t)
	if v.Reason != "" {
		head = strings.ToUpper(string(v.Status)) + ": " + plain(v.Reason, 1000)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s|%s", plain(v.Check, 255), head, verdictPerf(v, took))
	if beside := besideLine(v); beside != "" {
		b.WriteString("\n" + beside)
	}
	all := sections(v)
	for i, s := range all {
		share := (MaxPluginText - b.Len()) / (len(all) - i)
		writeSection(&b, s, b.Len()+share)
	}
	return b.String(), v.Status.Code()
}

func countsLine(t fettle.CheckTally) string {
	line := fmt.Sprintf("OK: %d WARNING: %d CRITICAL: %d UNKNOWN: %d", t.OK, t.Warning, t.Critical, t.Unknown)
	if t.Silenced > 0 {
		line += fmt.Sprintf(" SILENCED: %d", t.Silenced)
	}
	if t.Shadowed > 0 {
		line += fmt.Sprintf(" SHADOWED: %d", t.Shadowed)
	}
	return line
}

// verdictPerf gives the counts, and what the nodes' own perfdata come to.
func verdictPerf(v fettle.Verdict, took time.Duration) string {
	t := v.Tally
	text := fmt.Sprintf("total=%d ok=%d warn=%d crit=%d unknown=%d", t.Total, t.OK, t.Warning, t.Critical, t.Unknown)
	if t.Silenced+t.Shadowed > 0 {
		text += fmt.Sprintf(" silenced=%d shadowed=%d", t.Silenced, t.Shadowed)
	}
	text += fmt.Sprintf(" checktime=%.4f", took.Seconds())
	for _, p := range v.Perf {
		if len(p.Label) > maxFoldLabel {
			continue
		}
		text += " " + FormatPerfdata([]fettle.Perf{{Label: p.Label + "_avg", Unit: p.Unit, Value: short(p.Avg)}, {Label: p.Label + "_max", Unit: p.Unit, Value: short(p.Max)}})
	}
	return text
}

// short gives v with six digits: an average has no more to tell, and a line has only so much room.
func short(v float64) *float64 {
	s, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil {
		return &v
	}
	return &s
}

// besideLine says what is counted beside the four: the silent and stale ones are among the unknown; and which silences leave something out.
func besideLine(v fettle.Verdict) string {
	var parts []string
	for _, c := range []struct {
		n    int
		word string
	}{{v.Tally.Silent, "silent"}, {v.Tally.Stale, "stale"}, {v.Tally.Undefined, "undefined"}, {v.Tally.Flapping, "flapping"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.word))
		}
	}
	for i, s := range v.SilencedBy {
		if i == maxSilences {
			parts = append(parts, fmt.Sprintf("and %d more silences", len(v.SilencedBy)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%d silenced until %s by %s: %s", s.Nodes, s.Until.Time().Format(time.RFC3339), plain(s.Author, 40), plain(s.Reason, 100)))
	}
	if v.Settling {
		parts = append(parts, "settling: the server has just started, this is its last status")
	}
	return strings.Join(parts, ", ")
}

// section is lines under a title.
type section struct {
	title string
	lines []sectionLine
}

// sectionLine is a line, and what it is worth when it finds no place.
type sectionLine struct {
	text  string
	names []fettle.NodeID // nil: it is one thing
}

// sections gives the members, the values and the nodes of each bad state, the worst first.
func sections(v fettle.Verdict) []section {
	out := []section{{title: "MEMBERS"}, {title: "BY " + plain(v.ByFact, 200)}}
	for _, m := range v.Members {
		out[0].lines = append(out[0].lines, sectionLine{text: memberLine(m)})
	}
	for _, one := range v.By {
		out[1].lines = append(out[1].lines, sectionLine{text: plain(one.Value, 100) + ": " + statusLine(one.Status, one.Tally, one.Reason)})
	}
	if v.ByMore > 0 {
		out[1].lines = append(out[1].lines, sectionLine{text: fmt.Sprintf("and %d more values", v.ByMore)})
	}
	named := map[fettle.NodeID]bool{}
	for _, s := range []struct {
		title string
		nodes []fettle.NodeID
	}{
		{"CRITICAL", v.Nodes[fettle.CheckCritical]},
		{"WARNING", v.Nodes[fettle.CheckWarning]},
		{"UNKNOWN", v.Nodes[fettle.CheckUnknown]},
		{"SILENCED", v.Silenced},
		{"SHADOWED", v.Shadowed},
	} {
		out = append(out, section{s.title, gather(s.nodes, v.Output)})
		for _, n := range s.nodes {
			named[n] = true
		}
	}
	var soft []fettle.NodeID
	for n := range v.Output {
		if !named[n] {
			soft = append(soft, n)
		}
	}
	slices.Sort(soft)
	out = append(out, section{"SOFT", gather(soft, v.Output)})
	return slices.DeleteFunc(out, func(s section) bool { return len(s.lines) == 0 })
}

func memberLine(m fettle.VerdictMember) string {
	name := m.Name
	if m.Filter != "" {
		name = strings.TrimSpace(name + " where " + string(m.Filter))
	}
	return plain(name, maxNodeText) + ": " + statusLine(m.Status, m.Tally, m.Reason)
}

func statusLine(s fettle.CheckStatus, t fettle.CheckTally, reason string) string {
	text := countsLine(t)
	if reason != "" {
		text = plain(reason, maxNodeText)
	}
	return strings.ToUpper(string(s)) + " (" + text + ")"
}

// gather gives a line for each output, with all nodes that have it: in the order of their first nodes.
func gather(nodes []fettle.NodeID, output map[fettle.NodeID]string) []sectionLine {
	var order []string
	same := map[string][]fettle.NodeID{}
	for _, node := range nodes {
		text := plain(output[node], maxNodeText)
		if same[text] == nil {
			order = append(order, text)
		}
		same[text] = append(same[text], node)
	}
	lines := make([]sectionLine, 0, len(order))
	for _, text := range order {
		names := foldBounded(same[text], maxFolded)
		if text != "" {
			names += ": " + text
		}
		lines = append(lines, sectionLine{names, same[text]})
	}
	return lines
}

// foldBounded folds names, and counts those that find no place in limit bytes.
func foldBounded(names []fettle.NodeID, limit int) string {
	if len(names) == 1 {
		return string(names[0])
	}
	for shown := min(len(names), maxFoldedNames); shown > 0; shown /= 2 {
		text := Fold(names[:shown])
		if len(text) > limit && shown > 1 {
			continue
		}
		if text = cut(text, limit); shown < len(names) {
			text += fmt.Sprintf(" and %d more", len(names)-shown)
		}
		return text
	}
	return ""
}

// writeSection writes lines as long as b stays below limit, then how many nodes, or lines, are left.
func writeSection(b *strings.Builder, s section, limit int) {
	b.WriteString("\n" + s.title + ":")
	for i, line := range s.lines {
		text := "\n   " + line.text
		if b.Len()+len(text)+maxRest > limit {
			b.WriteString("\n   " + rest(s.lines[i:]))
			return
		}
		b.WriteString(text)
	}
}

// rest gives a line of less than maxRest bytes for what found no place.
func rest(lines []sectionLine) string {
	var nodes []fettle.NodeID
	count := 0
	for _, line := range lines {
		count += max(1, len(line.names))
		if len(nodes) < maxFoldedNames {
			nodes = append(nodes, line.names...)
		}
	}
	text := fmt.Sprintf("… and %d more", count)
	if len(nodes) > 0 {
		text += ": " + Fold(nodes[:min(len(nodes), maxFoldedNames)])
	}
	return cut(text, maxRest-10)
}

// plain gives at most limit bytes of s in one line, without the '|' that would begin perfdata.
func plain(s string, limit int) string {
	s = strings.NewReplacer("|", "/", "\n", " ", "\r", " ").Replace(strings.ToValidUTF8(s, "�"))
	return strings.TrimSpace(cut(s, limit))
}
