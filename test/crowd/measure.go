package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"time"
)

// spans are durations that many goroutines measured.
type spans struct {
	mu   sync.Mutex
	list []time.Duration // guarded by mu
}

func (s *spans) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, d)
}

func (s *spans) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.list)
}

// quantile gives the span that the part q of all did not exceed; zero where there are none.
func (s *spans) quantile(q float64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) == 0 {
		return 0
	}
	slices.Sort(s.list)
	return s.list[min(int(q*float64(len(s.list))), len(s.list)-1)].Round(time.Microsecond)
}

// counter counts for many goroutines.
type counter struct {
	mu sync.Mutex
	n  int // guarded by mu
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// watch looks at the heap again and again.
type watch struct {
	first, last uint64 // bytes that are in use after a collection: once things have settled, and at the end
}

// looks is how often the heap is looked at in all.
const looks = 10

func (w *watch) run(ctx context.Context, out io.Writer) error {
	deadline, _ := ctx.Deadline()
	every := max(time.Until(deadline)/looks, time.Second)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.last = m.HeapAlloc
		if w.first == 0 {
			w.first = m.HeapAlloc
		}
		fmt.Fprintf(out, "%8s  heap %d MiB\n", time.Since(began).Round(time.Second), m.HeapAlloc>>20)
	}
}
