package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	dialers  = 32      // connections that are being made at a time
	fanBody  = 1 << 10 // bytes
	fanTimes = 7       // of which the median counts
)

// crowd connects n nodes, looks at the memory, and sends a message to all of them.
func (s *subject) crowd(ctx context.Context, n int, secure bool, settle time.Duration, row printer) error {
	t, how := s.target, ""
	if secure {
		t.addr, t.tls, how = s.secure, true, ", TLS 1.3"
	}
	before, err := s.rss()
	if err != nil {
		return err
	}
	cpu, err := s.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	list, err := t.joinAll(ctx, n)
	took := time.Since(began)
	var wg sync.WaitGroup
	defer func() {
		for _, l := range list {
			if l != nil {
				_ = l.Close()
			}
		}
		wg.Wait()
	}()
	if err != nil {
		return err
	}
	used, err := s.cpu()
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%d connected and subscribed%s", n, how), "%.2f s, CPU of the broker %.2f s", took.Seconds(), (used - cpu).Seconds())
	if err := rest(ctx, settle); err != nil {
		return err
	}
	after, err := s.rss()
	if err != nil {
		return err
	}
	row(fmt.Sprintf("resident memory a connection, %d%s", n, how), "%.1f KiB (%d to %d MiB)", float64(after-before)/float64(n)/1024, before>>20, after>>20)

	var got, want atomic.Int64
	full := make(chan struct{}, 1)
	for _, l := range list {
		wg.Go(func() {
			l.listen(func(k int) {
				if got.Add(int64(k)) == want.Load() {
					full <- struct{}{}
				}
			})
		})
	}
	c, err := s.target.open("")
	if err != nil {
		return err
	}
	defer c.Close()
	body := bytes.Repeat([]byte("x"), fanBody)
	var spans []time.Duration
	for range fanTimes {
		want.Add(int64(n))
		began := time.Now()
		c.send("/topic/bench.all", "", body)
		if err := c.out.Flush(); err != nil {
			return err
		}
		select {
		case <-full:
			spans = append(spans, time.Since(began))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(patience):
			return fmt.Errorf("%d of %d got the message within %s", got.Load()-want.Load()+int64(n), n, patience)
		}
	}
	slices.Sort(spans)
	row(fmt.Sprintf("1 KiB to the last of %d%s", n, how), "%d ms (%d to %d)", spans[len(spans)/2].Milliseconds(), spans[0].Milliseconds(), spans[len(spans)-1].Milliseconds())
	return nil
}

// joinAll makes n listeners. Those that are there are given also when there is an error.
func (t target) joinAll(ctx context.Context, n int) ([]*listener, error) {
	list := make([]*listener, n)
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for range dialers {
		g.Go(func() error {
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				l, err := t.join(t.hello(i))
				if err != nil {
					return fmt.Errorf("connection %d: %w", i+1, err)
				}
				list[i] = l
			}
			return ctx.Err()
		})
	}
	return list, g.Wait()
}

// rest waits.
func rest(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

const (
	queueBody   = 2 << 10
	queueAhead  = 4000 // messages that are sent and not yet acknowledged: it keeps the queue from growing
	queueWindow = 256  // messages that the consumer has and has not acknowledged
)

// throughQueue has one publisher and one consumer that acknowledges each message.
func (s *subject) throughQueue(ctx context.Context, cfg settings, row printer) error {
	dest := "/queue/bench.work"
	in, err := s.target.open(fmt.Sprintf("SUBSCRIBE\nid:1\ndestination:%s\nack:client-individual\n%s:%d\nreceipt:ready\n\n\x00", dest, s.prefetch, queueWindow))
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := s.target.open("")
	if err != nil {
		return err
	}
	defer out.Close()
	cpu, err := s.cpu()
	if err != nil {
		return err
	}
	var sent, got atomic.Int64
	var over atomic.Bool
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer over.Store(true)
		body := bytes.Repeat([]byte("x"), queueBody)
		for time.Since(began) < cfg.span && ctx.Err() == nil {
			for range 64 {
				out.send(dest, "", body)
			}
			if err := out.out.Flush(); err != nil {
				return err
			}
			for sent.Add(64); sent.Load()-got.Load() > queueAhead && ctx.Err() == nil; {
				time.Sleep(200 * time.Microsecond)
			}
		}
		return ctx.Err()
	})
	g.Go(func() error {
		for !over.Load() || got.Load() < sent.Load() {
			_ = in.SetReadDeadline(time.Now().Add(patience))
			f, err := in.read()
			if err != nil {
				return fmt.Errorf("after %d of %d messages: %w", got.Load(), sent.Load(), err)
			}
			if f.command != "MESSAGE" {
				return fmt.Errorf("%s came: %s", f.command, f.text)
			}
			in.out.WriteString("ACK\nid:")
			in.out.WriteString(escape(f.ack))
			in.out.WriteString("\n\n\x00")
			if in.idle() {
				if err := in.out.Flush(); err != nil {
					return err
				}
			}
			got.Add(1)
		}
		return in.out.Flush()
	})
	if err := g.Wait(); err != nil {
		return err
	}
	took := time.Since(began)
	used, err := s.cpu()
	if err != nil {
		return err
	}
	row("2 KiB through one queue, client-individual, no receipts", "%.0f messages/s, CPU of the broker %.1f µs a message",
		float64(got.Load())/took.Seconds(), float64((used-cpu).Microseconds())/float64(got.Load()))
	return nil
}
