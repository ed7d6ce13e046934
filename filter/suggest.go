package filter

import (
	"strings"

	"github.com/fettle-dev/fettle"
)

// Suggest adds to e what may have been meant, out of the fact paths that exist. It does nothing when e has a suggestion already, or when nothing
// is near.
func (e *Error) Suggest(known []fettle.Path) {
	if e.Suggestion != "" || e.Word == "" {
		return
	}
	if name := nearName(e.Word); name != "" {
		e.Suggestion = "did you mean " + name + "?"
		return
	}
	if p, ok := Nearest(strings.Split(e.Word, "."), known); ok {
		e.Suggestion = "did you mean " + FactCEL(p) + "?"
	}
}

// nearName gives the name of a node's environment that word may have been meant to begin with, with what follows it in word; empty: none is near.
func nearName(word string) string {
	head, rest, dotted := strings.Cut(word, ".")
	for _, name := range [...]string{"identity", "facts", "classes", "agent", "checks", "now", "pools", "labels", "liveness", "seen", "enrolled"} {
		if limit := min(2, len(name)/3); head == name || distance(strings.ToLower(head), name, limit) > limit {
			continue
		}
		if dotted {
			return name + "." + rest
		}
		return name
	}
	return ""
}

// Nearest gives the known path that p may have been meant to be: one that differs by a few letters, or one that ends in p.
func Nearest(p fettle.Path, known []fettle.Path) (fettle.Path, bool) {
	want := strings.ToLower(strings.Join(p, "."))
	limit := max(1, min(4, len(want)/4))
	var best fettle.Path
	least := limit + 1
	for _, k := range known {
		have := strings.ToLower(strings.Join(k, "."))
		d := distance(want, have, limit)
		if have != want && strings.HasSuffix(have, "."+want) {
			d = 1
		}
		if d < least || d == least && best != nil && len(k) < len(best) {
			best, least = k, d
		}
	}
	return best, best != nil
}

// distance gives the number of letters to insert, delete, replace or swap to make b of a; more than limit is limit+1.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) > limit || len(y)-len(x) > limit {
		return limit + 1
	}
	before, prev, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		least := i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
			least = min(least, row[j])
		}
		if least > limit {
			return limit + 1
		}
		before, prev, row = prev, row, before
	}
	return min(prev[len(y)], limit+1)
}
