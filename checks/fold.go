package checks

import (
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// undefinedOutput is shown for a node that the check counts although its filter is undefined there.
const undefinedOutput = "the filter is undefined for this node"

// NodeState is a node that ought to have a state of a check.
type NodeState struct {
	Node   fettle.NodeID
	State  fettle.CheckState // zero: no result yet
	Silent bool
}

// Group is what Fold folds.
type Group struct {
	Check      fettle.Check
	Members    []NodeState
	Undefined  []fettle.NodeID // nodes for which the filter is undefined
	Thresholds Thresholds
	Now        fettle.Millis
}

// Fold folds many states into a verdict. A silent node is UNKNOWN, and so are a stale state and a member without one. Hard states are
// counted; the output of a member whose last result disagrees says so. Nodes for which the filter is undefined stand beside the total,
// unless the check says what to count them as.
func Fold(g Group) fettle.Verdict {
	f := newFolding(g.Check.Name)
	for _, m := range g.Members {
		s := standingOf(m.State, g.Check, m.Silent, g.Now)
		f.add(m.Node, s, outputOf(s, m.State, g.Check.Attempts))
	}
	f.addUndefined(g.Undefined, g.Check.Undefined)
	return f.verdict(g.Thresholds)
}

// LiveGroup is what FoldLive folds: the answers to a run that was made to ask a check now.
type LiveGroup struct {
	Check       string // its name
	Roster      []fettle.NodeID
	Results     []fettle.Result // of nodes in Roster; a node that has none is silent
	Undefined   []fettle.NodeID
	UndefinedAs fettle.CheckStatus // as Check.Undefined of the root package
	Thresholds  Thresholds
	Took        time.Duration
}

// FoldLive folds what came: every result counts at once.
func FoldLive(g LiveGroup) fettle.Verdict {
	results := make(map[fettle.NodeID]fettle.Result, len(g.Results))
	for _, r := range g.Results {
		results[r.Node] = r
	}
	f := newFolding(g.Check)
	for _, node := range g.Roster {
		r, answered := results[node]
		if !answered {
			f.add(node, silent, "silent: no answer")
			continue
		}
		s := standingFor(StatusOf(r))
		text := ""
		if s != ok {
			text = lineOf(r)
		}
		f.add(node, s, text)
	}
	f.addUndefined(g.Undefined, g.UndefinedAs)
	v := f.verdict(g.Thresholds)
	v.Live, v.TookMS = true, g.Took.Milliseconds()
	return v
}

// folding is a verdict in the making.
type folding struct{ v fettle.Verdict }

func newFolding(name string) *folding {
	return &folding{fettle.Verdict{Check: name, Kind: fettle.KindCheck, Nodes: map[fettle.CheckStatus][]fettle.NodeID{}, Output: map[fettle.NodeID]string{}}}
}

// add counts and lists a node; text is empty for one that is well.
func (f *folding) add(node fettle.NodeID, s standing, text string) {
	s.add(&f.v.Tally, 1)
	f.list(node, s, text)
}

func (f *folding) list(node fettle.NodeID, s standing, text string) {
	if status := s.status(); status != "" {
		f.v.Nodes[status] = append(f.v.Nodes[status], node)
	}
	if text != "" {
		f.v.Output[node] = text
	}
}

func (f *folding) addUndefined(nodes []fettle.NodeID, as fettle.CheckStatus) {
	s := undefinedAs(as)
	if s == undefined {
		s.add(&f.v.Tally, len(nodes))
		return
	}
	for _, node := range nodes {
		f.add(node, s, undefinedText(s))
	}
}

func undefinedText(s standing) string {
	if s.status() == "" {
		return ""
	}
	return undefinedOutput
}

func undefinedAs(as fettle.CheckStatus) standing {
	if as == "" {
		return undefined
	}
	return standingFor(as)
}

// verdict ends the folding.
func (f *folding) verdict(th Thresholds) fettle.Verdict {
	for _, nodes := range f.v.Nodes {
		slices.Sort(nodes)
	}
	f.v.Status, f.v.Reason = th.status(f.v.Tally)
	return f.v
}
