package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	fettle "github.com/fettle-dev/fettle"
)

// LinkConfig says to whom a link connects, as whom, and how patient it is.
type LinkConfig struct {
	Servers         []string // stomp://host:port or stomps://host:port, of some brokers with /virtual-host; the first that answers is taken
	Dialect         Dialect
	Login, Passcode string
	ClientID        string      // header client-id: the identity
	TLS             *tls.Config // of stomps; nil: the system's roots
	// Identify gives, before each connection is made, who logs in and whom TLS believes; nil: the four fields above hold.
	Identify func() LinkIdentity
	// Refused is told when a broker answers a login with an ERROR that names no time to come back; it must not block. Nil: nobody is told.
	Refused func(err error)
	// Dial makes a connection; nil: net.Dialer.
	Dial          func(ctx context.Context, network, address string) (net.Conn, error)
	Subscriptions []Subscription

	HeartBeat      time.Duration // offered and wanted, both ways; zero: none
	DialTimeout    time.Duration // for the connection, TLS and login together
	WriteTimeout   time.Duration // for the other end to take a frame
	ReceiptTimeout time.Duration // for a RECEIPT; after it, the connection is taken for dead
	Redial         time.Duration // mean of the first wait; it doubles
	RedialMax      time.Duration // mean of the longest wait, which is up to twice as long: all are back within a minute
	Stable         time.Duration // a connection that lived for so long starts the waits anew
	Window         int           // messages without a RECEIPT
	WindowBytes    int           // bytes of them
}

// DefaultLink gives an agent's settings.
func DefaultLink() LinkConfig {
	return LinkConfig{
		HeartBeat: 30 * time.Second, DialTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, ReceiptTimeout: 30 * time.Second,
		Redial: 500 * time.Millisecond, RedialMax: 20 * time.Second, Stable: 10 * time.Second, Window: 32, WindowBytes: 1 << 20,
	}
}

// LinkIdentity is who logs in to a broker.
type LinkIdentity struct {
	Login, Passcode, ClientID string
	TLS                       *tls.Config // of stomps; nil: the system's roots
}

func (c LinkConfig) identity() LinkIdentity {
	if c.Identify != nil {
		return c.Identify()
	}
	return LinkIdentity{Login: c.Login, Passcode: c.Passcode, ClientID: c.ClientID, TLS: c.TLS}
}

// Validate reports everything that is wrong, as ErrInvalid.
func (c LinkConfig) Validate() error {
	var faults []error
	if len(c.Servers) == 0 {
		faults = append(faults, fmt.Errorf("servers: none is given: %w", fettle.ErrInvalid))
	}
	for _, s := range c.Servers {
		if to, err := parseServer(s); err != nil {
			faults = append(faults, fmt.Errorf("servers: %w", err))
		} else if to.host != "" && !c.Dialect.Hosts {
			faults = append(faults, fmt.Errorf("servers: %q names a virtual host, and %s has none: %w", s, c.Dialect.Name, fettle.ErrInvalid))
		}
	}
	for _, s := range c.Subscriptions {
		faults = append(faults, c.Dialect.Fits(s.Destination))
	}
	for _, s := range []string{c.Login, c.Passcode, c.ClientID} {
		if strings.ContainsAny(s, "\r\n\x00") {
			faults = append(faults, fmt.Errorf("login, passcode and identity: a line break cannot be sent: %w", fettle.ErrInvalid))
		}
	}
	return errors.Join(faults...)
}

// Subscription is something that a link reads as long as it is connected.
type Subscription struct {
	Destination string
	Auto        bool // no acknowledgement; otherwise each delivery waits for its Ack
	Prefetch    int  // deliveries that may wait for their Ack; zero: what the broker likes
	Header      []Field
}

// Listener is told what happens on a link. None of its methods may block: a link that does not read is cut off by the broker.
type Listener interface {
	// Connected is called when the subscriptions have been sent, before anything is received.
	Connected(server string)
	// Received is called for each delivery.
	Received(d *Delivery)
	// Lost is called after every Connected, when the connection is gone and each Post has been told.
	Lost(err error)
}

// ErrWindow says that as many messages as are allowed wait for their RECEIPT. Each RECEIPT makes room.
var ErrWindow = fmt.Errorf("the window is full: %w", fettle.ErrUnavailable)

var errNotConnected = fmt.Errorf("not connected: %w", fettle.ErrUnavailable)

// Link is a connection to a broker that comes back by itself. Its methods are safe for concurrent use.
type Link struct {
	cfg    LinkConfig
	listen Listener
	log    *slog.Logger

	mu         sync.Mutex    // guards all below
	now        *session      // nil: not connected
	retryAfter time.Duration // the other end asked for it
	redialMax  time.Duration // LinkConfig's, or less
}

// NewLink makes a link; nothing happens before Run. The config has passed Validate.
func NewLink(cfg LinkConfig, listen Listener, log *slog.Logger) *Link {
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	return &Link{cfg: cfg, listen: listen, log: log, redialMax: cfg.RedialMax}
}

