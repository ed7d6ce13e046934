package remedy

import (
	"context"
	"errors"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/store"
)

// Bounds of following.
const (
	pageSize  = 1000
	saveEvery = 500              // transitions that call for nothing, until the cursor is stored: those are judged again after a kill, to the same end
	gapTime   = 30 * time.Second // how long a number that is missing may come yet: transactions that go on at once commit in any order
)

// behind counts what was left out because the server was away while it changed.
type behind struct {
	count  int
	oldest fettle.Millis
	checks map[string]int
}

// follow judges the transitions after the cursor.
func (r *Remedies) follow(ctx context.Context) error {
	defs := map[string]*fettle.Remedy{}
	for ctx.Err() == nil {
		page, err := r.Store.TransitionsAfter(ctx, r.cursor, pageSize)
		if err != nil {
			return err
		}
		whole := len(page)
		page = settled(page, r.cursor, fettle.MillisOf(r.Now()))
		if len(page) > 0 {
			if err := r.judge(ctx, page, defs); err != nil {
				return err
			}
		}
		if len(page) < whole || whole < pageSize {
			r.tellBehind(ctx)
			return nil
		}
	}
	return nil
}

// settled gives the beginning of a page before which nothing can come any more.
func settled(page []store.Transition, cursor int64, now fettle.Millis) []store.Transition {
	for i, tr := range page {
		if tr.Seq != cursor+1 && now.Sub(tr.At) < gapTime {
			return page[:i]
		}
		cursor = tr.Seq
	}
	return page
}

// judge decides about each transition of a page, and keeps that with the cursor.
func (r *Remedies) judge(ctx context.Context, page []store.Transition, defs map[string]*fettle.Remedy) error {
	var called []store.Remedy
	now := fettle.MillisOf(r.Now())
	for _, tr := range page {
		if !tr.Hard || tr.To == "" || tr.To == tr.From {
			continue
		}
		def, known := defs[tr.Check]
		if !known {
			var err error
			if def, err = r.remedyOf(ctx, tr.Check); err != nil {
				return err
			}
			defs[tr.Check] = def
		}
		if def == nil || !slices.Contains(def.When, tr.To) {
			continue
		}
		if now.Sub(tr.At) > maxWait {
			r.behind.add(tr)
			continue
		}
		one := store.Remedy{
			Transition: tr.Seq, Check: tr.Check, Node: tr.Node, At: tr.At, From: tr.From, To: tr.To, Output: tr.Output, Action: def.Action, Phase: fettle.RemedyWaiting,
		}
		if len(r.book.open)+len(called) >= maxOpen {
			r.end(&one, fettle.RemedySkipped, kindCrowd, "too many remedies go on at once", now)
		}
		called = append(called, one)
	}
	to := page[len(page)-1].Seq
	if len(called) == 0 && to-r.saved < saveEvery {
		r.cursor = to
		return nil
	}
	if err := r.Store.JudgeTransitions(ctx, r.saved, to, called); err != nil {
		return r.lost(ctx, err)
	}
	from := r.saved
	r.cursor, r.saved = to, to
	return r.takeIn(ctx, called, from)
}

// takeIn puts what was kept just now into the book, with the numbers that the store has given.
func (r *Remedies) takeIn(ctx context.Context, called []store.Remedy, from int64) error {
	if len(called) == 0 {
		return nil
	}
	seqs := make([]int64, len(called))
	for i := range called {
		seqs[i] = called[i].Transition
	}
	list, err := r.Store.Remedies(ctx, store.RemedyQuery{Transitions: seqs})
	if err != nil {
		r.cursor, r.saved = from, from // the next look finds that they are kept
		return err
	}
	for _, one := range list {
		r.book.put(&one)
		r.meters.judged(one)
	}
	return nil
}

// lost looks where the cursor is, after the store would not move it: an answer may have been lost on its way.
func (r *Remedies) lost(ctx context.Context, err error) error {
	if !errors.Is(err, fettle.ErrConflict) {
		return err
	}
	at, _, readErr := r.Store.JudgedTransitions(ctx)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	var missed []store.Remedy
	if readErr = r.each(ctx, store.RemedyQuery{Open: true}, func(one store.Remedy) { missed = append(missed, one) }); readErr != nil {
		return errors.Join(err, readErr)
	}
	for _, one := range missed {
		if r.book.open[one.Seq] == nil {
			r.book.put(&one)
		}
	}
	r.cursor, r.saved = at, at
	return nil
}

// remedyOf gives what a check has run on change; nil: nothing.
func (r *Remedies) remedyOf(ctx context.Context, check string) (*fettle.Remedy, error) {
	kept, err := r.Fleet.CheckDefinition(ctx, check)
	if errors.Is(err, fettle.ErrNotFound) || err == nil && kept.OnChange == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	whole := checks.Remedied(*kept.OnChange)
	return &whole, nil
}

func (b *behind) add(tr store.Transition) {
	if b.checks == nil {
		b.checks, b.oldest = map[string]int{}, tr.At
	}
	b.count++
	b.checks[tr.Check]++
}

// tellBehind says what was left out, once all of it has been seen.
func (r *Remedies) tellBehind(ctx context.Context) {
	b := r.behind
	if b.count == 0 {
		return
	}
	r.behind = behind{}
	r.meters.behind.Add(b.count)
	r.Log.Warn("changes that called for remedies are too old", "count", b.count, "oldest", b.oldest.Time(), "limit", maxWait)
	r.Audit.Note(ctx, "server", "remedy.behind", "", map[string]any{"count": b.count, "oldest": b.oldest.Time(), "limit": fettle.Span(maxWait).String(), "checks": b.checks})
}
