package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fettle-dev/fettle/wire"
)

// pressed is what came of a load.
type pressed struct {
	committed int           // messages
	took      time.Duration // from the first message to the last receipt
	waits     []time.Duration
	cpu       time.Duration
}

// press has all nodes send together rate messages a second. They are made and signed before: what is measured is the server. A node whose window
// is full waits, so more than the server takes is not offered for long.
func (f *fleet) press(ctx context.Context, rate int, next func(*node) (message, error)) (sum pressed, err error) {
	each := max(1, int(float64(rate)*f.span.Seconds())/len(f.nodes))
	made := make([][]message, len(f.nodes))
	g := errgroup.Group{}
	g.SetLimit(4)
	for i, n := range f.nodes {
		g.Go(func() error {
			for range each {
				m, err := next(n)
				if err != nil {
					return err
				}
				made[i] = append(made[i], m)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return sum, err
	}
	before, err := f.house.running.CPU()
	if err != nil {
		return sum, err
	}
	every := time.Duration(float64(len(f.nodes)) / float64(rate) * float64(time.Second))
	began := time.Now()
	waits := make([][]time.Duration, len(f.nodes))
	all, ctx := errgroup.WithContext(ctx)
	for i, n := range f.nodes {
		first := began.Add(every * time.Duration(i) / time.Duration(len(f.nodes)))
		all.Go(func() (err error) {
			waits[i], err = n.send(ctx, made[i], first, every)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return sum, err
	}
	sum.took = time.Since(began)
	after, err := f.house.running.CPU()
	if err != nil {
		return sum, err
	}
	sum.cpu = after - before
	for _, w := range waits {
		sum.committed += len(w)
		sum.waits = append(sum.waits, w...)
	}
	return sum, nil
}

// send sends messages at their times, and waits for the last receipt. It gives how long each receipt took from the moment when its message was
// due: a queue before the server is the server's.
func (n *node) send(ctx context.Context, list []message, due time.Time, every time.Duration) ([]time.Duration, error) {
	var mu sync.Mutex
	waits := make([]time.Duration, 0, len(list))
	failed := make(chan error, 1)
	room := make(chan struct{}, 1)
	var pending sync.WaitGroup
	for _, m := range list {
		if err := until(ctx, due); err != nil {
			return nil, err
		}
		at := due
		done := func(err error) {
			defer pending.Done()
			if err != nil {
				select {
				case failed <- err:
				default:
				}
				return
			}
			mu.Lock()
			waits = append(waits, time.Since(at))
			mu.Unlock()
			select {
			case room <- struct{}{}:
			default:
			}
		}
		for {
			pending.Add(1)
			err := n.link.Post(m.dest, m.Message, done)
			if err == nil {
				break
			}
			pending.Done()
			if !errors.Is(err, wire.ErrWindow) {
				return nil, err
			}
			select {
			case <-room:
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(patience):
				return nil, fmt.Errorf("%s: no receipt within %s", n.id, patience)
			}
		}
		due = due.Add(every)
	}
	pending.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
	}
	return waits, nil
}

// until waits for a moment.
func until(ctx context.Context, at time.Time) error {
	d := time.Until(at)
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
