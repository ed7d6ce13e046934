package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	slowBody   = 16 << 10
	slowOthers = 10
	slowAhead  = 200                    // messages that the publisher is ahead of the slowest of the others
	slowSpan   = 15 * time.Second       // after which a reader that stopped is not going to be cut off
	stuckAfter = 10 * time.Second       // without a message for the others
	lookEvery  = 250 * time.Millisecond // whether it was cut off: the kernel takes a while to list its sockets
)

// slowReader publishes to ten subscribers and to one that has stopped reading, and tells what the ten lose by it.
func (s *subject) slowReader(ctx context.Context, _ settings, row printer) error {
	alone, err := s.publishTo(ctx, nil)
	if err != nil {
		return err
	}
	nc, err := s.target.join(s.hello(99_999)) // it says hello, and never reads again
	if err != nil {
		return err
	}
	defer nc.Close()
	with, err := s.publishTo(ctx, nc.Conn)
	if err != nil {
		return err
	}
	row("one of eleven readers stops: what the others get", "%.0f messages/s of 16 KiB; without it %.0f; lost %d of %d", with.rate, alone.rate, with.lost, with.sent)
	switch {
	case with.stuck:
		row("when it is cut off", "never: after %d messages nobody gets any more", with.sent)
	case with.cut == 0:
		row("when it is cut off", "not within %s and %d MiB", slowSpan, with.sent*slowBody>>20)
	default:
		row("when it is cut off", "after %.1f s and %.1f MiB", with.cut.Seconds(), float64(with.cutAt*slowBody)/(1<<20))
	}
	return nil
}

// published is what came of publishing.
type published struct {
	rate       float64 // messages a second, to each of the others
	sent, lost int64
	cut        time.Duration // after which the slow one was cut off; zero: it was not
	cutAt      int64         // messages by then
	stuck      bool
}

// publishTo publishes to ten readers for a while: until slow is cut off, and for 3 s at least.
func (s *subject) publishTo(ctx context.Context, slow net.Conn) (p published, err error) {
	var list []*listener
	var wg sync.WaitGroup
	defer func() {
		for _, l := range list {
			_ = l.Close()
		}
		wg.Wait()
	}()
	for i := range slowOthers {
		l, err := s.target.join(s.hello(i))
		if err != nil {
			return p, err
		}
		list = append(list, l)
		wg.Go(func() { l.listen(nil) })
	}
	c, err := s.target.open("")
	if err != nil {
		return p, err
	}
	defer c.Close()
	least := func() int64 {
		n := list[0].seen.Load()
		for _, l := range list[1:] {
			n = min(n, l.seen.Load())
		}
		return n
	}
	body := bytes.Repeat([]byte("x"), slowBody)
	began := time.Now()
	look := began
	for ctx.Err() == nil && !p.stuck {
		age := time.Since(began)
		if age > 3*time.Second && (slow == nil || p.cut > 0) || age > slowSpan {
			break
		}
		_ = c.SetWriteDeadline(time.Now().Add(stuckAfter))
		for range 16 {
			c.send("/topic/bench.all", "", body)
		}
		if err := c.out.Flush(); err != nil {
			p.stuck = true // the broker does not read the publisher any more
			break
		}
		p.sent += 16
		for since := time.Now(); p.sent-least() > slowAhead && !p.stuck; time.Sleep(200 * time.Microsecond) {
			p.stuck = time.Since(since) > stuckAfter
		}
		if slow != nil && p.cut == 0 && time.Since(look) > lookEvery {
			if look = time.Now(); hungUp(slow) {
				p.cut, p.cutAt = look.Sub(began), p.sent
			}
		}
	}
	p.rate = float64(least()) / time.Since(began).Seconds()
	for until := time.Now().Add(2 * time.Second); least() < p.sent && time.Now().Before(until); {
		time.Sleep(time.Millisecond)
	}
	p.lost = p.sent - least()
	return p, ctx.Err()
}

// idleMakers is how many connections make destinations.
const idleMakers = 8

// idleDestinations makes many destinations by subscribing and leaving, and tells what memory is kept of them.
func (s *subject) idleDestinations(ctx context.Context, cfg settings, row printer) error {
	before, err := s.rss()
	if err != nil {
		return err
	}
	began := time.Now()
	var made atomic.Int64
	parent := ctx
	g, ctx := errgroup.WithContext(ctx)
	for w := range idleMakers {
		g.Go(func() error {
			c, err := s.target.open("")
			if err != nil {
				return err
			}
			defer c.Close()
			for i := w; i < cfg.idle && time.Since(began) < time.Minute && ctx.Err() == nil; i += idleMakers {
				_ = c.SetDeadline(time.Now().Add(patience))
				fmt.Fprintf(c.out, "SUBSCRIBE\nid:%d\ndestination:/queue/bench.idle.%d\n\n\x00UNSUBSCRIBE\nid:%d\nreceipt:u\n\n\x00", i, i, i)
				made.Add(1)
				if err := c.out.Flush(); err != nil {
					return err
				}
				if err := c.want("RECEIPT"); err != nil {
					return err
				}
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	took := time.Since(began)
	if err := rest(parent, cfg.settle); err != nil {
		return err
	}
	after, err := s.rss()
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%d queues made and left idle", made.Load()), "%.1f s; %.2f KiB of memory more for each (%d to %d MiB)",
		took.Seconds(), float64(after-before)/float64(made.Load())/1024, before>>20, after>>20)
	return nil
}
