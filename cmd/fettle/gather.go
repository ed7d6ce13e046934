package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server/api/client"
)

// gathered is one answer, and the nodes that gave it.
type gathered struct {
	rank  int // the worst first
	text  string
	nodes []fettle.NodeID
}

// Ranks of answers: what a person has to see stands first.
const (
	rankFailed = iota
	rankSilent
	rankNever
	rankCritical
	rankUnknown
	rankWarning
	rankPending
	rankOK
)

// manyAnswers is from how many different answers on successes are summed up: a person looks for what is wrong.
const manyAnswers = 12

// rankOf is how bad an answer is: the action may have worked, and what it found may be bad all the same.
func rankOf(res client.ResultItem) int {
	if res.Status != fettle.StatusOK {
		return rankFailed
	}
	if res.Output == nil {
		return rankOK
	}
	switch res.Output.Code.Status() {
	case fettle.CheckOK:
		return rankOK
	case fettle.CheckWarning:
		return rankWarning
	case fettle.CheckCritical:
		return rankCritical
	}
	return rankUnknown
}

// gather puts nodes with the same answer together: the worst first, and of those the rare ones.
func gather(manifest plugins.Action, results []client.ResultItem) []*gathered {
	groups := map[string]*gathered{}
	for _, res := range results {
		text := answerText(manifest, res)
		key := strconv.Itoa(rankOf(res)) + "\x00" + text
		if groups[key] == nil {
			groups[key] = &gathered{rank: rankOf(res), text: text}
		}
		groups[key].nodes = append(groups[key].nodes, res.Node)
	}
	return inOrder(slices.Collect(maps.Values(groups)))
}

func inOrder(groups []*gathered) []*gathered {
	slices.SortFunc(groups, func(x, y *gathered) int {
		return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(len(x.nodes), len(y.nodes)), cmp.Compare(x.nodes[0], y.nodes[0]), cmp.Compare(x.text, y.text))
	})
	return groups
}

// summedUp puts one line in the place of successes that say many different things.
func summedUp(ordered []*gathered) []*gathered {
	fine := slices.IndexFunc(ordered, func(g *gathered) bool { return g.rank == rankOK })
	if fine < 0 || len(ordered)-fine <= manyAnswers {
		return ordered
	}
	sum := &gathered{rank: rankOK, text: fmt.Sprintf("OK, with %d different answers; --table lists them", len(ordered)-fine)}
	for _, g := range ordered[fine:] {
		sum.nodes = append(sum.nodes, g.nodes...)
	}
	slices.Sort(sum.nodes)
	return append(ordered[:fine], sum)
}

// printAnswers prints one answer under the names that gave it; what is short stands beside a single name.
func (a *app) printAnswers(g *gathered) {
	colour := map[int]string{rankOK: green, rankWarning: yellow, rankPending: yellow}[g.rank]
	if colour == "" {
		colour = red
	}
	lines := strings.Split(strings.TrimRight(g.text, "\n"), "\n")
	head := nagios.Fold(g.nodes)
	if g.rank == rankOK {
		head = shortNames(g.nodes, cmp.Or(a.width, pipeWidth))
	}
	if len(g.nodes) == 1 && len(lines) == 1 {
		fmt.Fprintf(a.stdout, "%s  %s\n", a.paint(colour, head), clean(lines[0]))
		return
	}
	if len(g.nodes) > 1 {
		head += fmt.Sprintf(" (%d)", len(g.nodes))
	}
	fmt.Fprintln(a.stdout, a.paint(colour, head))
	for _, line := range lines {
		fmt.Fprintf(a.stdout, "  %s\n", clean(line))
	}
}

// pipeWidth is how wide a line of names may become where nobody's terminal says it.
const pipeWidth = 120

// shortNames folds the names of nodes of which nothing bad is to be told: as many of them as fit into the width, and how many there are beside.
func shortNames(nodes []fettle.NodeID, width int) string {
	const count = len(" (100000)")
	if all := nagios.Fold(nodes); len(all)+count <= width {
		return all
	}
	few := func(n int) string { return fmt.Sprintf("%s and %d more", nagios.Fold(nodes[:n]), len(nodes)-n) }
	n, most := 1, len(nodes)-1 // the text grows with n, near enough
	for n < most {
		if mid := (n + most + 1) / 2; len(few(mid))+count <= width {
			n = mid
		} else {
			most = mid - 1
		}
	}
	return few(n)
}

// answerText is what a node's answer says, without what differs by nature from node to node.
func answerText(manifest plugins.Action, res client.ResultItem) string {
	text := message(res)
	if res.Output != nil && res.Output.Long != "" {
		text += "\n" + res.Output.Long
	}
	if res.Output == nil {
		text += dataText(manifest, res)
	}
	return strings.TrimPrefix(text, "OK\n") // what it found says that it worked
}

func message(res client.ResultItem) string {
	switch {
	case res.Output != nil:
		word := strings.ToUpper(string(res.Output.Code.Status()))
		if strings.Contains(res.Output.Line, word) {
			return res.Output.Line // most plugins say it themselves
		}
		return word + ": " + res.Output.Line
	case res.Status == fettle.StatusOK:
		return cmp.Or(res.Message, "OK")
	case res.Message == "":
		return res.Status.String()
	}
	return fmt.Sprintf("%s: %s", res.Status, res.Message)
}
