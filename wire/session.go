package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// session is one connection of a link, from CONNECTED to its end. While a RECEIPT is waited for, other frames can be sent.
type session struct {
	cfg     *LinkConfig
	conn    net.Conn
	version STOMP
	beats   time.Duration // the longest that we may be silent; zero: for ever
	wrote   atomic.Int64  // when a frame was last written, in nanoseconds
	hungUp  atomic.Pointer[error]

	write sync.Mutex // held while a frame is written

	mu      sync.Mutex // guards all below
	posts   map[string]post
	bytes   int // of posts
	counter uint64
	over    bool
}

// Delivery is a message that was received.
type Delivery struct {
	Destination string
	Message     Message
	from        *session
	ack         []Field // header of the ACK; nil: none is due
}

// session connects, serves the connection until it ends, and tells whether there was one.
func (l *Link) session(ctx context.Context, name string) (connected bool, err error) {
	defer func() { l.comeBack(err) }()
	s, in, err := l.connect(ctx, name)
	if err != nil {
		return false, err
	}
	defer s.conn.Close()
	l.mu.Lock()
	l.now = s
	l.mu.Unlock()
	l.listen.Connected(name)
	l.log.Info("connected", "server", name)

	var reader sync.WaitGroup
	ended := make(chan error, 1) // so that the reader need not wait for us
	reader.Go(func() { ended <- s.read(in, l.listen) })
	err = s.keep(ctx, ended)
	if reason := s.hungUp.Load(); reason != nil {
		err = *reason
	}
	l.mu.Lock()
	l.now = nil
	l.mu.Unlock()
	if ctx.Err() != nil {
		s.goodbye()
	}
	s.conn.Close()
	reader.Wait()
	s.fail(err)
	l.listen.Lost(err)
	return true, err
}

// maxRetryAfter bounds what a broker may ask for: after it, another one may be there.
const maxRetryAfter = 10 * time.Minute

// comeBack remembers when a broker wants us back, if it says so in an ERROR: to a login too.
func (l *Link) comeBack(err error) {
	var refusal *brokerError
	if !errors.As(err, &refusal) || refusal.retryAfter <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retryAfter = max(l.retryAfter, min(refusal.retryAfter, maxRetryAfter))
}

// connect dials, logs in and subscribes.
func (l *Link) connect(ctx context.Context, name string) (*session, *frameReader, error) {
	to, err := parseServer(name)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.DialTimeout)
	defer cancel()
	who := l.cfg.identity()
	conn, err := l.dial(ctx, to, who.TLS)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	s := &session{cfg: &l.cfg, conn: conn, posts: map[string]post{}}
	alive := &deadlines{conn: conn}
	in := newFrameReader(alive)
	if err = s.login(to, who, in, alive); err == nil {
		err = s.subscribe()
	}
	if err == nil && !stop() {
		err = ctx.Err()
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return s, in, nil
}

// subscribe sends SUBSCRIBE for all that is read, without asking for receipts, which not every broker gives here.
func (s *session) subscribe() error {
	for i, sub := range s.cfg.Subscriptions {
		header := []Field{{"id", strconv.Itoa(i)}, {"destination", sub.Destination}, {"ack", "client-individual"}}
		if sub.Auto {
			header[2].Value = "auto"
		}
		if sub.Prefetch > 0 && s.cfg.Dialect.Prefetch != "" {
			header = append(header, Field{s.cfg.Dialect.Prefetch, strconv.Itoa(sub.Prefetch)})
		}
		if err := s.writeFrame("SUBSCRIBE", append(header, sub.Header...), nil); err != nil {
			return fmt.Errorf("subscribe to %s: %w", sub.Destination, err)
		}
	}
	return nil
}

// read hands on what comes, until nothing more does.
func (s *session) read(in *frameReader, listen Listener) error {
	for {
		f, err := readFrame(in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("the broker hung up: %w", fettle.ErrUnavailable)
			}
			return err
		}
		switch f.Command {
		case "RECEIPT":
			s.receipt(f.Get("receipt-id"))
		case "MESSAGE":
			listen.Received(s.delivery(f))
		}
	}
}

func (s *session) delivery(f *Frame) *Delivery {
	d := &Delivery{Destination: f.Get("destination"), Message: Message{Body: bytes.Clone(f.Body), Header: slices.Clone(f.Header)}, from: s}
	n, err := strconv.Atoi(f.Get("subscription"))
	if err != nil || n < 0 || n >= len(s.cfg.Subscriptions) || s.cfg.Subscriptions[n].Auto {
		return d
	}
	if s.version == STOMP11 {
		d.ack = []Field{{"subscription", strconv.Itoa(n)}, {"message-id", f.Get("message-id")}}
	} else if id := f.Get("ack"); id != "" {
		d.ack = []Field{{"id", id}}
	}
	return d
}

// Ack says that the delivery need not come again. ErrUnavailable: the connection on which it came is gone, and it comes again. One that waits
// for no acknowledgement gives nil.
func (d *Delivery) Ack() error {
	if d.ack == nil {
		return nil
	}
	return d.from.writeFrame("ACK", d.ack, nil)
}

// keep sends heart-beats and looks for receipts that do not come, until the connection ends.
func (s *session) keep(ctx context.Context, ended <-chan error) error {
	timer := time.NewTimer(s.pause())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			return err
		case <-timer.C:
			if s.late() {
				return fmt.Errorf("no receipt for %v: %w", s.cfg.ReceiptTimeout, fettle.ErrUnavailable)
			}
			if s.beats > 0 && s.idle() >= s.beatAfter() {
				if err := s.writeBytes([]byte("\n")); err != nil {
					return err
				}
			}
			timer.Reset(s.pause())
		}
	}
}

func (s *session) idle() time.Duration { return time.Duration(time.Now().UnixNano() - s.wrote.Load()) }

// beatAfter leaves a third of what was agreed for the way.
func (s *session) beatAfter() time.Duration { return s.beats * 2 / 3 }

// pause gives how long nothing is to be done, whatever is posted meanwhile.
func (s *session) pause() time.Duration {
	wait := s.cfg.ReceiptTimeout
	if s.beats > 0 {
		wait = min(wait, s.beatAfter()-s.idle())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.posts {
		wait = min(wait, time.Until(p.until))
	}
	return max(wait, time.Millisecond)
}

// late tells whether a receipt ought to have come.
func (s *session) late() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.posts {
		if !time.Now().Before(p.until) {
			return true
		}
	}
	return false
}
