package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/wire"
)

// published is told to those who wait.
type published struct {
	doc     wire.Document
	classes []string
	err     error
}

// publisher is what is known of the facts here, and what the server is known to have. It belongs to the loop.
type publisher struct {
	current   wire.Document // to be published
	classes   []string
	commands  []string
	receipted wire.Document // what the server has, as far as receipts tell
	volatile  time.Time     // when volatile facts were last let through
	seq       int64
	full      bool          // the server wants the whole document
	flying    bool          // a facts message waits for its receipt
	flight    wire.Document // what it makes
	listed    bool          // classes and commands are as the server has them
	overdue   bool          // hello has waited for facts for long enough
	greeted   wire.Document

	collecting bool
	again      bool               // something changed while a collection was running
	waiting    []chan<- published // told when current has its receipt
	asking     []chan<- published // told by the collection that begins next
}

// hello gives the hash that is said in hello, and remembers which document it was said of.
func (p *publisher) hello() string {
	if p.greeted = p.receipted; p.greeted.None() {
		p.greeted = p.current
	}
	return p.greeted.Hash
}

// told gives the hash of the last document that was sent on this connection.
func (p *publisher) told() string {
	if p.flying {
		return p.flight.Hash
	}
	return p.receipted.Hash
}

// collect has the source collect, in its own goroutine, and never twice at the same time.
func (a *Agent) collect(ctx context.Context) {
	if a.stopping {
		return // the workers are waited for: there must be no more of them
	}
	if a.facts.collecting {
		a.facts.again = true
		return
	}
	a.facts.collecting, a.facts.again = true, false
	asked := a.facts.asking
	a.facts.asking = nil
	a.workers.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, max(a.cfg.FactsInterval, time.Minute))
		defer cancel()
		snap, err := a.source.Collect(ctx)
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		doc, fault := wire.Document{}, error(nil)
		if snap.Facts != nil {
			doc, fault = wire.Encode(snap.Facts)
		}
		commands := a.actions.Commands()
		a.inbox.put(func(ctx context.Context) { a.collected(ctx, snap, doc, commands, errors.Join(err, fault), asked) })
	})
}

// collected takes what a collection gave.
func (a *Agent) collected(ctx context.Context, snap facts.Snapshot, doc wire.Document, commands []string, err error, asked []chan<- published) {
	a.facts.collecting = false
	if err != nil && ctx.Err() == nil {
		a.log.Warn("collecting facts", "err", err)
	}
	if !doc.None() {
		a.facts.current = a.hold(doc, len(asked) > 0)
		a.about.Store(&Known{Facts: doc.Raw, Classes: snap.Classes, Agent: a.info()})
		a.facts.list(snap.Classes, commands)
	}
	for _, done := range asked {
		if doc.None() {
			done <- published{err: fmt.Errorf("no facts: %w", cmp.Or(err, fettle.ErrUnavailable))}
			continue
		}
		a.facts.waiting = append(a.facts.waiting, done)
	}
	if a.facts.again {
		a.collect(ctx)
	}
}

// hold keeps volatile facts as they were published, until it is time for them or somebody asks.
func (a *Agent) hold(doc wire.Document, asked bool) wire.Document {
	before := a.facts.current
	if before.None() || asked || time.Since(a.facts.volatile) >= a.cfg.VolatileInterval {
		a.facts.volatile = time.Now()
		return doc
	}
	held, err := wire.Hold(before, doc, a.source.Volatile().Match)
	if err != nil {
		return doc
	}
	return held
}

// list takes the names that go beside the facts.
func (p *publisher) list(classes, commands []string) {
	if slices.Equal(p.classes, classes) && slices.Equal(p.commands, commands) {
		return
	}
	p.classes, p.commands, p.listed = classes, commands, false
}

