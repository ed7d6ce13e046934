package api

import (
	"fmt"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// maxGuarded is how many lists a guard remembers: one for each filter that some Prometheus asks.
const maxGuarded = 1000

// shrinkGuard holds a list back that has suddenly become much shorter. Prometheus drops the targets that are gone, and their alerts with them;
// on an error it keeps what it has. What is still short after a while is meant so.
type shrinkGuard struct {
	part float64 // of the last length; below zero: nothing is held back
	hold time.Duration
	now  func() time.Time

	mu    sync.Mutex
	lists map[string]guarded // by filter; guarded by mu
}

// guarded is what was last given out, and since when it would be much shorter.
type guarded struct {
	length int
	short  time.Time // zero: it is not
	asked  time.Time
}

func newShrinkGuard(part float64, hold time.Duration, now func() time.Time) *shrinkGuard {
	return &shrinkGuard{part: part, hold: hold, now: now, lists: map[string]guarded{}}
}

// check is nil if a list of that length may be given out, and ErrUnavailable while it is held back.
func (g *shrinkGuard) check(filter string, length int) error {
	if g.part < 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	last := g.lists[filter]
	next := guarded{length: length, asked: now}
	var err error
	if float64(length) < float64(last.length)*g.part {
		if last.short.IsZero() {
			last.short = now
		}
		if left := g.hold - now.Sub(last.short); left > 0 {
			next.length, next.short = last.length, last.short
			err = fmt.Errorf("%d targets are left of %d; if that is meant, they are given out in %s: %w",
				length, last.length, left.Round(time.Second), fettle.ErrUnavailable)
		}
	}
	g.lists[filter] = next
	g.drop()
	return err
}

// drop makes room: the list that nobody has asked for the longest goes. g.mu is held.
func (g *shrinkGuard) drop() {
	if len(g.lists) <= maxGuarded {
		return
	}
	var oldest string
	for filter, l := range g.lists {
		if first, ok := g.lists[oldest]; !ok || l.asked.Before(first.asked) {
			oldest = filter
		}
	}
	delete(g.lists, oldest)
}
