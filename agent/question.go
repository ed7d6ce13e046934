package agent

import (
	"context"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/wire"
)

// Bounds of answering filters.
const (
	maxQuestions = 16 // at a time; the server counts a node that does not answer
	maxMissing   = 8  // reasons in an answer
)

// question answers a filter by the facts as they are now: it has them collected, so that the server has them too, and says what the filter is.
func (a *Agent) question(ctx context.Context, env wire.Envelope, text fettle.Filter) {
	if text == "" {
		return
	}
	if a.questions >= maxQuestions || a.stopping {
		a.meters.dropped.Inc()
		return
	}
	a.questions++
	now := a.clock.now()
	done := make(chan published, 1) // so that the loop need not wait for us
	a.facts.asking = append(a.facts.asking, done)
	a.collect(ctx)
	wait := time.Duration(env.Expires.Sub(now))
	began := time.Now()
	a.workers.Go(func() { // ends with ctx, or when nobody waits for the answer any more
		ctx, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		var p published
		select {
		case p = <-done:
		case <-ctx.Done():
		}
		answer := a.match(ctx, text, p, now.Add(time.Since(began)))
		answer.Question = env.ID
		late := ctx.Err() != nil
		a.inbox.put(func(context.Context) {
			if a.questions--; !late {
				a.send(wire.TypeAnswer, a.dest.Results(), answer)
			}
		})
	})
}

// match says what a filter is for this node.
func (a *Agent) match(ctx context.Context, text fettle.Filter, p published, now fettle.Millis) wire.Answer {
	answer := wire.Answer{Truth: filter.Undefined.String()}
	fault := func(err error) wire.Answer {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		answer.Missing = []string{reason}
		return answer
	}
	if p.err != nil {
		return fault(p.err)
	}
	program, err := filter.Compile(filter.OnNode, text)
	if err != nil {
		return fault(err)
	}
	doc, err := filter.ParseDocument(p.doc.Raw)
	if err != nil {
		return fault(err)
	}
	info := a.info()
	truth, missing := program.Match(ctx, &filter.Record{Identity: a.cfg.Identity, Facts: doc, Classes: p.classes, Agent: &info, Now: now})
	answer.Truth = truth.String()
	for _, m := range missing[:min(len(missing), maxMissing)] {
		answer.Missing = append(answer.Missing, m.String())
	}
	return answer
}
