package checks

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	fettle "github.com/fettle-dev/fettle"
)

// world is a board, and beside it all that it was told, from which its verdicts are folded anew after every step.
type world struct {
	b        *Board
	now      fettle.Millis
	checks   []fettle.Check // a check comes after those that it depends on
	places   map[string]map[fettle.NodeID]Place
	states   map[string]map[fettle.NodeID]fettle.CheckState
	silent   map[fettle.NodeID]bool
	silences map[string]*silence
	inF      map[fettle.NodeID]string // in the filter f
	customer map[fettle.NodeID]string
	groups   []GroupDef // a group comes after its members
}

const f, by = fettle.Filter("facts.f"), "facts.customer"

func newWorld() *world {
	w := &world{
		b: NewBoard(), places: map[string]map[fettle.NodeID]Place{}, states: map[string]map[fettle.NodeID]fettle.CheckState{}, silent: map[fettle.NodeID]bool{},
		silences: map[string]*silence{}, inF: map[fettle.NodeID]string{}, customer: map[fettle.NodeID]string{},
		checks: []fettle.Check{
			{Name: "c1", Rev: 1, Interval: 60_000, Timeout: 10_000, Attempts: 2},
			{Name: "c2", Rev: 1, Interval: 60_000, Timeout: 10_000, DependsOn: []string{"c1"}},
			{Name: "c3", Rev: 1, Interval: 90_000, Timeout: 10_000, DependsOn: []string{"g0", "c2"}, Undefined: fettle.CheckUnknown},
		},
		groups: []GroupDef{
			{Group: fettle.Group{Name: "g0", Fold: fettle.FoldAny, Members: []fettle.GroupMember{{Check: "c1", Filter: f}, {Check: "c2"}}}, Rules: make([]*Thresholds, 2)},
			{Group: fettle.Group{Name: "g1", By: by, Members: []fettle.GroupMember{{Check: "c1"}, {Check: "c3", Filter: f}, {Filter: f}}}, Rules: make([]*Thresholds, 3)},
			{Group: fettle.Group{Name: "g2", Fold: fettle.FoldAtLeast, AtLeast: 2, Members: []fettle.GroupMember{{Group: "g0"}, {Check: "c1"}, {Group: "g1"}, {Check: "none"}}}, Rules: make([]*Thresholds, 4)},
		},
	}
	for _, g := range w.groups {
		w.b.DefineGroup(g, 0)
	}
	for _, c := range w.checks {
		w.b.Define(c, Thresholds{}, 0)
		w.places[c.Name], w.states[c.Name] = map[fettle.NodeID]Place{}, map[fettle.NodeID]fettle.CheckState{}
	}
	for _, spec := range []CutSpec{{f, ""}, {"", by}, {f, by}} {
		w.b.PutCut(spec, nil)
	}
	return w
}

// step does one thing by chance.
func (w *world) step(rng *rand.Rand, i int) {
	w.now += fettle.Millis(rng.IntN(3000))
	node := fettle.NodeID(fmt.Sprintf("n%d", rng.IntN(12)))
	check := w.checks[rng.IntN(len(w.checks))]
	switch rng.IntN(14) {
	case 0:
		w.put(check.Name, node, Place(rng.IntN(3)))
	case 1:
		w.silent[node] = rng.IntN(2) == 0
		w.b.SetSilent(node, w.silent[node], w.now)
	case 2:
		w.inF[node] = []string{"", InPart, InPart, UndefinedPart}[rng.IntN(4)]
		w.tellCuts(node)
	case 3:
		w.customer[node] = []string{"acme", "globex", NoValue}[rng.IntN(3)]
		w.tellCuts(node)
	case 4:
		w.silence(rng, fmt.Sprintf("s%d", rng.IntN(3)))
	case 5:
		if s := w.silences[fmt.Sprintf("s%d", rng.IntN(3))]; s != nil {
			s.nodes[node] = !s.nodes[node]
			w.b.PutSilenced(s.ID, node, s.nodes[node], w.now)
		}
	case 6:
		w.b.Forget(node, w.now)
		delete(w.silent, node)
		delete(w.inF, node)
		delete(w.customer, node)
		for _, s := range w.silences {
			delete(s.nodes, node)
		}
		for _, c := range w.checks {
			delete(w.places[c.Name], node)
			delete(w.states[c.Name], node)
		}
	default:
		if w.places[check.Name][node] == Outside {
			w.put(check.Name, node, Member)
		}
		r := result(check, node, []string{"ok", "ok", "ok", "warning", "critical", "critical", "unknown"}[rng.IntN(7)])
		order := Order{"s", int64(i)}
		w.states[check.Name][node], _, _ = Apply(w.states[check.Name][node], r, check, order, w.now)
		w.b.Take(r, order, w.now)
	}
}

func (w *world) put(check string, node fettle.NodeID, p Place) {
	w.places[check][node] = p
	if p == Outside {
		delete(w.places[check], node)
		delete(w.states[check], node)
	}
	_ = w.b.Put(check, node, p, w.now)
}

