//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// tally is that of a verdict, as REST shows it.
type tally struct {
	Total, OK, Warning, Critical, Unknown, Silent, Stale, Undefined, Silenced, Shadowed int
}

// sample is the verdicts of one moment.
type sample struct {
	tallies  map[string]tally
	settling bool
	took     time.Duration // of the one question for all verdicts
}

// watcher takes samples, and holds them against the inventory and the emulator's record.
type watcher struct {
	*house
	list    []definition
	made    *record
	agreed  map[string]time.Time // by check: when its counts were last those of what the nodes had said
	apart   int                  // the most nodes by which counts differed from that, while nobody settled
	samples int
	counts  int // tallies that were compared with the inventory
	settled int // samples that were settling
	took    []time.Duration
	roster  map[string]int // members by check, when they were counted last
}

// take takes a sample. What does not hold is an error.
func (w *watcher) take(ctx context.Context) (s sample, err error) {
	var answer struct {
		Verdicts []struct {
			Check    string
			Settling bool
			Tally    tally
		}
	}
	began := time.Now()
	if err := w.getInto(ctx, "/verdicts", &answer); err != nil {
		return s, err
	}
	s = sample{tallies: map[string]tally{}, took: time.Since(began)}
	for _, v := range answer.Verdicts {
		s.tallies[v.Check] = v.Tally
		s.settling = s.settling || v.Settling
	}
	if err := w.made.read(); err != nil {
		return s, err
	}
	var faults []error
	for _, d := range w.list {
		t, found := s.tallies[d.name]
		if !found {
			faults = append(faults, fmt.Errorf("%s has no verdict", d.name))
			continue
		}
		var roster struct{ Matched, Undefined int }
		if err := w.getInto(ctx, "/nodes?count=true&where="+url.QueryEscape(d.where()), &roster); err != nil {
			return s, err
		}
		if err := d.holds(t, roster.Matched, roster.Undefined); err != nil {
			faults = append(faults, err)
		}
		w.counts++
		w.roster[d.name] = roster.Matched
		w.compare(d, t, roster.Undefined, s.settling)
	}
	w.samples++
	if s.settling {
		w.settled++
	}
	w.took = append(w.took, s.took)
	return s, errors.Join(append(faults, w.stuck()...)...)
}

// holds compares a tally with what the inventory counts. No node of the fleet is ever away, so nobody may be silent, and no state stale.
func (d definition) holds(t tally, matched, undefined int) error {
	total, beside := matched, undefined
	if d.unknown {
		total, beside = matched+undefined, 0
	}
	sum := t.OK + t.Warning + t.Critical + t.Unknown + t.Silenced + t.Shadowed
	switch {
	case matched == 0:
		return fmt.Errorf("%s: nobody matches %s", d.name, d.where())
	case t.Total != total || t.Undefined != beside || sum != t.Total:
		return fmt.Errorf("%s: the inventory has %d that match and %d undefined, and the tally is %+v", d.name, matched, undefined, t)
	case t.Silent > 0 || t.Stale > 0:
		return fmt.Errorf("%s: nobody was away, and the tally is %+v", d.name, t)
	case t.Shadowed > 0 && !d.shadowed || t.Silenced > 0:
		return fmt.Errorf("%s: something is left out: %+v", d.name, t)
	}
	return nil
}

// exact tells whether the counts of a check are those of the last results.
func (d definition) exact() bool { return !d.unwatched && !d.shadowed && d.attempts <= 1 }

// compare notes how far a tally is from what the nodes have said so far: what is on its way makes a difference, and only for a moment.
func (w *watcher) compare(d definition, t tally, undefined int, settling bool) {
	if !d.exact() {
		return
	}
	said := w.made.tally(d.name)
	if d.unknown {
		said["unknown"] += undefined
	}
	differ := 0
	for status, n := range map[string]int{"ok": t.OK, "warning": t.Warning, "critical": t.Critical, "unknown": t.Unknown} {
		differ += max(n-said[status], said[status]-n)
	}
	if differ == 0 {
		w.agreed[d.name] = time.Now()
	}
	if !settling {
		w.apart = max(w.apart, (differ+1)/2)
	}
}

// stuck tells of checks whose counts have not been right for too long.
func (w *watcher) stuck() (faults []error) {
	limit := 2*w.beat + 2*w.interval + catchUp
	for name, at := range w.agreed {
		if since := time.Since(at); since > limit {
			faults = append(faults, fmt.Errorf("for %v the counts of %s are not what its nodes say; the longest that is allowed is %v", since.Round(time.Second), name, limit))
		}
	}
	return faults
}

// catchUp is what a fleet may take after the server is back until all that was said meanwhile has arrived, with other work on the machine.
const catchUp = 90 * time.Second

// comeBack forgives the time in which the server was away.
func (w *watcher) comeBack() {
	for name := range w.agreed {
		w.agreed[name] = time.Now()
	}
}
