package broker

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

const (
	acceptRetryMin = 5 * time.Millisecond // after a failure to accept, such as too many open files
	acceptRetryMax = time.Second
	refusalsEvery  = time.Second // at most one refused login is logged in this time; all are counted
)

// Broker is a STOMP broker. New makes one; its methods are safe for concurrent use.
type Broker struct {
	cfg      Config
	auth     Authorizer
	collect  Committer
	presence Presence
	log      *slog.Logger
	m        *meters
	epoch    time.Time // what nanoseconds are counted from
	prefix   string    // of ids; unlike that of any other broker

	table     *table
	nodes     *nodes
	turnstile *turnstile
	roll      *roll
	intake    collectedQueues
	pace      pace
	cuts      cutLog
	held      held
	inflight  budget
	buffers   buffers
	vectors   vectors

	connSeq, messageSeq           atomic.Uint64
	open, sessions, subscriptions atomic.Int64
	outBytes                      atomic.Int64
	lastRefusal                   atomic.Int64 // nanoseconds since epoch
}

// New makes a broker. collect may be nil if nothing is collected, presence may be nil, and so may log. ErrInvalid: the settings are wrong.
func New(cfg Config, auth Authorizer, collect Committer, presence Presence, log *slog.Logger) (*Broker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if auth == nil {
		return nil, fmt.Errorf("a broker needs an Authorizer: %w", fettle.ErrInvalid)
	}
	if collect == nil && cfg.Collected != nil {
		return nil, fmt.Errorf("a broker with collected queues needs a Committer: %w", fettle.ErrInvalid)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = metrics.NewSet()
	}
	b := &Broker{cfg: cfg, auth: auth, collect: collect, presence: presence, log: log, epoch: time.Now(), prefix: rand.Text()[:10]}
	b.held.maxMessages, b.held.maxBytes = int64(cfg.MaxHeldMessages), int64(cfg.MaxHeldBytes)
	b.inflight.limit = cfg.MaxInflight
	b.lastRefusal.Store(-int64(refusalsEvery))
	b.table, b.nodes, b.roll = newTable(b), newNodes(), newRoll()
	b.turnstile = newTurnstile(cfg.MaxLogins)
	b.m = newMeters(cfg.Metrics, b)
	return b, nil
}

// Serve serves the connections that ln accepts, and closes ln. When ctx ends, it accepts no more, lets each connection finish what it has
// begun, for at most the drain timeout, and returns nil after the last has ended. Any other end of ln is an error. It may be called for
// several listeners.
func (b *Broker) Serve(ctx context.Context, ln net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	defer func() { _ = ln.Close() }()
	wg.Go(func() { b.keepPace(ctx) })
	for retry := acceptRetryMin; ; {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			retry = acceptRetryMin
			wg.Go(func() { b.ServeConn(ctx, nc) })
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept connections: %w", err)
		default:
			b.log.Warn("accepting a connection failed", "err", err)
			wait(ctx, retry)
			retry = min(2*retry, acceptRetryMax)
		}
	}
}

// wait waits for d or for the end of ctx.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// ServeConn serves one connection, and closes it. It returns when the connection has ended; when ctx ends, that is within the drain
// timeout.
func (b *Broker) ServeConn(ctx context.Context, nc net.Conn) {
	defer b.open.Add(-1)
	b.m.connections.Inc()
	if n := int(b.open.Add(1)); n > b.cfg.MaxConnections || n-int(b.sessions.Load()) > b.cfg.MaxBeforeLogin {
		b.turnAway(nc)
		return
	}
	c := newConn(b, nc)
	stop := context.AfterFunc(ctx, c.drain)
	defer stop()
	c.serve()
}

// turnAway closes a connection that is one too many, and tells it so.
func (b *Broker) turnAway(nc net.Conn) {
	b.m.refusedConnections.Inc()
	if t, is := nc.(*tls.Conn); is {
		_ = t.NetConn().Close() // to tell it would cost a handshake
		return
	}
	_ = nc.SetDeadline(time.Now().Add(b.cfg.LingerTimeout))
	_, _ = nc.Write(errorFrame(fmt.Errorf("there are %d connections, and no more are allowed: %w", b.open.Load()-1, fettle.ErrUnavailable)))
	_ = nc.Close()
}

// Publish sends a message of the server's own. It never waits for a client. delivered is the number of subscribers of a topic that took it,
// and 1 if a queue took it; 0 means that nobody is there and the message is gone, which is no error. ErrInvalid: dest is no destination,
// or a collected one. ErrUnavailable: the queue is full.
func (b *Broker) Publish(dest string, header []wire.Field, body []byte) (delivered int, err error) {
	isTopic, err := kindOf(dest)
	if err != nil {
		return 0, err
	}
	if b.collected(dest) {
		return 0, fmt.Errorf("%s is collected, and the server cannot send to itself: %w", dest, fettle.ErrInvalid)
	}
	return b.route(dest, isTopic, b.encode(dest, messageHeader(header, ""), body))
}

func (b *Broker) collected(dest string) bool { return b.cfg.Collected != nil && b.cfg.Collected(dest) }

func (b *Broker) transient(dest string) bool { return b.cfg.Transient != nil && b.cfg.Transient(dest) }

// now gives nanoseconds since epoch, on the monotonic clock.
func (b *Broker) now() int64 { return int64(time.Since(b.epoch)) }

func (b *Broker) since(then int64) time.Duration { return time.Duration(b.now() - then) }

// refused counts a login that was refused, and logs it now and then.
func (b *Broker) refused(err error, remote string) {
	b.m.refusedLogins[refusalOf(err)].Inc()
	now, last := b.now(), b.lastRefusal.Load()
	if now-last >= int64(refusalsEvery) && b.lastRefusal.CompareAndSwap(last, now) {
		b.log.Warn("login refused", "err", fmt.Errorf("%s: %w", remote, err))
	}
}
