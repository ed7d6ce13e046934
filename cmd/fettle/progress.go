package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
	"github.com/fettle-dev/fettle/server/api/client"
)

// progress tells a person at a terminal, on one line of stderr, how far a run is. Elsewhere it says nothing.
type progress struct {
	a       *app
	began   time.Time
	pending func(ctx context.Context) ([]fettle.NodeID, error) // the first of those who have not answered
	stop    context.CancelFunc                                 // nil: nobody looks
	ended   sync.WaitGroup

	mu    sync.Mutex        // guards what follows, and the line itself
	run   client.RunSummary //
	drawn bool              // the line is there

	first  int // how many had answered when it began: the rate is that of what came since
	asked  time.Time
	missed []fettle.NodeID // who has not answered, as it was at asked
}

// What is over in progressAfter needs no progress; from then on the line is drawn every progressEvery, also while nothing comes.
const (
	progressAfter = 200 * time.Millisecond
	progressEvery = 100 * time.Millisecond

	fewPending  = 20                     // so few are named
	nameAfter   = 800 * time.Millisecond // before, they are only on their way
	nameEvery   = time.Second
	narrowWidth = 80 // columns of a terminal that does not say
)

// progress begins to draw. Whoever calls it calls end.
func (a *app) progress(ctx context.Context, c *client.API, r *client.RunSummary) *progress {
	p := &progress{a: a, began: time.Now(), run: *r, first: r.Tally.Roster - r.Tally.Pending}
	p.pending = func(ctx context.Context) ([]fettle.NodeID, error) {
		list, err := c.Unanswered(ctx, r.Run, &client.ListUnansweredParams{Limit: pointer(int64(fewPending))})
		if err != nil {
			return nil, err
		}
		return list.Nodes, nil
	}
	if terminal(a.stderr) && (a.output != "jsonl" || !terminal(a.stdout)) { // else its lines come between
		ctx, p.stop = context.WithCancel(ctx)
		p.ended.Go(func() { p.draws(ctx) })
	}
	return p
}

// set says how far the run is.
func (p *progress) set(r client.RunSummary) {
	p.mu.Lock()
	p.run = r
	p.mu.Unlock()
}

// end takes the line away.
func (p *progress) end() {
	if p.stop != nil {
		p.stop()
		p.ended.Wait()
		p.above(func() {})
	}
}

// above lets write write whole lines where the line of progress stands, which comes back below them.
func (p *progress) above(write func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.a.stderr, "\r\x1b[K")
		p.drawn = false
	}
	write()
}

func (p *progress) draws(ctx context.Context) {
	next := time.NewTimer(progressAfter)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			p.name(ctx)
			p.draw()
			next.Reset(progressEvery)
		}
	}
}

// name asks who is waited for, once they are few.
func (p *progress) name(ctx context.Context) {
	p.mu.Lock()
	n, now := p.run.Tally.Pending, time.Now()
	p.mu.Unlock()
	if n == 0 || n > fewPending || now.Sub(p.began) < nameAfter {
		p.missed = nil
		return
	}
	if now.Sub(p.asked) < nameEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, nameEvery)
	defer cancel()
	if nodes, err := p.pending(ctx); err == nil {
		p.missed = nodes
	}
	p.asked = time.Now()
}

func (p *progress) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	width := screenWidth(p.a.stderr)
	if width <= 0 {
		width = narrowWidth
	}
	line := progressLine(&p.run, progressed{since: time.Since(p.began), first: p.first, missed: p.missed, bar: min(max(width/8, 8), 24)})
	fmt.Fprintf(p.a.stderr, "\r%s\x1b[K", fitted(line, width-1))
	p.drawn = true
}

// progressed is what the line of progress knows beside the run itself.
type progressed struct {
	since  time.Duration   // it has been watched for so long
	first  int             // how many had answered by then
	missed []fettle.NodeID // who is waited for; nil: they are many
	bar    int             // length of the bar, in columns
}

// progressLine is a bar, numbers, and what is waited for.
func progressLine(r *client.RunSummary, p progressed) string {
	t := r.Tally
	done := t.Roster - t.Pending
	full := 0
	if t.Roster > 0 {
		full = p.bar * done / t.Roster
	}
	line := fmt.Sprintf("[%s%s] %d/%d  ok %d  failed %d", strings.Repeat("=", full), strings.Repeat(" ", p.bar-full), done, t.Roster, t.OK, t.Failed)
	if t.Silent+t.Never > 0 {
		line += fmt.Sprintf("  silent %d  never %d", t.Silent, t.Never)
	}
	if batches := valueOf(r.Batches); batches > 1 {
		line += fmt.Sprintf("  batch %d of %d", valueOf(r.Batch), batches)
	}
	waits := valueOf(r.WaitingFor)
	if p.missed == nil && waits == "" {
		line += "  " + speed(done-p.first, p.since)
	}
	line = fmt.Sprintf("%s  %s", strings.TrimRight(line, " "), p.since.Truncate(100*time.Millisecond))
	switch {
	case waits != "":
		line += "  waits: " + clean(waits)
	case len(p.missed) > 0:
		line += fmt.Sprintf("  waits for %d: %s", t.Pending, nagios.Fold(p.missed))
	}
	return line
}

// speed is how many answers come in a second, or where they are few in a minute.
func speed(n int, since time.Duration) string {
	switch rate := float64(n) / since.Seconds(); {
	case n == 0:
		return ""
	case rate < 2:
		return fmt.Sprintf("%.0f/min", rate*60)
	default:
		return fmt.Sprintf("%.0f/s", rate)
	}
}

// fitted cuts a line to a width.
func fitted(line string, width int) string {
	if utf8.RuneCountInString(line) <= width || width < 2 {
		return line
	}
	return string([]rune(line)[:width-1]) + "…"
}
