package alerts

import (
	"cmp"
	"context"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// MaxAlerts bounds the alerts that are kept; what is beyond is counted, and looked at again when there is room.
const MaxAlerts = 10_000

// book is what is wrong. It is guarded by the lock of Alerts.
type book struct {
	alerts       map[string]*Alert
	resolveAfter time.Duration
	dropped      int // at the last look: alerts for which there was no room
}

// look compares the book with what is, and gives the names of those alerts that have changed.
func (b *book) look(ctx context.Context, source Source, verdicts []fettle.Verdict, now fettle.Millis) (changed []string) {
	seen := map[string]bool{}
	defined := map[string]bool{}
	b.dropped = 0
	for _, v := range verdicts {
		defined[v.Check] = true
		parts := []fettle.Verdict{v}
		if v.ByFact != "" && len(v.By) > 0 {
			parts = v.By
		}
		for _, part := range parts {
			part.Check, part.Settling = v.Check, v.Settling
			name := nameOf(v.Check, part.Value)
			seen[name] = true
			if b.judge(ctx, source, part, v.ByFact, name, now) {
				changed = append(changed, name)
			}
		}
		if v.Settling || v.ByMore > 0 { // then not all values are told: those of others stay as they are
			for name, a := range b.alerts {
				seen[name] = seen[name] || a.Check == v.Check
			}
		}
	}
	for name, a := range b.alerts {
		if !seen[name] && b.missing(a, defined[a.Check], now) {
			changed = append(changed, name)
		}
	}
	slices.Sort(changed)
	return changed
}

// judge looks at one verdict. While the server settles, and while all that is bad flaps, it says nothing new.
func (b *book) judge(ctx context.Context, source Source, v fettle.Verdict, fact, name string, now fettle.Millis) (changed bool) {
	a := b.alerts[name]
	switch {
	case v.Settling || v.Live:
		return false
	case v.Status == fettle.CheckOK && a == nil:
		return false
	case v.Status == fettle.CheckOK:
		return b.fine(a, v, now)
	case flaps(source, v):
		return false
	case a != nil && a.Ended == 0:
		was := *a
		a.Fine, a.Gone = 0, 0
		if a.Status != v.Status {
			a.Status, a.Changed = v.Status, now
		}
		a.describe(v, source.About(ctx, v.Check))
		return was.Status != a.Status || was.Fine != 0 || was.Gone != 0 || was.Tally != a.Tally || was.Reason != a.Reason
	case a == nil && len(b.alerts) >= MaxAlerts:
		b.dropped++
		return false
	}
	since := now
	if v.Since != 0 && v.Since < now {
		since = v.Since
	}
	a = &Alert{Name: name, Check: v.Check, Fact: fact, Value: v.Value, Status: v.Status, Since: since, Changed: now, Episode: episode(name, now)}
	a.describe(v, source.About(ctx, v.Check))
	b.alerts[name] = a
	return true
}

// fine notes that a verdict is ok, and ends its alert when it has been so for long enough.
func (b *book) fine(a *Alert, v fettle.Verdict, now fettle.Millis) (changed bool) {
	switch {
	case a.Ended != 0:
		return false
	case a.Fine == 0:
		a.Fine, a.Gone = now, 0
		changed = true
	}
	if now.Sub(a.Fine) < b.resolveAfter {
		return changed
	}
	a.Ended, a.Tally, a.Reason = now, v.Tally, ""
	if a.Silenced = v.Tally.Silenced; a.Silenced > 0 {
		a.Reason = "silences leave nodes out"
	}
	return true
}

// missing looks at an alert without a verdict. With its check it ends; while that is defined, nobody is counted for it any more, which is not
// known to be well: it goes on, as unknown, for a day.
func (b *book) missing(a *Alert, defined bool, now fettle.Millis) (changed bool) {
	switch {
	case a.Ended != 0:
		return false
	case !defined:
		a.Ended, a.Reason = now, "it is not defined any more"
		return true
	case a.Gone == 0:
		a.Gone, a.Fine = now, 0
		a.Status, a.Changed, a.Reason = fettle.CheckUnknown, now, "no node is counted any more"
		a.Tally, a.Nodes, a.Output = fettle.CheckTally{}, nil, nil
		return true
	case now-a.Gone > goneFor:
		a.Ended, a.Reason = now, "no node has been counted for a day"
		return true
	}
	return false
}

// flaps tells whether each node that makes v bad changes too often to be believed.
func flaps(source Source, v fettle.Verdict) bool {
	if v.Kind == fettle.KindGroup || v.Tally.Flapping == 0 {
		return false
	}
	bad := 0
	for _, nodes := range v.Nodes {
		if bad += len(nodes); bad > v.Tally.Flapping {
			return false
		}
		for _, node := range nodes {
			if !source.Flaps(v.Check, node) {
				return false
			}
		}
	}
	return bad > 0
}

// sorted gives the alerts, the worst first, then those that began first.
func (b *book) sorted() []*Alert {
	out := make([]*Alert, 0, len(b.alerts))
	for _, a := range b.alerts {
		out = append(out, a)
	}
	slices.SortFunc(out, compareAlerts)
	return out
}

func compareAlerts(x, y *Alert) int {
	return cmp.Or(cmp.Compare(badness(y), badness(x)), cmp.Compare(x.Since, y.Since), cmp.Compare(x.Name, y.Name))
}

func badness(a *Alert) int {
	switch {
	case a.Ended != 0:
		return 0
	case a.Status == fettle.CheckCritical:
		return 3
	case a.Status == fettle.CheckUnknown:
		return 2
	}
	return 1
}