func (w *world) tellCuts(node fettle.NodeID) {
	both := ""
	switch w.inF[node] {
	case InPart:
		both = w.customer[node]
	case UndefinedPart:
		both = UndefinedPart
	}
	w.b.PutPart(CutSpec{f, ""}, node, w.inF[node])
	w.b.PutPart(CutSpec{"", by}, node, w.customer[node])
	w.b.PutPart(CutSpec{f, by}, node, both)
}

func (w *world) silence(rng *rand.Rand, id string) {
	if w.silences[id] != nil && rng.IntN(2) == 0 {
		delete(w.silences, id)
		w.b.EndSilence(id, w.now)
		return
	}
	q := Quiet{SilencedBy: fettle.SilencedBy{ID: id}}
	q.Checks = [][]string{nil, {"c1"}, {"c[23]"}}[rng.IntN(3)]
	q.Statuses = [][]fettle.CheckStatus{nil, {fettle.CheckCritical}, {fettle.CheckUnknown, fettle.CheckWarning}}[rng.IntN(3)]
	s := &silence{q, map[fettle.NodeID]bool{}}
	var nodes []fettle.NodeID
	for n := range 12 {
		if node := fettle.NodeID(fmt.Sprintf("n%d", n)); rng.IntN(2) == 0 {
			s.nodes[node] = true
			nodes = append(nodes, node)
		}
	}
	w.silences[id] = s
	w.b.BeginSilence(q, nodes, w.now)
}

// fold folds everything from nothing, in the order of who depends on whom.
func (w *world) fold() map[string]fettle.Verdict {
	out := map[string]fettle.Verdict{}
	for _, c := range w.checks[:2] {
		out[c.Name] = w.foldCheck(c, out, nil)
	}
	out["g0"] = w.foldGroup(w.groups[0], out, "")
	out["c3"] = w.foldCheck(w.checks[2], out, nil)
	g1 := w.foldGroup(w.groups[1], out, "")
	values := map[string]valued{}
	for _, v := range w.customer {
		if part := w.foldGroup(w.groups[1], out, v); len(part.Members) > 0 {
			values[v] = valued{part.Status, part.Reason, part.Tally}
		}
	}
	for _, v := range worstFirst(values) {
		part := w.foldGroup(w.groups[1], out, v)
		part.Value = v
		g1.By = append(g1.By, part)
	}
	if g1.ByFact = by; len(g1.By) > 0 {
		g1.Status, g1.Reason = g1.By[0].Status, ""
		if g1.By[0].Reason != "" {
			g1.Reason = g1.By[0].Value + ": " + g1.By[0].Reason
		}
	}
	out["g1"] = g1
	out["g2"] = w.foldGroup(w.groups[2], out, "")
	return out
}

// foldCheck folds one check, over the nodes that keep; nil: all.
func (w *world) foldCheck(c fettle.Check, done map[string]fettle.Verdict, keep func(fettle.NodeID) bool) fettle.Verdict {
	g := States{Check: c, Now: w.now}
	for node, place := range w.places[c.Name] {
		if keep != nil && !keep(node) {
			continue
		}
		if place == Undefined {
			if by := w.silencing(c.Name, node, undefinedAs(c.Undefined).status()); by == nil && !w.shadowed(c, node, done) || c.Undefined == "" {
				g.Undefined = append(g.Undefined, node)
				continue
			}
		}
		m := NodeState{Node: node, State: w.states[c.Name][node], Silent: w.silent[node], Shadowed: w.shadowed(c, node, done)}
		m.By = w.silencing(c.Name, node, standingOf(m.State, c, m.Silent, w.now).status())
		if place == Undefined { // it is unknown, whatever its state, and left out
			m.State, m.Silent = fettle.CheckState{}, false
			m.By = w.silencing(c.Name, node, fettle.CheckUnknown)
		}
		g.Members = append(g.Members, m)
	}
	return Fold(g)
}

func (w *world) silencing(check string, node fettle.NodeID, status fettle.CheckStatus) *fettle.SilencedBy {
	for _, id := range slices.Sorted(maps.Keys(w.silences)) {
		if s := w.silences[id]; s.nodes[node] && s.covers(check, status) {
			return &s.SilencedBy
		}
	}
	return nil
}

func (w *world) shadowed(c fettle.Check, node fettle.NodeID, done map[string]fettle.Verdict) bool {
	for _, name := range c.DependsOn {
		if w.places[name][node] != Member {
			if done[name].Status == fettle.CheckCritical {
				return true
			}
			continue
		}
		i := slices.IndexFunc(w.checks, func(c fettle.Check) bool { return c.Name == name })
		if standingOf(w.states[name][node], w.checks[i], w.silent[node], w.now) == critical {
			return true
		}
	}
	return false
}

