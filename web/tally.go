package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// part is one colour of a bar, and its words.
type part struct {
	Class string // as .mark has it: critical, unknown, stale, warning, silenced, shadowed, ok
	Word  string
	Count int
	X, W  string // where it begins and how wide it is, in percent
}

// tallyBar is counts as a bar, the worst first. The parts add up to the total.
type tallyBar struct {
	Total int
	Parts []part
	Aside []string // what stands beside the total, or is told of within it
}

// leastShare is how wide, in percent, a part is drawn at least: one critical node of ten thousand has to be seen.
const leastShare = 2.5

// checkBar gives the bar of a check's tally. Silent nodes are unknown, and told of beside.
func checkBar(t fettle.CheckTally) tallyBar {
	b := tallyBar{Total: t.Total}
	b.fill([]part{
		{Class: "critical", Word: "critical", Count: t.Critical},
		{Class: "unknown", Word: "unknown", Count: t.Unknown - min(t.Unknown, t.Stale)},
		{Class: "stale", Word: "stale", Count: min(t.Unknown, t.Stale)},
		{Class: "warning", Word: "warning", Count: t.Warning},
		{Class: "silenced", Word: "silenced", Count: t.Silenced},
		{Class: "shadowed", Word: "shadowed", Count: t.Shadowed},
		{Class: "ok", Word: "ok", Count: t.OK},
	})
	for _, aside := range []struct {
		n    int
		word string
	}{{t.Silent, "silent"}, {t.Flapping, "flapping"}, {t.Undefined, "undefined"}} {
		if aside.n > 0 {
			b.Aside = append(b.Aside, thousands(aside.n)+" "+aside.word)
		}
	}
	return b
}

// runBar gives the bar of a run's tally.
func runBar(t fettle.Tally) tallyBar {
	b := tallyBar{Total: t.Roster}
	b.fill([]part{
		{Class: "critical", Word: "failed", Count: t.Failed},
		{Class: "silent", Word: "silent", Count: t.Silent},
		{Class: "never", Word: "never asked", Count: t.Never},
		{Class: "ok", Word: "ok", Count: t.OK},
		{Class: "pending", Word: "pending", Count: t.Pending},
	})
	return b
}

// fill lays out the parts that have something in them. Those that would be too narrow to see take from the widest.
func (b *tallyBar) fill(parts []part) {
	b.Parts = slices.DeleteFunc(parts, func(p part) bool { return p.Count <= 0 })
	if b.Total <= 0 || len(b.Parts) == 0 {
		return
	}
	widths, widest, sum := make([]float64, len(b.Parts)), 0, 0.0
	for i, p := range b.Parts {
		widths[i] = max(leastShare, 100*float64(p.Count)/float64(b.Total))
		if sum += widths[i]; widths[i] > widths[widest] {
			widest = i
		}
	}
	widths[widest] -= sum - 100
	at := 0.0
	for i := range b.Parts {
		b.Parts[i].X, b.Parts[i].W = percent(at), percent(widths[i])
		at += widths[i]
	}
}

func percent(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) + "%" }

// Said gives the bar in words.
func (b tallyBar) Said() string {
	var words []string
	for _, p := range b.Parts {
		words = append(words, thousands(p.Count)+" "+p.Word)
	}
	return strings.Join(words, ", ") + " of " + thousands(b.Total)
}

// Bounds of names that stand in a line: so many are folded, and the text is cut after so many characters.
const (
	foldedNames = 2000
	foldedLeast = 200 // and for a short line at least so many, or twice as many as it has characters
	foldedWide  = 110
)

// folded is nodes in one line: web[01-16],db1 and 12 more.
type folded struct {
	Text  string
	Count int
	More  int // nodes that Text leaves out
}

// Parts gives the text in parts between which a line may break: behind the commas that stand in no brackets.
func (f folded) Parts() (parts []string) {
	begin, depth := 0, 0
	for i, r := range f.Text {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		case ',':
			if depth == 0 {
				parts, begin = append(parts, f.Text[begin:i+1]), i+1
			}
		}
	}
	return append(parts, f.Text[begin:])
}

// fold writes nodes in one line of about wide characters.
func fold(ids []fettle.NodeID, wide int) folded {
	f := folded{Count: len(ids)}
	shown := ids[:min(len(ids), foldedNames, max(foldedLeast, 2*wide))]
	text := server.FoldNames(shown)
	if len(text) > wide {
		if at := strings.LastIndex(text[:wide], ","); at > 0 && strings.Count(text[:at], "[") == strings.Count(text[:at], "]") {
			text = text[:at]
		} else {
			text = cut(text, wide)
		}
		f.Text = text + ", …"
		return f
	}
	f.Text, f.More = text, len(ids)-len(shown)
	return f
}

// plural counts things in words.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%s %s", thousands(n), many)
}
