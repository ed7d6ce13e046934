package main

import (
	"fmt"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// progress tells a person at a terminal, on one line of stderr, how far a run is. Elsewhere it says nothing.
type progress struct {
	a      *app
	total  int64
	began  time.Time
	drawn  time.Time
	silent bool
}

// drawEvery bounds how often the line is drawn.
const drawEvery = 50 * time.Millisecond

func (a *app) progress(total int64) *progress {
	return &progress{a: a, total: total, began: time.Now(), silent: !terminal(a.stderr)}
}

func (p *progress) set(t fettle.Tally) {
	if p.silent || time.Since(p.drawn) < drawEvery || time.Since(p.began) < 4*drawEvery {
		return
	}
	p.drawn = time.Now()
	const width = 24
	done := t.Roster - t.Pending
	full := 0
	if t.Roster > 0 {
		full = width * done / t.Roster
	}
	fmt.Fprintf(p.a.stderr, "\r[%s%s] %d / %d  ok %d  failed %d  %s\x1b[K",
		strings.Repeat("=", full), strings.Repeat(" ", width-full), done, t.Roster, t.OK, t.Failed, time.Since(p.began).Round(100*time.Millisecond))
}

// end takes the line away.
func (p *progress) end() {
	if !p.silent && !p.drawn.IsZero() {
		fmt.Fprint(p.a.stderr, "\r\x1b[K")
	}
}
