package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// progress tells a person at a terminal, on one line of stderr, how far a run is. Elsewhere it says nothing.
type progress struct {
	a     *app
	began time.Time
	stop  chan struct{} // nil: nobody looks
	ended sync.WaitGroup

	mu    sync.Mutex
	tally fettle.Tally // guarded by mu
}

// What is over in progressAfter needs no progress; from then on the line is drawn every progressEvery, also while nothing comes.
const (
	progressAfter = 200 * time.Millisecond
	progressEvery = 100 * time.Millisecond
)

// progress begins to draw. Whoever calls it calls end.
func (a *app) progress(t fettle.Tally) *progress {
	p := &progress{a: a, began: time.Now(), tally: t}
	if terminal(a.stderr) && a.output != "jsonl" { // its lines come between
		p.stop = make(chan struct{})
		p.ended.Go(p.run)
	}
	return p
}

// set says how far the run is.
func (p *progress) set(t fettle.Tally) {
	p.mu.Lock()
	p.tally = t
	p.mu.Unlock()
}

// end takes the line away.
func (p *progress) end() {
	if p.stop != nil {
		close(p.stop)
		p.ended.Wait()
	}
}

func (p *progress) run() {
	next := time.NewTimer(progressAfter)
	defer next.Stop()
	drawn := false
	for {
		select {
		case <-p.stop:
			if drawn {
				fmt.Fprint(p.a.stderr, "\r\x1b[K")
			}
			return
		case <-next.C:
			p.draw()
			drawn = true
			next.Reset(progressEvery)
		}
	}
}

func (p *progress) draw() {
	p.mu.Lock()
	t := p.tally
	p.mu.Unlock()
	const width = 24
	done := t.Roster - t.Pending
	full := 0
	if t.Roster > 0 {
		full = width * done / t.Roster
	}
	fmt.Fprintf(p.a.stderr, "\r[%s%s] %d / %d  ok %d  failed %d  %s\x1b[K",
		strings.Repeat("=", full), strings.Repeat(" ", width-full), done, t.Roster, t.OK, t.Failed, time.Since(p.began).Round(100*time.Millisecond))
}