// Run keeps the link connected until ctx ends, then says good-bye and gives nil.
func (l *Link) Run(ctx context.Context) error {
	waits := &backoff.ExponentialBackOff{InitialInterval: l.cfg.Redial, RandomizationFactor: 1, Multiplier: 2, MaxInterval: l.cfg.RedialMax}
	for next, failures := 0, 0; ; {
		server := l.cfg.Servers[next%len(l.cfg.Servers)]
		began := time.Now()
		connected, err := l.session(ctx, server)
		if ctx.Err() != nil {
			return nil
		}
		if refusal := (*brokerError)(nil); !connected && l.cfg.Refused != nil && errors.As(err, &refusal) && refusal.retryAfter == 0 {
			l.cfg.Refused(err)
		}
		if connected && time.Since(began) >= l.cfg.Stable {
			waits.Reset()
			next, failures = 0, 0
		} else {
			next++
			failures++
		}
		var after time.Duration
		after, waits.MaxInterval = l.takeRetry()
		wait := max(waits.NextBackOff(), after)
		l.report(ctx, server, connected, failures, wait, err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// report logs the first failures, and then only such as a person has asked for.
func (l *Link) report(ctx context.Context, server string, connected bool, failures int, wait time.Duration, err error) {
	level, text := slog.LevelWarn, "cannot connect"
	if connected {
		text = "connection lost"
	} else if failures > len(l.cfg.Servers) {
		level = slog.LevelDebug
	}
	l.log.Log(ctx, level, text, "server", server, "retry", wait.Round(time.Millisecond).String(), "err", err) //nolint:sloglint // one of a few constants
}

// takeRetry gives what Redial was told, with up to a quarter more, so that not all come back at once, and the mean of the longest wait.
func (l *Link) takeRetry() (after, redialMax time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	after, l.retryAfter = l.retryAfter, 0
	if after <= 0 {
		return 0, l.redialMax
	}
	spread := backoff.ExponentialBackOff{InitialInterval: after / 8, RandomizationFactor: 1, Multiplier: 1, MaxInterval: after}
	return after + spread.NextBackOff(), l.redialMax
}

// BackWithin shortens the waits between connections, so that none takes more than two thirds of a span: who waits longer than the other end lets
// pass before it judges is blamed for that end's absence. LinkConfig.RedialMax stays the bound.
func (l *Link) BackWithin(span time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.redialMax = min(l.cfg.RedialMax, max(l.cfg.Redial, span/3))
}

// Connected tells whether there is a connection, as far as is known.
func (l *Link) Connected() bool { return l.current() != nil }

func (l *Link) current() *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// Send sends a message and asks for no RECEIPT; a restart of the broker may lose it. ErrUnavailable: it was not sent.
func (l *Link) Send(dest string, m Message) error {
	s := l.current()
	if s == nil {
		return errNotConnected
	}
	return s.send(dest, m, "")
}

// Post sends a message and calls done once: with nil when its RECEIPT has come, or with what happened to the connection; it must not block. A
// message whose receipt was not seen may have arrived all the same. ErrWindow, or another ErrUnavailable: it was not sent, and done is not called.
func (l *Link) Post(dest string, m Message, done func(error)) error {
	s := l.current()
	if s == nil {
		return errNotConnected
	}
	return s.post(dest, m, done)
}

// Redial hangs up, and connects again no sooner than after.
func (l *Link) Redial(after time.Duration) {
	l.mu.Lock()
	s := l.now
	l.retryAfter = max(l.retryAfter, after)
	l.mu.Unlock()
	if s != nil {
		s.hangUp(fmt.Errorf("asked to come back later: %w", fettle.ErrUnavailable))
	}
}

// server is one of LinkConfig.Servers, read.
type server struct {
	address string
	name    string // without the port
	host    string // the virtual host; empty: none is named
	tls     bool
}

func parseServer(text string) (server, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "stomp" && u.Scheme != "stomps" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return server{}, fmt.Errorf("%q is not of the form stomp://host:port or stomps://host:port: %w", text, fettle.ErrInvalid)
	}
	s, port := server{name: u.Hostname(), host: strings.TrimPrefix(u.Path, "/"), tls: u.Scheme == "stomps"}, u.Port()
	if strings.ContainsAny(s.host, "\r\n\x00") {
		return server{}, fmt.Errorf("%q: a virtual host has no line breaks: %w", text, fettle.ErrInvalid)
	}
	if err := CheckPort(port); err != nil {
		return server{}, fmt.Errorf("%q: %w", text, err)
	}
	if port == "" {
		port = "61613"
		if s.tls {
			port = "61614"
		}
	}
	s.address = net.JoinHostPort(s.name, port)
	return s, nil
}

// CheckPort tells whether a connection can be made to a port; empty is the usual one. ErrInvalid: it is no number of a port.
func CheckPort(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return fmt.Errorf("port %s is none: 1 to 65535: %w", port, fettle.ErrInvalid)
	}
	return nil
}

// dial connects, with TLS where the server is a stomps.
func (l *Link) dial(ctx context.Context, s server, own *tls.Config) (net.Conn, error) {
	conn, err := l.cfg.Dial(ctx, "tcp", s.address)
	if err != nil || !s.tls {
		return conn, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if own != nil {
		cfg = own.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = s.name
	}
	secure := tls.Client(conn, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("tls: %w", advised(err))
	}
	return secure, nil
}