// publish sends what the server does not have, one message at a time.
func (a *Agent) publish() {
	p := &a.facts
	if !a.connected {
		p.settle(fmt.Errorf("the facts are not published: there is no connection: %w", fettle.ErrUnavailable))
	}
	if !a.welcomed || p.flying || p.current.None() {
		return
	}
	if !p.full && p.listed && p.current.Hash == p.receipted.Hash {
		p.settle(nil)
		return
	}
	body := wire.Facts{Session: a.session, Seq: p.seq + 1}
	if p.full || !p.listed {
		classes, commands := orEmpty(p.classes), orEmpty(p.commands)
		body.Classes, body.Commands = &classes, &commands
	}
	if p.full || p.receipted.None() {
		body.Full, body.Hash = p.current.Raw, p.current.Hash
	} else if p.current.Hash != p.receipted.Hash {
		patch := wire.Diff(p.receipted, p.current)
		if patch.Seq = body.Seq; len(patch.Set)+len(patch.Unset) <= maxPatch {
			body.Patch = &patch
		} else {
			body.Full, body.Hash = p.current.Raw, p.current.Hash
		}
	}
	m, err := a.seal(wire.TypeFacts, body)
	if err != nil {
		a.log.Error("the facts cannot be sent", "err", err)
		p.settle(err)
		p.current, p.full = p.receipted, false
		return
	}
	sent := p.current
	if err := a.link.Post(a.dest.Facts(), m, func(err error) { a.inbox.put(func(context.Context) { p.receipt(sent, err) }) }); err != nil {
		return // the window is full, or the connection is gone: both come back to us
	}
	p.seq++
	p.flying, p.flight, p.full, p.listed = true, sent, false, true
}

// maxPatch is how many paths a patch may have: beyond it the whole document is hardly larger, and certainly fits a message.
const maxPatch = 1000

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// receipt is called when the server has the document, or when that will never be known.
func (p *publisher) receipt(sent wire.Document, err error) {
	p.flying, p.flight = false, wire.Document{}
	if err != nil {
		p.listed = false // the next hello tells what it has of the facts, not what of the names
		return
	}
	p.receipted = sent
}

// settle answers those who wait for the facts to be published.
func (p *publisher) settle(err error) {
	for _, done := range p.waiting {
		done <- published{doc: p.current, classes: p.classes, err: err} // each has room for one
	}
	p.waiting = nil
}

// onWelcome takes the server's answer to hello.
func (a *Agent) onWelcome(ctx context.Context, w wire.Welcome) {
	if w.RetryAfter > 0 {
		a.link.Redial(min(time.Duration(w.RetryAfter)*time.Millisecond, maxRetryAfter))
		return
	}
	if w.Time > 0 {
		a.clock.set(w.Time)
		told := a.clock
		a.told.Store(&told)
		a.checks.look() // turns by cron are reckoned by it
	}
	if every := time.Duration(w.BeatMS) * time.Millisecond; every >= time.Second && every <= time.Hour {
		a.link.BackWithin(2 * every) // for so long a server that has started blames nobody
		if every != a.beatEvery {
			a.beatEvery = every
			a.nextBeat.Reset(a.splay(every)) // the one that was due by our own interval may be too late for the server
		}
	}
	select {
	case <-a.ready:
	default:
		close(a.ready)
	}
	if a.cfg.Welcomed != nil {
		a.cfg.Welcomed()
		a.cfg.Welcomed = nil
	}
	if w.NeedFacts {
		a.facts.full = true
	} else if !a.welcomed && !a.facts.greeted.None() { // a second welcome only tells the time: facts have gone on since hello
		a.facts.receipted = a.facts.greeted
	}
	a.welcomed = true
	a.resume()
	held := a.held
	a.held = nil
	for _, d := range held {
		a.receive(ctx, d)
	}
}

// maxRetryAfter bounds what a server may ask for: after it, another one may be there.
const maxRetryAfter = 10 * time.Minute

// Refresh collects the facts again and returns when the server has them, with what the action agent.facts answers. It is safe for concurrent
// use, while Run runs. ErrUnavailable: there is no connection, or there are no facts.
func (a *Agent) Refresh(ctx context.Context) (map[string]any, error) {
	done := make(chan published, 1) // so that the loop need not wait for us
	a.inbox.put(func(ctx context.Context) {
		a.facts.asking = append(a.facts.asking, done)
		a.collect(ctx)
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case p := <-done:
		if p.err != nil {
			return nil, p.err
		}
		return map[string]any{"hash": p.doc.Hash, "leaves": int64(p.doc.Leaves())}, nil
	}
}
