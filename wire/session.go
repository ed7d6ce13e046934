package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	fettle "github.com/fettle-dev/fettle"
)

// session is one connection of a link, from CONNECTED to its end. It is written here on the frame package and not on that module's client,
// whose Send holds a lock until the RECEIPT has come: nothing else, not even an ACK, can be sent meanwhile.
type session struct {
	cfg     *LinkConfig
	conn    net.Conn
	version string
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
	ack         []string // header of the ACK; nil: none is due
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
func (l *Link) connect(ctx context.Context, name string) (*session, *frame.Reader, error) {
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
	in := frame.NewReaderSize(&guard{from: alive}, 2048)
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
		f := frame.New(frame.SUBSCRIBE, frame.Id, strconv.Itoa(i), frame.Destination, sub.Destination)
		if f.Header.Set(frame.Ack, frame.AckClientIndividual); sub.Auto {
			f.Header.Set(frame.Ack, frame.AckAuto)
		}
		if sub.Prefetch > 0 && s.cfg.Dialect.Prefetch != "" {
			f.Header.Set(s.cfg.Dialect.Prefetch, strconv.Itoa(sub.Prefetch))
		}
		for _, h := range sub.Header {
			f.Header.Set(h.Name, h.Value)
		}
		if err := s.writeFrame(f); err != nil {
			return fmt.Errorf("subscribe to %s: %w", sub.Destination, err)
		}
	}
	return nil
}

// read hands on what comes, until nothing more does.
func (s *session) read(in *frame.Reader, listen Listener) error {
	for {
		f, err := readFrame(in)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = fmt.Errorf("the broker hung up: %w", fettle.ErrUnavailable)
			}
			return err
		}
		switch f.Command {
		case frame.RECEIPT:
			s.receipt(f.Header.Get(frame.ReceiptId))
		case frame.MESSAGE:
			listen.Received(s.delivery(f))
		}
	}
}

func (s *session) delivery(f *frame.Frame) *Delivery {
	d := &Delivery{Destination: f.Header.Get(frame.Destination), Message: Message{Body: f.Body}, from: s}
	for i := range f.Header.Len() {
		name, value := f.Header.GetAt(i)
		d.Message.Header = append(d.Message.Header, Field{name, value})
	}
	n, err := strconv.Atoi(f.Header.Get(frame.Subscription))
	if err != nil || n < 0 || n >= len(s.cfg.Subscriptions) || s.cfg.Subscriptions[n].Auto {
		return d
	}
	if s.version == "1.1" {
		d.ack = []string{frame.Subscription, strconv.Itoa(n), frame.MessageId, f.Header.Get(frame.MessageId)}
	} else if id := f.Header.Get(frame.Ack); id != "" {
		d.ack = []string{frame.Id, id}
	}
	return d
}

// Ack says that the delivery need not come again. ErrUnavailable: the connection on which it came is gone, and it comes again. One that waits
// for no acknowledgement gives nil.
func (d *Delivery) Ack() error {
	if d.ack == nil {
		return nil
	}
	return d.from.writeFrame(frame.New(frame.ACK, d.ack...))
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
