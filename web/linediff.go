package web

import (
	"slices"
	"strings"
)

// diffLine is one line of what has changed: Sign is "+", "-" or a blank.
type diffLine struct {
	Sign, Text string
}

// mostDiffed bounds the lines of either side that are compared one by one; past that all are shown as changed.
const mostDiffed = 400

// diffLines tells how a text becomes another, line by line; nothing where it is the same.
func diffLines(was, is string) []diffLine {
	if was == is {
		return nil
	}
	a, b := linesOf(was), linesOf(is)
	if len(a) > mostDiffed || len(b) > mostDiffed {
		return append(signed("-", a[:min(len(a), mostDiffed)]), signed("+", b[:min(len(b), mostDiffed)])...)
	}
	common := make([][]int, len(a)+1) // the longest common part of a[i:] and b[k:]
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for k := len(b) - 1; k >= 0; k-- {
			if common[i][k] = max(common[i+1][k], common[i][k+1]); a[i] == b[k] {
				common[i][k] = common[i+1][k+1] + 1
			}
		}
	}
	var out []diffLine
	i, k := 0, 0
	for i < len(a) && k < len(b) {
		switch {
		case a[i] == b[k]:
			out = append(out, diffLine{" ", a[i]})
			i, k = i+1, k+1
		case common[i+1][k] >= common[i][k+1]:
			out = append(out, diffLine{"-", a[i]})
			i++
		default:
			out = append(out, diffLine{"+", b[k]})
			k++
		}
	}
	return append(out, append(signed("-", a[i:]), signed("+", b[k:])...)...)
}

func signed(sign string, lines []string) (out []diffLine) {
	for _, line := range lines {
		out = append(out, diffLine{sign, line})
	}
	return slices.Clip(out)
}

func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
