package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fettle-dev/fettle/server/api/client"
)

// valuesListing is the values of one fact.
func valuesListing(list *client.ValueList) listing {
	l := listing{columns: []string{"VALUE", "NODES"}, object: list, footer: valuesFooter(list)}
	for _, v := range list.Values {
		l.rows = append(l.rows, []string{plainValue(v.Value), strconv.FormatInt(v.Count, 10)})
		l.lines = append(l.lines, v)
	}
	return l
}

// valuesFooter says for people what a table of values does not.
func valuesFooter(list *client.ValueList) string {
	var lines []string
	if list.More != nil {
		lines = append(lines, plural(int(*list.More), "more value"))
	}
	if list.Missing > 0 {
		lines = append(lines, plural(int(list.Missing), "node")+" without it")
	}
	if n := list.Numbers; n != nil {
		lines = append(lines, fmt.Sprintf("numbers: min %s, p50 %s, p95 %s, max %s, mean %s", number(n.Min), number(n.P50), number(n.P95), number(n.Max), number(n.Mean)))
	}
	return strings.Join(lines, "\n")
}

// numbersListing is what the numbers among the values of a fact sum up to: one row, or none.
func numbersListing(list *client.ValueList) listing {
	l := listing{columns: []string{"NODES", "MIN", "P50", "P95", "MAX", "SUM", "MEAN"}, object: list, lines: []any{list}}
	if n := list.Numbers; n != nil {
		l.rows = [][]string{{strconv.FormatInt(n.Count, 10), number(n.Min), number(n.P50), number(n.P95), number(n.Max), number(n.Sum), number(n.Mean)}}
	}
	return l
}

// number writes a number without an exponent, and a mean not longer than a person reads it.
func number(x float64) string {
	if text := strconv.FormatFloat(x, 'f', -1, 64); len(text) <= 12 || !strings.Contains(text, ".") {
		return text
	}
	return strconv.FormatFloat(x, 'f', 3, 64)
}

// maxAcross is how many values of a second fact stand side by side in a table; more of them stand below one another.
const maxAcross = 8

// byListing is the values of one fact against those of a second.
func (a *app) byListing(list *client.ValueList) listing {
	across := byValues(list)
	if a.output == "table" && len(across) <= maxAcross {
		return acrossListing(list, across)
	}
	l := listing{columns: []string{"VALUE", strings.ToUpper(*list.By), "NODES"}, object: list, footer: valuesFooter(list)}
	for _, v := range list.Values {
		for _, second := range v.By {
			l.rows = append(l.rows, []string{plainValue(v.Value), bySecond(second), strconv.FormatInt(second.Count, 10)})
		}
		l.lines, l.names = append(l.lines, v), append(l.names, plainValue(v.Value))
	}
	return l
}

// acrossListing has a column for each value of the second fact.
func acrossListing(list *client.ValueList, across []string) listing {
	l := listing{columns: append(append([]string{"VALUE"}, across...), "NODES"), footer: valuesFooter(list)}
	for _, v := range list.Values {
		row := make([]string, len(across)+2)
		row[0], row[len(across)+1] = plainValue(v.Value), strconv.FormatInt(v.Count, 10)
		for i := range across {
			row[i+1] = "0"
		}
		for _, second := range v.By {
			row[slices.Index(across, bySecond(second))+1] = strconv.FormatInt(second.Count, 10)
		}
		l.rows = append(l.rows, row)
	}
	return l
}

// byValues gives the values of the second fact, the most frequent first and those who lack it last.
func byValues(list *client.ValueList) []string {
	counts := map[string]int64{}
	for _, v := range list.Values {
		for _, second := range v.By {
			counts[bySecond(second)] += second.Count
		}
	}
	return slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		switch without {
		case a:
			return 1
		case b:
			return -1
		}
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
}

// without stands for nodes that lack the second fact.
const without = "(none)"

func bySecond(v client.ByCount) string {
	if text := plainValue(v.Value); string(v.Value) != "null" {
		return text
	}
	return without
}
