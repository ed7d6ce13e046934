package bridge

import (
	"context"
	"sync"
	"time"

	"github.com/fettle-dev/fettle/wire"
)

// acks are deliveries whose messages are committed. Whoever commits does not wait for a broker that takes nothing; there are never more of them
// than the prefetch of all queues.
type acks struct {
	wake chan struct{} // holds a token when there is something to do

	mu    sync.Mutex
	due   []*wire.Delivery // guarded by mu
	idle  chan struct{}    // guarded by mu; closed when nothing is due any more; nil: nobody waits for that
	going bool             // guarded by mu; some have been taken and are being sent
}

func (a *acks) init() { a.wake = make(chan struct{}, 1) }

func (a *acks) put(d *wire.Delivery) {
	a.mu.Lock()
	a.due = append(a.due, d)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// take gives what is due; nothing: all that was taken before has been sent.
func (a *acks) take() []*wire.Delivery {
	a.mu.Lock()
	defer a.mu.Unlock()
	due := a.due
	a.due, a.going = nil, len(due) > 0
	if !a.going && a.idle != nil {
		close(a.idle)
		a.idle = nil
	}
	return due
}

// flush returns when nothing is due any more, or enough comes.
func (a *acks) flush(enough <-chan time.Time) {
	a.mu.Lock()
	if len(a.due) == 0 && !a.going {
		a.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	a.idle = idle
	a.mu.Unlock()
	select {
	case <-idle:
	case <-enough:
	}
}

// done notes that the middle is done with a message. What is not acknowledged, the broker gives to the next connection.
func (b *Bridge) done(d *wire.Delivery, err error) {
	if err == nil {
		b.acks.put(d)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.out--; b.out == 0 && b.stopping {
		close(b.drained)
	}
}

// acknowledge sends what is due until ctx ends.
func (b *Bridge) acknowledge(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.acks.wake:
		}
		for due := b.acks.take(); len(due) > 0; due = b.acks.take() {
			for _, d := range due {
				if err := d.Ack(); err != nil {
					b.log.Debug("not acknowledged; it comes again, and is known", "err", err)
					continue
				}
				b.meters.acknowledged.Inc()
			}
		}
	}
}