// foldGroup folds one group, of one customer where value says so.
func (w *world) foldGroup(g GroupDef, done map[string]fettle.Verdict, value string) fettle.Verdict {
	v := fettle.Verdict{Check: g.Name, Kind: fettle.KindGroup, Nodes: map[fettle.CheckStatus][]fettle.NodeID{}}
	for _, def := range g.Members {
		m := fettle.VerdictMember{Name: def.Check, Kind: fettle.KindCheck, Filter: def.Filter}
		known := false
		for _, c := range w.checks {
			if def.Group != "" || def.Check != "" && def.Check != c.Name {
				continue
			}
			known = true
			keep := func(node fettle.NodeID) bool {
				return (def.Filter == "" || w.inF[node] == InPart) && (value == "" || w.customer[node] == value)
			}
			addTally(&m.Tally, w.foldCheck(c, done, keep).Tally)
			if def.Filter != "" && value == "" {
				m.Tally.Undefined += w.foldCheck(c, done, func(node fettle.NodeID) bool { return w.inF[node] == UndefinedPart }).Tally.Total
			}
		}
		switch {
		case def.Group != "":
			m.Name, m.Kind = def.Group, fettle.KindGroup
			m.Status, m.Tally, m.Reason = done[def.Group].Status, done[def.Group].Tally, done[def.Group].Reason
		case !known:
			m.Status, m.Reason = fettle.CheckUnknown, "there is no such check"
		default:
			m.Status, m.Reason = Thresholds{}.status(m.Tally)
		}
		if value != "" && m.Tally.Total == 0 {
			continue
		}
		standingFor(m.Status).add(&v.Tally, 1)
		v.Members = append(v.Members, m)
	}
	v.Status, v.Reason = g.statusOf(v.Members)
	return v
}

// TestKeptVerdictsAreThoseFoldedAnew does by chance what can happen to a fleet, silences, dependencies, cuts and groups included, and holds
// every verdict, whole and by parts, to the one that is folded from nothing.
func TestKeptVerdictsAreThoseFoldedAnew(t *testing.T) {
	var seen fettle.CheckTally
	for seed := range uint64(6) {
		rng := rand.New(rand.NewPCG(seed, 7))
		w := newWorld()
		for i := range 1500 {
			w.step(rng, i)
			if rng.IntN(15) > 0 { // several things at once, on most steps
				continue
			}
			want := w.fold()
			for _, name := range slices.Sorted(maps.Keys(want)) {
				got, err := w.b.Verdict(name, w.now)
				if err != nil {
					t.Fatal(err)
				}
				ignore := []cmp.Option{cmpopts.EquateEmpty(), cmpopts.IgnoreFields(fettle.Verdict{}, "Since", "Output"), cmpopts.IgnoreFields(fettle.VerdictMember{}, "Since")}
				if diff := cmp.Diff(want[name], got, ignore...); diff != "" {
					t.Fatalf("seed %d, step %d, %s (-folded +kept):\n%s", seed, i, name, diff)
				}
				if c := got.Tally; c.Total != c.OK+c.Warning+c.Critical+c.Unknown+c.Silenced+c.Shadowed || c.Silent+c.Stale > c.Unknown {
					t.Fatalf("tally %+v", c)
				}
				addTally(&seen, got.Tally)
			}
			w.holdParts(t, want)
		}
	}
	if seen.Silenced == 0 || seen.Shadowed == 0 || seen.Undefined == 0 || seen.Stale == 0 || seen.Silent == 0 {
		t.Errorf("not all has been tried: %+v", seen)
	}
}

// holdParts holds a check over a filter, and by customer, to what is folded from nothing.
func (w *world) holdParts(t *testing.T, done map[string]fettle.Verdict) {
	t.Helper()
	for _, c := range w.checks {
		where, err := w.b.Ask(Question{Name: c.Name, Where: f}, w.now)
		if err != nil {
			t.Fatal(err)
		}
		var inside, undefined []fettle.NodeID
		for node, part := range w.inF {
			switch part {
			case InPart:
				inside = append(inside, node)
			case UndefinedPart:
				undefined = append(undefined, node)
			}
		}
		want, err := w.b.Over(c.Name, inside, nil, Thresholds{}, w.now)
		want.Tally.Undefined += len(undefined)
		if err != nil || where.Tally != want.Tally || where.Status != want.Status || !cmp.Equal(where.Nodes, want.Nodes, cmpopts.EquateEmpty()) || !cmp.Equal(where.Output, want.Output) {
			t.Fatalf("%s where f: %+v, want %+v, %v", c.Name, where, want, err)
		}
		parts, err := w.b.Ask(Question{Name: c.Name, By: by}, w.now)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts.By {
			want := w.foldCheck(c, done, func(node fettle.NodeID) bool { return w.customer[node] == part.Value })
			if part.Tally != want.Tally || part.Status != want.Status || !cmp.Equal(part.SilencedBy, want.SilencedBy, cmpopts.EquateEmpty()) {
				t.Fatalf("%s of %s: %+v, want %+v", c.Name, part.Value, part, want)
			}
		}
	}
}
