package api

import (
	"cmp"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of what a guard remembers: one list for each question that some Prometheus asks, and the targets in them.
const (
	maxGuarded = 1000
	maxHeld    = 500_000 // targets in all lists; what is beyond is guarded by its length alone
)

// shrinkRule says which list is held, and for how long.
type shrinkRule struct {
	part float64       // of the last length, below which a list is held; zero: none is
	hold time.Duration // after which a list that is still short is meant so
}

// scrapeQuestion is what some Prometheus asks again and again. Questions that differ in anything have lists of their own: another port or another
// label makes other targets of the same nodes, and a longer hold is nobody else's.
type scrapeQuestion struct {
	filter                string
	port, address, labels string
	shrinkRule
}

// shrinkGuard holds a list that has suddenly become much shorter: Prometheus would drop the targets that are gone, and their alerts with them. What
// is still short after a while is meant so, and so is what a person releases.
type shrinkGuard struct {
	now func() time.Time
	log *slog.Logger

	mu    sync.Mutex
	lists map[scrapeQuestion]guarded // guarded by mu
	held  int                        // targets in lists; guarded by mu
	holds int                        // lists that were held since the start; guarded by mu
	ended map[string]int             // how holds ended: back, meant, released; guarded by mu
}

// guarded is what was last given out, and since when it would be much shorter.
type guarded struct {
	groups []ScrapeGroup // nil: there was no room to remember it
	length int
	short  time.Time // zero: it is not
	would  int       // how many there would be, while it is short
	asked  time.Time
}

// isHeld tells whether the list would be held if it was asked now. One that nobody asks any more is not held for ever.
func (l guarded) isHeld(q scrapeQuestion, now time.Time) bool {
	return !l.short.IsZero() && now.Sub(l.short) < q.hold
}

func newShrinkGuard(now func() time.Time, log *slog.Logger) *shrinkGuard {
	return &shrinkGuard{now: now, log: log, lists: map[scrapeQuestion]guarded{}, ended: map[string]int{"back": 0, "meant": 0, "released": 0}}
}

// pass gives the list that may be given out: groups, or, while that is suddenly short, the last one, with why. ErrUnavailable: that one was too
// long to be remembered, and Prometheus keeps what it has on an error.
func (g *shrinkGuard) pass(q scrapeQuestion, groups []ScrapeGroup) (list []ScrapeGroup, why string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	last := g.lists[q]
	how := "back"
	if float64(len(groups)) < float64(last.length)*q.part {
		if last.short.IsZero() {
			last.short = now
			g.holds++
			g.log.Warn("a list of targets has become much shorter and is held", "filter", q.filter, "port", q.port, "targets", len(groups), "held", last.length)
		}
		if left := q.hold - now.Sub(last.short); left > 0 {
			last.asked, last.would = now, len(groups)
			g.lists[q] = last
			why = fmt.Sprintf("%d targets are left of %d; if that is meant, they are given out in %s, or when they are released", len(groups), last.length, left.Round(time.Second))
			if last.groups == nil {
				return nil, "", fmt.Errorf("%s: %w", why, fettle.ErrUnavailable)
			}
			return last.groups, why, nil
		}
		how = "meant"
	}
	if !last.short.IsZero() {
		g.ended[how]++
		g.log.Info("a list of targets is given out as it is again", "filter", q.filter, "port", q.port, "targets", len(groups))
	}
	g.keep(q, groups, now)
	return groups, "", nil
}

// keep remembers a list that is given out. g.mu is held.
func (g *shrinkGuard) keep(q scrapeQuestion, groups []ScrapeGroup, now time.Time) {
	g.held -= len(g.lists[q].groups)
	next := guarded{length: len(groups), asked: now}
	if g.held+len(groups) <= maxHeld {
		next.groups = groups
		g.held += len(groups)
	}
	g.lists[q] = next
	if len(g.lists) <= maxGuarded {
		return
	}
	oldest, first := scrapeQuestion{}, true
	for question, l := range g.lists {
		if first || l.asked.Before(g.lists[oldest].asked) {
			oldest, first = question, false
		}
	}
	g.held -= len(g.lists[oldest].groups)
	delete(g.lists, oldest)
}

// release has all lists that are held, or those of a filter, be given out as they are, and tells how many those were.
func (g *shrinkGuard) release(filter string) (released int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for q, l := range g.lists {
		if !l.isHeld(q, g.now()) || filter != "" && filter != q.filter {
			continue
		}
		g.held -= len(l.groups)
		delete(g.lists, q)
		released++
	}
	g.ended["released"] += released
	return released
}

// all gives the lists that are guarded: those that are held first, then by what they are about.
func (g *shrinkGuard) all() []ScrapeList {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]ScrapeList, 0, len(g.lists))
	for q, l := range g.lists {
		one := ScrapeList{Where: q.filter, Port: q.port, Address: q.address, Labels: q.labels, Targets: l.length, Now: l.length, Asked: l.asked}
		if l.isHeld(q, g.now()) {
			one.Held, one.Now, one.Since, one.Until = true, l.would, new(l.short), new(l.short.Add(q.hold))
		}
		out = append(out, one)
	}
	slices.SortFunc(out, func(x, y ScrapeList) int {
		if x.Held != y.Held {
			if x.Held {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.Where, y.Where), cmp.Compare(x.Port, y.Port), cmp.Compare(x.Labels, y.Labels), cmp.Compare(x.Address, y.Address), x.Asked.Compare(y.Asked))
	})
	return out
}

// writeMetrics writes the guard's meters in the Prometheus text format: the lists that are held now with the targets that would be missing from
// them, and what was held since the start.
func (g *shrinkGuard) writeMetrics(w io.Writer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	lists, targets := 0, 0
	for q, l := range g.lists {
		if l.isHeld(q, g.now()) {
			lists++
			targets += l.length - l.would
		}
	}
	_, _ = fmt.Fprintf(w, "fettle_sd_held_lists %d\nfettle_sd_held_targets %d\nfettle_sd_holds_total %d\n", lists, targets, g.holds)
	for _, how := range []string{"back", "meant", "released"} {
		_, _ = fmt.Fprintf(w, "fettle_sd_holds_ended_total{how=%q} %d\n", how, g.ended[how])
	}
}
