package checks

import (
	"errors"
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// maxDepth is how deep groups may stand in groups.
const maxDepth = 16

// GroupDef is a group with what its texts say, read.
type GroupDef struct {
	fettle.Group
	Thresholds Thresholds    // of Group.Rule
	Rules      []*Thresholds // of the members, in step with Group.Members; nil: the member's own
}

// group is one group on a Board.
type group struct {
	def  GroupDef
	kept map[string]keptGroup // by the fact it was asked by
}

// keptGroup is what a group was folded into, as long as nothing changes on the board.
type keptGroup struct {
	change uint64
	v      fettle.Verdict
}

// by gives the fact by which a group is asked.
func (g *group) by(asked string) string {
	switch asked {
	case "":
		return g.def.By
	case NoBy:
		return ""
	}
	return asked
}

// DefineGroup adds a group, or replaces the one of its name. Members that do not exist are unknown until they do.
func (b *Board) DefineGroup(def GroupDef, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.groups[def.Name] = &group{def: def, kept: map[string]keptGroup{}}
	b.link(now)
}

// RemoveGroup forgets a group.
func (b *Board) RemoveGroup(name string, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.groups, name)
	delete(b.held, name)
	b.link(now)
}

// askGroup folds a group. It is made anew only after something on the board has changed.
func (b *Board) askGroup(g *group, q Question, now fettle.Millis) (fettle.Verdict, error) {
	for _, s := range b.sheets {
		s.expire(now)
	}
	by := g.by(q.By)
	if q.plain() {
		if k, ok := g.kept[by]; ok && k.change == b.change {
			return k.v, nil
		}
	}
	at := b.change
	members, err := b.membersOf(g, q.Where, "", "", now, 0)
	if err != nil {
		return fettle.Verdict{}, err
	}
	th := &g.def.Thresholds
	if q.Thresholds != nil {
		th = q.Thresholds
	}
	v := g.fold(members, th, g.hasRule() || q.Thresholds != nil)
	if by != "" {
		if err := b.askGroupBy(&v, g, q, by, th, now); err != nil {
			return fettle.Verdict{}, err
		}
	}
	if q.plain() && at == b.change {
		g.kept[by] = keptGroup{at, v}
	}
	return v, nil
}

func (g *group) hasRule() bool { return g.def.Rule != (fettle.Rule{}) }

// askGroupBy adds the verdicts of the values of a fact.
func (b *Board) askGroupBy(v *fettle.Verdict, g *group, q Question, by string, th *Thresholds, now fettle.Millis) error {
	found := map[string]bool{}
	if err := b.valuesOf(g, q.Where, by, found, 0); err != nil {
		return err
	}
	values, parts := map[string]valued{}, map[string]fettle.Verdict{}
	for value := range found {
		members, err := b.membersOf(g, q.Where, by, value, now, 0)
		if err != nil {
			return err
		}
		members = slices.DeleteFunc(members, func(m fettle.VerdictMember) bool { return m.Tally.Total == 0 && m.Reason == noNode })
		if len(members) == 0 {
			continue
		}
		part := g.fold(members, th, g.hasRule() || q.Thresholds != nil)
		part.Value = value
		parts[value], values[value] = part, valued{part.Status, part.Reason, part.Tally}
	}
	order := worstFirst(values)
	for _, value := range order[:min(len(order), fettle.MaxBy)] {
		v.By = append(v.By, parts[value])
	}
	sumUp(v, by, order, values)
	return nil
}

// fold makes a verdict of members.
func (g *group) fold(members []fettle.VerdictMember, th *Thresholds, ruled bool) fettle.Verdict {
	v := fettle.Verdict{Check: g.def.Name, Kind: fettle.KindGroup, Nodes: map[fettle.CheckStatus][]fettle.NodeID{}, Members: members}
	for _, m := range members {
		standingFor(m.Status).add(&v.Tally, 1)
	}
	if ruled {
		if v.Status, v.Reason = th.status(v.Tally); v.Tally.Total == 0 {
			v.Reason = noMember
		}
		return v
	}
	v.Status, v.Reason = g.def.statusOf(members)
	return v
}

const noMember = "the group has no members"

// statusOf gives what the statuses of the members make together: the n-th best of them, where n have to be well.
func (d *GroupDef) statusOf(members []fettle.VerdictMember) (fettle.CheckStatus, string) {
	if len(members) == 0 {
		return fettle.CheckUnknown, noMember
	}
	need := len(members)
	switch d.Fold {
	case fettle.FoldAny:
		need = 1
	case fettle.FoldAtLeast:
		need = min(max(d.AtLeast, 1), len(members))
	}
	best := slices.SortedFunc(slices.Values(members), func(x, y fettle.VerdictMember) int { return badness(x.Status) - badness(y.Status) })
	return best[need-1].Status, ""
}

// membersOf gives how the members of a group are, over the nodes of a filter and with one value of a fact.
func (b *Board) membersOf(g *group, where fettle.Filter, by, value string, now fettle.Millis, depth int) ([]fettle.VerdictMember, error) {
	out := make([]fettle.VerdictMember, 0, len(g.def.Members))
	for i, def := range g.def.Members {
		m := fettle.VerdictMember{Name: def.Check, Kind: fettle.KindCheck, Filter: def.Filter}
		var err error
		if def.Group != "" {
			m.Name, m.Kind = def.Group, fettle.KindGroup
			err = b.groupMember(&m, def, where, by, value, now, depth)
		} else {
			err = b.checkMember(&m, def, g.def.Rules[i], where, by, value)
		}
		if err != nil {
			return nil, err
		}
		if h, ok := b.held[m.Name]; ok && def.Filter == "" && where == "" && by == "" && h.Status == m.Status {
			m.Since = h.Since
		}
		out = append(out, m)
	}
	return out, nil
}

