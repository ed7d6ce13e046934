package remedy

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// maxOpen bounds the remedies that go on.
const maxOpen = 10_000

// longest is the longest cooldown that a check can have: starts are remembered for so long.
const longest = 31 * 24 * anHour

// place is a check on a node.
type place struct {
	check string
	node  fettle.NodeID
}

// start is a remedy that was started.
type start struct {
	place
	at fettle.Millis
}

// book is what limits are reckoned from. It is guarded by the turn of Remedies.
type book struct {
	open   map[int64]*store.Remedy // by seq
	active map[int64]*store.Remedy // those of them that do not wait
	starts []start                 // within an hour, in order
	last   map[place]fettle.Millis
	failed map[string]int // by check: remedies in a row that did not mend
}

func newBook() book {
	return book{open: map[int64]*store.Remedy{}, active: map[int64]*store.Remedy{}, last: map[place]fettle.Millis{}, failed: map[string]int{}}
}

// load reads what goes on, what was started lately, and what did not mend.
func (r *Remedies) load(ctx context.Context) error {
	now := fettle.MillisOf(r.Now())
	err := r.each(ctx, store.RemedyQuery{Open: true}, func(one store.Remedy) { r.book.put(&one) })
	if err != nil {
		return err
	}
	if err := r.each(ctx, store.RemedyQuery{Started: now.Add(-longest)}, func(one store.Remedy) { r.book.started(one, one.Started, now) }); err != nil {
		return err
	}
	slices.SortFunc(r.book.starts, func(a, b start) int { return cmp.Compare(a.at, b.at) })
	done := map[string]bool{} // checks of which it is known how many in a row
	ended := store.RemedyQuery{Phases: []fettle.RemedyPhase{fettle.RemedyMended, fettle.RemedyUnmended, fettle.RemedyFailed}, Started: now.Add(-longest)}
	err = r.each(ctx, ended, func(one store.Remedy) {
		if done[one.Check] = done[one.Check] || one.Phase == fettle.RemedyMended || one.Seq <= r.pauses.Since[one.Check]; !done[one.Check] {
			r.book.failed[one.Check]++
		}
	})
	if err != nil {
		return err
	}
	return r.takeUp(ctx)
}

// each reads all that a query gives, the newest first.
func (r *Remedies) each(ctx context.Context, q store.RemedyQuery, do func(store.Remedy)) error {
	for {
		list, err := r.Store.Remedies(ctx, q)
		if err != nil {
			return err
		}
		for _, one := range list {
			do(one)
		}
		if len(list) < store.MaxPage {
			return nil
		}
		q.Before = list[len(list)-1].Seq
	}
}

// takeUp looks at those whose run was about to start when the server was killed. Where there is no such run, they wait for their turn again, and
// keep its id: should it have been started all the same, it is not started twice.
func (r *Remedies) takeUp(ctx context.Context) error {
	for _, one := range r.book.open {
		if one.Phase != fettle.RemedyRunning {
			continue
		}
		_, err := r.Fleet.RunByID(ctx, one.Run)
		if err != nil && !errors.Is(err, fettle.ErrNotFound) {
			return err
		}
		if err == nil {
			continue
		}
		r.Log.Info("a remedy was about to start when the server ended", "check", one.Check, "node", one.Node, "run", one.Run)
		if err := r.unstart(ctx, one, "the server ended just before it was started"); err != nil {
			return err
		}
	}
	return nil
}

// put has one be among those that go on, as it is now, or not.
func (b *book) put(one *store.Remedy) {
	delete(b.active, one.Seq)
	if one.Ended != 0 {
		delete(b.open, one.Seq)
		return
	}
	b.open[one.Seq] = one
	if one.Phase != fettle.RemedyWaiting {
		b.active[one.Seq] = one
	}
}

// started notes a start for the limits.
func (b *book) started(one store.Remedy, at, now fettle.Millis) {
	p := place{one.Check, one.Node}
	b.last[p] = max(b.last[p], at)
	if now.Sub(at) < anHour {
		b.starts = append(b.starts, start{p, at})
	}
}

// forget takes a start back.
func (b *book) forget(one store.Remedy) {
	p := place{one.Check, one.Node}
	b.starts = slices.DeleteFunc(b.starts, func(s start) bool { return s.place == p && s.at == one.Started })
	if b.last[p] == one.Started {
		delete(b.last, p)
		for _, s := range b.starts {
			if s.place == p {
				b.last[p] = max(b.last[p], s.at)
			}
		}
	}
}

// tidy drops what no limit asks for any more.
func (b *book) tidy(now fettle.Millis) {
	if len(b.starts) == 0 || now.Sub(b.starts[0].at) < anHour {
		return
	}
	b.starts = slices.DeleteFunc(b.starts, func(s start) bool { return now.Sub(s.at) >= anHour })
	maps.DeleteFunc(b.last, func(_ place, at fettle.Millis) bool { return now.Sub(at) >= longest })
}

// past gives what the limits of a remedy are held against.
func (b *book) past(one *store.Remedy, now fettle.Millis) past {
	p := past{last: b.last[place{one.Check, one.Node}]}
	for _, o := range b.active {
		if o.Check != one.Check || o.Seq == one.Seq {
			continue
		}
		p.going++
		if o.Node == one.Node {
			p.busy = o.Seq
		}
	}
	others := map[fettle.NodeID]bool{}
	for _, s := range b.starts {
		switch {
		case s.check != one.Check || now.Sub(s.at) >= anHour:
		case s.node == one.Node:
			p.onNode++
		default:
			others[s.node] = true
		}
	}
	p.nodes = len(others)
	return p
}

// inOrder gives what goes on, the oldest first.
func (b *book) inOrder() []*store.Remedy {
	return slices.SortedFunc(maps.Values(b.open), func(x, y *store.Remedy) int { return cmp.Compare(x.Seq, y.Seq) })
}
