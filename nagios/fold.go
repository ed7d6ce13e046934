package nagios

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of what is folded in a name: more numbers than these, or longer ones, stay as they are.
const (
	maxNumbers = 4
	maxDigits  = 18
)

// Fold writes names as clush and nodeset do: web[01-16,18],db1. Names that differ in several numbers are folded in each of them where that
// loses nothing: rack[1-2]-web[01-16]. Doubled names count once. Unfold gives the same set back, sorted.
func Fold(names []fettle.NodeID) string {
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	groups := map[string][][]numbers{} // by the text around the numbers
	var texts []string
	for _, name := range names {
		text, row := splitName(string(name))
		if _, seen := groups[text]; !seen {
			texts = append(texts, text)
		}
		groups[text] = append(groups[text], row)
	}
	var out []string
	for _, text := range texts {
		rows := groups[text]
		for dim := len(rows[0]) - 1; dim >= 0; dim-- {
			rows = foldAlong(rows, dim)
		}
		for _, row := range rows {
			out = append(out, joinName(text, row))
		}
	}
	return strings.Join(out, ",")
}

// numbers is a set of numbers as they are written, at one place of a name.
type numbers []string

// splitName gives the text of name with \x00 for each number, and the numbers.
func splitName(name string) (text string, row []numbers) {
	var b strings.Builder
	for i := 0; i < len(name); {
		end := i
		for end < len(name) && isDigit(name[end]) {
			end++
		}
		switch {
		case end == i:
			b.WriteByte(name[i])
			end++
		case end-i > maxDigits || len(row) == maxNumbers:
			b.WriteString(name[i:end])
		default:
			b.WriteByte(0)
			row = append(row, numbers{name[i:end]})
		}
		i = end
	}
	return b.String(), row
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// foldAlong joins the rows that differ in nothing but their numbers at dim.
func foldAlong(rows [][]numbers, dim int) [][]numbers {
	var out [][]numbers
	at := map[string]int{}
	for _, row := range rows {
		var key strings.Builder
		for i, set := range row {
			if i != dim {
				key.WriteString(strings.Join(set, ","))
			}
			key.WriteByte(';')
		}
		if i, ok := at[key.String()]; ok {
			out[i][dim] = append(out[i][dim], row[dim]...)
			continue
		}
		at[key.String()] = len(out)
		out = append(out, row)
	}
	return out
}

func joinName(text string, row []numbers) string {
	parts := strings.Split(text, "\x00")
	var b strings.Builder
	b.WriteString(parts[0])
	for i, set := range row {
		if len(set) == 1 {
			b.WriteString(set[0])
		} else {
			b.WriteString("[" + ranges(set) + "]")
		}
		b.WriteString(parts[i+1])
	}
	return b.String()
}

// ranges writes a set of numbers: 1-3,5. Numbers with leading zeros are ranged among those of their width only: 01-16.
func ranges(set numbers) string {
	padded := map[int]bool{} // widths at which some number has a leading zero
	for _, s := range set {
		if len(s) > 1 && s[0] == '0' {
			padded[len(s)] = true
		}
	}
	width := func(s string) int { // 0: not padded
		if padded[len(s)] {
			return len(s)
		}
		return 0
	}
	slices.SortFunc(set, func(a, b string) int {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	var out []string
	for i := 0; i < len(set); {
		end := i + 1
		for end < len(set) && width(set[end]) == width(set[i]) && value(set[end]) == value(set[end-1])+1 {
			end++
		}
		if end-i == 1 {
			out = append(out, set[i])
		} else {
			out = append(out, set[i]+"-"+set[end-1])
		}
		i = end
	}
	return strings.Join(out, ",")
}

// value gives the number that at most maxDigits digits say.
func value(s string) uint64 {
	v, _ := strconv.ParseUint(s, 10, 64)
	return v
}
