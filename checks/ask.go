package checks

import (
	"cmp"
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Question asks a Board for a verdict.
type Question struct {
	Name       string        // of a check or a group
	Where      fettle.Filter // the nodes that are meant, in CEL; empty: all. By is the same for values of a fact
	By         string        // the path of a fact; empty: as the group has it. NoBy: no values
	Thresholds *Thresholds   // nil: its own
}

// NoBy asks for no values of a fact, also of a group that has some.
const NoBy = "-"

func (q Question) plain() bool { return q.Where == "" && q.Thresholds == nil }

// Wants gives the cuts that a question wants. An unknown name is ErrNotFound.
func (b *Board) Wants(q Question) ([]CutSpec, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := map[CutSpec]bool{}
	if err := b.needs(q, found, 0); err != nil {
		return nil, err
	}
	return slices.Collect(maps.Keys(found)), nil
}

// Needs gives those of them that the board does not have: they are to be given by PutCut, or Ask is ErrUnavailable.
func (b *Board) Needs(q Question) ([]CutSpec, error) {
	wanted, err := b.Wants(q)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(wanted, func(spec CutSpec) bool { return b.cuts[spec] != nil }), nil
}

func (b *Board) needs(q Question, found map[CutSpec]bool, depth int) error {
	need := func(filter fettle.Filter) {
		if filter != "" {
			found[CutSpec{filter, ""}] = true
		}
		if q.By != "" && q.By != NoBy {
			found[CutSpec{filter, q.By}] = true
		}
	}
	g := b.groups[q.Name]
	if g == nil {
		_, err := b.sheet(q.Name)
		need(q.Where)
		return err
	}
	q.By = g.by(q.By)
	for _, m := range g.def.Members {
		inner := Question{Where: both(m.Filter, q.Where), By: q.By}
		switch {
		case m.Group != "" && depth < maxDepth:
			inner.Name = m.Group
			if b.groups[m.Group] != nil {
				if inner.By == "" && inner.Where != "" {
					inner.By = NoBy
				}
				if err := b.needs(inner, found, depth+1); err != nil {
					return err
				}
			}
		case m.Group == "":
			q := q
			q.Where = inner.Where
			need(q.Where)
		}
	}
	return nil
}

// both gives the filter of what two are true for.
func both(a, b fettle.Filter) fettle.Filter {
	switch {
	case a == "":
		return b
	case b == "" || a == b:
		return a
	}
	return "(" + a + ") && (" + b + ")"
}

// Verdict gives the verdict of a check or a group over all its nodes, or ErrNotFound.
func (b *Board) Verdict(name string, now fettle.Millis) (fettle.Verdict, error) {
	return b.Ask(Question{Name: name}, now)
}

// Ask gives a verdict. It costs what is bad, not what there is. Its maps and slices are shared with other callers and must not be changed. An
// unknown name is ErrNotFound; a cut that is missing is ErrUnavailable.
func (b *Board) Ask(q Question, now fettle.Millis) (fettle.Verdict, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.followParents(now)
	v, err := b.ask(q, now)
	if err != nil {
		return fettle.Verdict{}, err
	}
	v.Settling = now < b.settling
	if q.plain() && (q.By == "" || q.By == NoBy && b.groups[q.Name] == nil) {
		b.hold(&v, now)
	}
	return v, nil
}

func (b *Board) ask(q Question, now fettle.Millis) (fettle.Verdict, error) {
	if g := b.groups[q.Name]; g != nil {
		v, err := b.askGroup(g, q, now)
		if perf := g.perfOf(b, q.Where, "", ""); err == nil && perf != nil {
			v.Perf = perf.folds(fettle.MaxPerf)
		}
		return v, err
	}
	s, err := b.sheet(q.Name)
	if err != nil {
		return fettle.Verdict{}, err
	}
	s.expire(now)
	th := s.thresholds
	if q.Thresholds != nil {
		th = *q.Thresholds
	}
	one, left, err := s.bucketOf(q.Where, true)
	if err != nil {
		return fettle.Verdict{}, err
	}
	text := s.text
	if q.Where != "" {
		text = s.textOfAll
	}
	v := one.verdict(s.check.Name, fettle.MaxOutputs, text)
	v.Tally.Undefined += left
	v.Status, v.Reason = th.status(v.Tally)
	v.Perf = s.perfOf(CutSpec{q.Where, ""}, InPart).folds(fettle.MaxPerf)
	if q.By != "" && q.By != NoBy {
		return v, s.askBy(&v, q, th, text)
	}
	return v, nil
}

// bucketOf gives the nodes of a sheet for which a filter is true, and for how many it is undefined; with all set also those that are no members.
func (s *sheet) bucketOf(where fettle.Filter, all bool) (one *bucket, left int, err error) {
	if where == "" {
		return &s.whole, 0, nil
	}
	slice, err := s.slice(CutSpec{where, ""}, all)
	if err != nil {
		return nil, 0, err
	}
	if u := slice.parts[UndefinedPart]; u != nil {
		left = u.tally.Total
	}
	if one = slice.parts[InPart]; one == nil {
		one = &bucket{}
	}
	return one, left, nil
}

// askBy adds the verdicts of the values of a fact; the worst of them is that of the whole.
func (s *sheet) askBy(v *fettle.Verdict, q Question, th Thresholds, text func(fettle.NodeID) string) error {
	slice, err := s.slice(CutSpec{q.Where, q.By}, q.Where != "")
	if err != nil {
		return err
	}
	parts, values := slice.parts, map[string]valued{}
	for value, one := range parts {
		if value != UndefinedPart && one.tally.Total > 0 {
			status, reason := th.status(one.tally)
			values[value] = valued{status, reason, one.tally}
		}
	}
	order := worstFirst(values)
	each := fettle.MaxOutputs / max(1, min(len(order), fettle.MaxBy))
	for _, value := range order[:min(len(order), fettle.MaxBy)] {
		part := parts[value].verdict(s.check.Name, each, text)
		part.Value, part.Status, part.Reason = value, values[value].status, values[value].reason
		v.By = append(v.By, part)
	}
	sumUp(v, q.By, order, values)
	return nil
}

// valued is what a verdict over one value of a fact will say.
type valued struct {
	status fettle.CheckStatus
	reason string
	tally  fettle.CheckTally
}

// sumUp gives a verdict the status that the worst of its values has.
func sumUp(v *fettle.Verdict, by string, order []string, values map[string]valued) {
	v.ByFact, v.ByMore = by, max(0, len(order)-fettle.MaxBy)
	if len(order) > 0 {
		v.Status, v.Reason = values[order[0]].status, ""
		if values[order[0]].reason != "" {
			v.Reason = order[0] + ": " + values[order[0]].reason
		}
	}
}

// worstFirst orders values by their status, then by how many are not ok, then by name.
func worstFirst(values map[string]valued) []string {
	return slices.SortedFunc(maps.Keys(values), func(x, y string) int {
		a, b := values[x], values[y]
		return cmp.Or(cmp.Compare(badness(b.status), badness(a.status)), cmp.Compare(b.tally.Counted()-b.tally.OK, a.tally.Counted()-a.tally.OK), cmp.Compare(x, y))
	})
}

// badness orders statuses from the best to the worst, as users of check-mc-nrpe know them.
func badness(s fettle.CheckStatus) int {
	switch s {
	case fettle.CheckOK:
		return 0
	case fettle.CheckWarning:
		return 1
	case fettle.CheckCritical:
		return 3
	}
	return 2
}

// hold notes since when a verdict has its status; while the board is settling the verdict keeps the one that it had.
func (b *Board) hold(v *fettle.Verdict, now fettle.Millis) {
	if v.Settling {
		if was, known := b.held[v.Check]; known {
			v.Status, v.Since, v.Reason = was.Status, was.Since, ""
		}
		return
	}
	v.Since = b.holdStatus(v.Check, v.Status, now)
}

// holdStatus notes what a verdict is now, and gives since when it is that.
func (b *Board) holdStatus(name string, status fettle.CheckStatus, now fettle.Millis) fettle.Millis {
	was, known := b.held[name]
	if !known || was.Status != status || was.Since == 0 {
		was = Held{status, now}
		b.held[name] = was
		b.change++ // groups show since when their members are as they are
	}
	return was.Since
}

// statusOf gives the status of a whole verdict; known is false where there is none of that name.
func (b *Board) statusOf(name string, now fettle.Millis) (s fettle.CheckStatus, known bool) {
	if g := b.groups[name]; g != nil {
		v, err := b.askGroup(g, Question{Name: name}, now)
		return v.Status, err == nil
	}
	sheet := b.sheets[name]
	if sheet == nil {
		return "", false
	}
	sheet.expire(now)
	s, _ = sheet.thresholds.status(sheet.whole.tally)
	return s, true
}

// Held gives the status of every check and group, and since when: what a server that starts again hands to Settle.
func (b *Board) Held(now fettle.Millis) map[string]Held {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now < b.settling {
		return maps.Clone(b.held)
	}
	b.followParents(now)
	for name := range b.sheets {
		if status, known := b.statusOf(name, now); known {
			b.holdStatus(name, status, now)
		}
	}
	for name := range b.groups {
		if status, known := b.statusOf(name, now); known {
			b.holdStatus(name, status, now)
		}
	}
	return maps.Clone(b.held)
}