func (b *Board) groupMember(m *fettle.VerdictMember, def fettle.GroupMember, where fettle.Filter, by, value string, now fettle.Millis, depth int) error {
	inner := b.groups[def.Group]
	if inner == nil || depth >= maxDepth {
		m.Status, m.Reason = fettle.CheckUnknown, "there is no such group"
		return nil
	}
	members, err := b.membersOf(inner, both(def.Filter, where), by, value, now, depth+1)
	if err != nil {
		return err
	}
	if by != "" {
		members = slices.DeleteFunc(members, func(m fettle.VerdictMember) bool { return m.Tally.Total == 0 && m.Reason == noNode })
		if len(members) == 0 {
			m.Status, m.Reason = fettle.CheckUnknown, noNode
			return nil
		}
	}
	v := inner.fold(members, &inner.def.Thresholds, inner.hasRule())
	if inner.def.By != "" && by == "" && def.Filter == "" && where == "" {
		if v, err = b.askGroup(inner, Question{Name: def.Group}, now); err != nil {
			return err
		}
	}
	m.Status, m.Tally, m.Reason = v.Status, v.Tally, v.Reason
	return nil
}

// checkMember counts the nodes of one check, or of all of them.
func (b *Board) checkMember(m *fettle.VerdictMember, def fettle.GroupMember, rule *Thresholds, where fettle.Filter, by, value string) error {
	th := Thresholds{}
	sheets := b.sheets
	if def.Check != "" {
		s := b.sheets[def.Check]
		if s == nil {
			m.Status, m.Reason = fettle.CheckUnknown, "there is no such check"
			return nil
		}
		sheets, th = map[string]*sheet{def.Check: s}, s.thresholds
	}
	if rule != nil {
		th = *rule
	}
	for _, s := range sheets {
		one, left, err := s.bucketOf(both(def.Filter, where), false)
		if err == nil && by != "" {
			one, left, err = s.valueOf(CutSpec{both(def.Filter, where), by}, value)
		}
		if err != nil {
			return err
		}
		addTally(&m.Tally, one.tally)
		m.Tally.Undefined += left
	}
	m.Status, m.Reason = th.status(m.Tally)
	return nil
}

// valueOf gives the members of a sheet that have a value in a cut.
func (s *sheet) valueOf(spec CutSpec, value string) (one *bucket, left int, err error) {
	slice, err := s.slice(spec, false)
	if err != nil {
		return nil, 0, err
	}
	if one = slice.parts[value]; one == nil {
		one = &bucket{}
	}
	return one, 0, nil
}

// valuesOf gives the values of a fact that some node of a group's members has.
func (b *Board) valuesOf(g *group, where fettle.Filter, by string, found map[string]bool, depth int) error {
	for _, def := range g.def.Members {
		if inner := b.groups[def.Group]; def.Group != "" {
			if inner != nil && depth < maxDepth {
				if err := b.valuesOf(inner, both(def.Filter, where), by, found, depth+1); err != nil {
					return err
				}
			}
			continue
		}
		for name, s := range b.sheets {
			if def.Check != "" && def.Check != name {
				continue
			}
			slice, err := s.slice(CutSpec{both(def.Filter, where), by}, false)
			if err != nil {
				return err
			}
			for value := range slice.parts {
				if value != UndefinedPart {
					found[value] = true
				}
			}
		}
	}
	return nil
}

func addTally(t *fettle.CheckTally, o fettle.CheckTally) {
	t.Total += o.Total
	t.OK += o.OK
	t.Warning += o.Warning
	t.Critical += o.Critical
	t.Unknown += o.Unknown
	t.Silent += o.Silent
	t.Stale += o.Stale
	t.Undefined += o.Undefined
	t.Silenced += o.Silenced
	t.Shadowed += o.Shadowed
	t.Flapping += o.Flapping
}

// Uses gives the names on which a check or a group stands: members and dependencies.
func Uses(members []fettle.GroupMember, dependsOn []string) []string {
	out := slices.Clone(dependsOn)
	for _, m := range members {
		if m.Check != "" {
			out = append(out, m.Check)
		}
		if m.Group != "" {
			out = append(out, m.Group)
		}
	}
	return out
}

// errCycle is wrapped by what FindCycle gives.
var errCycle = errors.New("goes round in a circle")

// FindCycle tells whether a name stands on itself, by way of what uses gives for each name: ErrInvalid, with the way round.
func FindCycle(name string, uses func(string) []string) error {
	seen := map[string]bool{}
	var walk func(at string, way []string) []string
	walk = func(at string, way []string) []string {
		if at == name && len(way) > 1 {
			return way
		}
		if seen[at] {
			return nil
		}
		seen[at] = len(way) > 1
		for _, next := range uses(at) {
			if found := walk(next, append(slices.Clone(way), next)); found != nil {
				return found
			}
		}
		return nil
	}
	way := walk(name, []string{name})
	if way == nil {
		return nil
	}
	text := way[0]
	for _, next := range way[1:] {
		text += " -> " + next
	}
	return fmt.Errorf("%s: it %w: %w", text, errCycle, fettle.ErrInvalid)
}
