package main

import (
	"fmt"
	"strings"
)

// didYouMean gives ", did you mean …?" for the nearest of names, or nothing where none is near.
func didYouMean(word string, names []string) string {
	best, least := "", len(word)/2+1
	for _, name := range names {
		d := distance(word, name)
		if strings.HasPrefix(name, word) {
			d = 1
		}
		if d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// distance is Levenshtein's: how many bytes have to be put in, taken out or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for k := range row {
		row[k] = k
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for k := range len(b) {
			cost := corner
			if a[i] != b[k] {
				cost++
			}
			corner = row[k+1]
			row[k+1] = min(cost, row[k]+1, corner+1)
		}
	}
	return row[len(b)]
}
