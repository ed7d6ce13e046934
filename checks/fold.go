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
	// By is the silence that leaves the node out where it is not ok; nil: none does. Shadowed: what the check depends on does.
	By       *fettle.SilencedBy
	Shadowed bool
}

// States is what Fold folds.
type States struct {
	Check      fettle.Check
	Members    []NodeState
	Undefined  []fettle.NodeID // nodes for which the filter is undefined
	Thresholds Thresholds
	Now        fettle.Millis
}

// Fold folds many states into a verdict. A silent node is UNKNOWN, and so are a stale state and a member without one. Hard states are
// counted; the output of a member whose last result disagrees says so. Nodes for which the filter is undefined stand beside the total,
// unless the check says what to count them as.
func Fold(g States) fettle.Verdict {
	f, perf := newFolding(g.Check.Name), newPerfBook()
	for _, m := range g.Members {
		raw := standingOf(m.State, g.Check, m.Silent, g.Now)
		place := counted{standing: raw, soft: isSoft(raw, m.State), flapping: isFlapping(raw, m.State)}
		if raw.bad() && m.By != nil {
			place.standing, place.by = silenced, m.By
		} else if raw.bad() && m.Shadowed {
			place.standing = shadowed
		}
		f.add(m.Node, place, outputOf(raw, m.State, g.Check.Attempts))
		perf.count(&cell{raw: raw, state: m.State})
	}
	f.addUndefined(g.Undefined, g.Check.Undefined)
	v := f.verdict(g.Thresholds)
	v.Perf = perf.folds(fettle.MaxPerf)
	return v
}

// Answers is what FoldLive folds: the answers to a run that was made to ask a check now.
type Answers struct {
	Check       string // its name
	Roster      []fettle.NodeID
	Results     []fettle.Result // of nodes in Roster; a node that has none is silent
	Undefined   []fettle.NodeID
	UndefinedAs fettle.CheckStatus // as Check.Undefined of the root package
	Thresholds  Thresholds
	Took        time.Duration
	// Silencing gives the silence that leaves out a status on a node; nil, and so is the func: none does.
	Silencing func(fettle.NodeID, fettle.CheckStatus) *fettle.SilencedBy
}

// FoldLive folds what came: every result counts at once.
func FoldLive(g Answers) fettle.Verdict {
	results := make(map[fettle.NodeID]fettle.Result, len(g.Results))
	for _, r := range g.Results {
		results[r.Node] = r
	}
	f, perf := newFolding(g.Check), newPerfBook()
	for _, node := range g.Roster {
		r, answered := results[node]
		if !answered {
			f.add(node, g.leaveOut(node, silent), "silent: no answer")
			continue
		}
		s := standingFor(StatusOf(r))
		text := ""
		if s != ok {
			text = lineOf(r)
		}
		f.add(node, g.leaveOut(node, s), text)
		if r.Output != nil {
			perf.count(&cell{raw: s, state: fettle.CheckState{Perfdata: r.Output.Perfdata}})
		}
	}
	f.addUndefined(g.Undefined, g.UndefinedAs)
	v := f.verdict(g.Thresholds)
	v.Live, v.TookMS, v.Perf = true, g.Took.Milliseconds(), perf.folds(fettle.MaxPerf)
	return v
}

// leaveOut says how a node is counted that stands so.
func (g Answers) leaveOut(node fettle.NodeID, s standing) counted {
	if s.bad() && g.Silencing != nil {
		if by := g.Silencing(node, s.status()); by != nil {
			return counted{standing: silenced, by: by}
		}
	}
	return counted{standing: s}
}

// Of gives the answers of some of the nodes.
func (g Answers) Of(nodes []fettle.NodeID) Answers {
	inside := make(map[fettle.NodeID]bool, len(nodes))
	for _, node := range nodes {
		inside[node] = true
	}
	g.Roster, g.Undefined = nodes, nil
	g.Results = slices.DeleteFunc(slices.Clone(g.Results), func(r fettle.Result) bool { return !inside[r.Node] })
	return g
}

// FoldBy adds to a verdict those of its nodes by the values of a fact, each made by fold; the worst of them is that of the whole.
func FoldBy(v fettle.Verdict, by string, parts map[string][]fettle.NodeID, fold func([]fettle.NodeID) (fettle.Verdict, error)) (fettle.Verdict, error) {
	values, verdicts := map[string]valued{}, map[string]fettle.Verdict{}
	for value, nodes := range parts {
		part, err := fold(nodes)
		if err != nil {
			return v, err
		}
		part.Value = value
		verdicts[value], values[value] = part, valued{part.Status, part.Reason, part.Tally}
	}
	order := worstFirst(values)
	for _, value := range order[:min(len(order), fettle.MaxBy)] {
		v.By = append(v.By, verdicts[value])
	}
	sumUp(&v, by, order, values)
	return v, nil
}

// folding is a verdict in the making.
type folding struct {
	bucket
	name  string
	texts map[fettle.NodeID]string
}

func newFolding(name string) *folding {
	return &folding{name: name, texts: map[fettle.NodeID]string{}}
}

// add counts and lists a node; text is empty for one that is well.
func (f *folding) add(node fettle.NodeID, c counted, text string) {
	f.bucket.put(node, c, 1)
	if text != "" {
		f.texts[node] = text
	}
}

func (f *folding) addUndefined(nodes []fettle.NodeID, as fettle.CheckStatus) {
	s := undefinedAs(as)
	if s == undefined {
		s.add(&f.tally, len(nodes))
		return
	}
	for _, node := range nodes {
		f.add(node, counted{standing: s}, undefinedText(s))
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
	v := f.bucket.verdict(f.name, fettle.MaxOutputs, func(node fettle.NodeID) string { return f.texts[node] })
	v.Status, v.Reason = th.status(v.Tally)
	return v
}
