package api

import (
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of what a guard remembers: one list for each question that some Prometheus asks, and the targets in them.
const (
	maxGuarded = 1000
	maxHeld    = 500_000 // targets in all lists; what is beyond is guarded by its length alone
)

// shrinkGuard holds a list that has suddenly become much shorter: Prometheus would drop the targets that are gone, and their alerts with them. What
// is still short after a while is meant so, and so is what a person releases.
type shrinkGuard struct {
	part float64 // of the last length; below zero: nothing is held
	hold time.Duration
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	lists map[string]guarded // by question; guarded by mu
	held  int                // targets in lists; guarded by mu
}

// guarded is what was last given out, and since when it would be much shorter.
type guarded struct {
	groups []ScrapeGroup // nil: there was no room to remember it
	length int
	short  time.Time // zero: it is not
	would  int       // how many there would be, while it is short
	asked  time.Time
}

func newShrinkGuard(part float64, hold time.Duration, now func() time.Time, log *slog.Logger) *shrinkGuard {
	return &shrinkGuard{part: part, hold: hold, now: now, log: log, lists: map[string]guarded{}}
}

// pass gives the list that may be given out: groups, or, while that is suddenly short, the last one, with why. ErrUnavailable: that one was too
// long to be remembered, and Prometheus keeps what it has on an error.
func (g *shrinkGuard) pass(question string, groups []ScrapeGroup) (list []ScrapeGroup, why string, err error) {
	if g.part < 0 {
		return groups, "", nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	last := g.lists[question]
	if float64(len(groups)) < float64(last.length)*g.part {
		if last.short.IsZero() {
			last.short = now
			g.log.Warn("a list of targets has become much shorter and is held", "filter", question, "targets", len(groups), "held", last.length)
		}
		if left := g.hold - now.Sub(last.short); left > 0 {
			last.asked, last.would = now, len(groups)
			g.lists[question] = last
			why = fmt.Sprintf("%d targets are left of %d; if that is meant, they are given out in %s, or when they are released", len(groups), last.length, left.Round(time.Second))
			if last.groups == nil {
				return nil, "", fmt.Errorf("%s: %w", why, fettle.ErrUnavailable)
			}
			return last.groups, why, nil
		}
	}
	if !last.short.IsZero() {
		g.log.Info("a list of targets is given out as it is again", "filter", question, "targets", len(groups))
	}
	g.keep(question, groups, now)
	return groups, "", nil
}

// keep remembers a list that is given out. g.mu is held.
func (g *shrinkGuard) keep(question string, groups []ScrapeGroup, now time.Time) {
	g.held -= len(g.lists[question].groups)
	next := guarded{length: len(groups), asked: now}
	if g.held+len(groups) <= maxHeld {
		next.groups = groups
		g.held += len(groups)
	}
	g.lists[question] = next
	if len(g.lists) <= maxGuarded {
		return
	}
	oldest, first := "", true
	for question, l := range g.lists {
		if first || l.asked.Before(g.lists[oldest].asked) {
			oldest, first = question, false
		}
	}
	g.held -= len(g.lists[oldest].groups)
	delete(g.lists, oldest)
}

// release has all lists that are held, or the one of a question, be given out as they are, and tells how many those were.
func (g *shrinkGuard) release(question string) (released int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, l := range g.lists {
		if l.short.IsZero() || question != "" && question != name {
			continue
		}
		g.held -= len(l.groups)
		delete(g.lists, name)
		released++
	}
	return released
}

// holding counts the lists that are held, and the targets that would be missing from them.
func (g *shrinkGuard) holding() (lists, targets int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.lists {
		if !l.short.IsZero() {
			lists++
			targets += l.length - l.would
		}
	}
	return lists, targets
}

// writeMetrics writes the guard's meters in the Prometheus text format.
func (g *shrinkGuard) writeMetrics(w io.Writer) {
	lists, targets := g.holding()
	_, _ = fmt.Fprintf(w, "fettle_sd_held_lists %d\nfettle_sd_held_targets %d\n", lists, targets)
}
