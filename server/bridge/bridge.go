package bridge

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/wire"
)

// Middle is the server behind a bridge. None of its methods blocks.
type Middle interface {
	// Collect takes a message, and calls its Done once.
	Collect(server.Incoming)
	// BrokerLost and BrokerBack tell when the broker cannot be reached, and when it can.
	BrokerLost()
	BrokerBack()
}

// Bridge is a server's side of a foreign broker. Its methods are safe for concurrent use.
//
// It has two connections. A broker that runs out of memory or disk stops reading from whoever publishes: over one connection it would not read
// the acknowledgements either, of which it has to make room.
type Bridge struct {
	dialect wire.Dialect
	dest    wire.Destinations
	servers []string
	log     *slog.Logger
	meters  *meters
	reads   *wire.Link
	writes  *wire.Link
	acks    acks

	mu       sync.Mutex // guards all below; the middle is told while it is held, so that it hears things in their order
	middle   Middle     // nil: Run has not begun
	up       [sides]bool
	lostAt   time.Time // when the first side went; zero: the broker was not reached yet
	why      error     // of lostAt
	out      int       // messages that the middle has and is not done with
	stopping bool      // nothing more is taken
	drained  chan struct{}
}

// The two connections of a bridge.
const (
	reading = iota
	writing
	sides
)

// New makes a bridge; nothing happens before Run. ErrInvalid: the config has faults.
func New(cfg Config, log *slog.Logger) (*Bridge, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	link, err := cfg.link()
	if err != nil {
		return nil, err
	}
	b := &Bridge{
		dialect: link.Dialect, dest: wire.Destinations{Collective: cfg.Collective}, servers: link.Servers, log: log, drained: make(chan struct{}),
	}
	b.acks.init()
	b.meters = newMeters(cfg.Metrics, b)
	b.writes = wire.NewLink(link, side{b, writing}, log.With("connection", "to send"))
	for _, queue := range b.dest.Collected() {
		link.Subscriptions = append(link.Subscriptions, wire.Subscription{Destination: queue, Prefetch: cfg.Prefetch})
	}
	b.reads = wire.NewLink(link, side{b, reading}, log.With("connection", "to collect"))
	return b, nil
}

// Servers gives the addresses of the broker, without the account.
func (b *Bridge) Servers() []string { return b.servers }

// drainFor is how long a bridge that is to end waits for the commit of what it has received: what is not acknowledged by then comes again.
const drainFor = 2 * time.Second

// Run connects, and keeps connected until ctx ends. Then it takes no more, acknowledges what the middle still commits, and hangs up.
func (b *Bridge) Run(ctx context.Context, middle Middle) error {
	b.mu.Lock()
	b.middle = middle
	middle.BrokerLost()
	b.mu.Unlock()
	linked, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	defer hangUp()
	var g errgroup.Group
	g.Go(func() error { return b.reads.Run(linked) })
	g.Go(func() error { return b.writes.Run(linked) })
	g.Go(func() error { b.acknowledge(linked); return nil })
	<-ctx.Done()
	b.drain()
	hangUp()
	return g.Wait()
}

// drain waits until the middle is done with what it has.
func (b *Bridge) drain() {
	b.mu.Lock()
	b.stopping = true
	if b.out == 0 {
		close(b.drained)
	}
	b.mu.Unlock()
	enough := time.NewTimer(drainFor)
	defer enough.Stop()
	select {
	case <-b.drained:
		b.acks.flush(enough.C)
	case <-enough.C:
	}
}

// Away tells why the broker cannot be reached: ErrUnavailable; nil: it can.
func (b *Bridge) Away() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.up == [sides]bool{true, true}:
		return nil
	case b.lostAt.IsZero():
		return fmt.Errorf("%s has not been reached yet: %w", b.dialect.Name, fettle.ErrUnavailable)
	}
	return fmt.Errorf("%s is away since %s: %w", b.dialect.Name, b.lostAt.UTC().Format(time.RFC3339), b.why)
}

// Send implements server.Sender. A foreign broker does not tell who read it. ErrUnavailable: it was not sent.
func (b *Bridge) Send(_ context.Context, destination string, m wire.Message) (int, error) {
	if !b.dest.IsCollected(destination) {
		destination = b.dialect.ToReader(destination)
	}
	if err := b.writes.Send(destination, m); err != nil {
		b.meters.unsent.Inc()
		return 0, err
	}
	b.meters.sent.Inc()
	return -1, nil
}

// side is one of the connections.
type side struct {
	*Bridge
	which int
}

// Connected implements wire.Listener.
func (s side) Connected(string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up[s.which] = true
	if s.up != [sides]bool{true, true} {
		return
	}
	if !s.lostAt.IsZero() {
		s.log.Info("the broker is back", "took", time.Since(s.lostAt))
	}
	s.lostAt, s.why = time.Time{}, nil
	s.middle.BrokerBack()
}

// Lost implements wire.Listener.
func (s side) Lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.up
	s.up[s.which] = false
	if s.stopping {
		return
	}
	s.meters.lost.Inc()
	if before == [sides]bool{true, true} {
		s.lostAt, s.why = time.Now(), err
		s.log.Error("the broker is away: nothing is collected or sent, and nobody's silence counts, until it is back", "err", err)
		s.middle.BrokerLost()
	}
}

// Received implements wire.Listener.
func (s side) Received(d *wire.Delivery) {
	s.mu.Lock()
	if s.stopping {
		s.mu.Unlock()
		return // it comes again
	}
	s.out++
	middle := s.middle
	s.mu.Unlock()
	s.meters.received.Inc()
	if d.Message.Get("redelivered") == "true" {
		s.meters.redelivered.Inc()
	}
	middle.Collect(server.Incoming{Destination: d.Destination, Message: d.Message, Done: func(err error) { s.done(d, err) }})
}

// waiting gives the number of messages that are not committed yet.
func (b *Bridge) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out
}
