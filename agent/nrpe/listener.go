package nrpe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/nagios"
)

// Hello is the command that check_nrpe sends when it is given none.
const Hello = "_NRPE_CHECK"

// Answer does what a question asks: a command with its arguments, "command!one!two". asker is the address that it came from. It is called from
// many goroutines, and ends soon when ctx does.
type Answer func(ctx context.Context, question, asker string) (fettle.CheckCode, string)

// Config says who is answered, and how.
type Config struct {
	Allow       []netip.Prefix // whose questions are answered; empty: those of this machine
	TLS         *tls.Config    // nil: no TLS
	Connections int            // at once, whoever they are of; zero: DefaultConnections
	Patience    time.Duration  // for the handshake and the question together, and for taking the answer; zero: DefaultPatience
	Version     string         // of this program
}

// What holds where a Config is silent.
const (
	DefaultConnections = 64 // as many checks of one node as a Nagios asks for at one moment, and more
	DefaultPatience    = 10 * time.Second
)

// acceptPause is how long the listener rests when the kernel gives it no connection: it is out of files, mostly.
const acceptPause = 100 * time.Millisecond

// Counts are what a Listener has done since it was made.
type Counts struct {
	Answered atomic.Int64 // questions that have their answer, whatever it was
	Refused  atomic.Int64 // connections from addresses that are not allowed
	Crowded  atomic.Int64 // connections beyond those that may be at once
	Broken   atomic.Int64 // connections whose handshake or question was not understood, or that took too long
}

// Listener answers the NRPE protocol. All its methods are safe for concurrent use.
type Listener struct {
	Counts Counts

	cfg    Config
	answer Answer
	log    *quietLog
	slots  chan struct{} // as many as there may be connections
}

// New gives a listener that answer answers for; nil as log: nothing is logged.
func New(cfg Config, answer Answer, log *slog.Logger) *Listener {
	if cfg.Connections <= 0 {
		cfg.Connections = DefaultConnections
	}
	if cfg.Patience <= 0 {
		cfg.Patience = DefaultPatience
	}
	return &Listener{cfg: cfg, answer: answer, log: newQuietLog(log), slots: make(chan struct{}, cfg.Connections)}
}

// Serve answers those who come to ln until ctx ends, closes ln, and returns when every connection has ended.
func (l *Listener) Serve(ctx context.Context, ln net.Listener) error {
	var connections sync.WaitGroup
	defer connections.Wait()
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })() // Accept says so
	for {
		conn, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close() // it came too late
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("nrpe: %w", err)
		case err != nil:
			l.log.warn("nrpe takes no connections", "err", err)
			pause(ctx, acceptPause)
			continue
		}
		select {
		case l.slots <- struct{}{}:
		default:
			_ = conn.Close() // nobody is told: that would take a handshake
			l.Counts.Crowded.Add(1)
			l.log.warn("nrpe has too many connections at once", "connections", l.cfg.Connections)
			continue
		}
		connections.Go(func() {
			defer func() { <-l.slots }()
			l.serve(ctx, conn)
		})
	}
}

// serve answers one question, as NRPE does, and closes the connection.
func (l *Listener) serve(ctx context.Context, conn net.Conn) {
	defer func() { _ = conn.Close() }() // what was to be said is said
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	defer func() {
		if fault := recover(); fault != nil { // one connection must not end the agent
			l.log.warn("nrpe failed at a question", "err", fmt.Sprint(fault))
		}
	}()
	asker, allowed := l.allowed(conn.RemoteAddr())
	if !allowed {
		l.log.warn("nrpe refuses an address that is not among those allowed", "address", asker)
		l.Counts.Refused.Add(1)
		return
	}
	if err := conn.SetDeadline(time.Now().Add(l.cfg.Patience)); err != nil {
		return // it is gone
	}
	if l.cfg.TLS != nil {
		conn = tls.Server(conn, l.cfg.TLS)
	}
	question, err := nagios.ReadNRPEPacket(conn)
	if err == nil && question.Answer {
		err = fmt.Errorf("an answer where a question ought to be: %w", fettle.ErrInvalid)
	}
	if err != nil {
		l.broken(asker, err)
		return
	}
	_ = conn.SetDeadline(time.Time{}) // the answer has a time limit of its own
	code, text := l.reply(ctx, question.Text, asker)
	_ = conn.SetDeadline(time.Now().Add(l.cfg.Patience)) // a fault shows in the next line
	packet := nagios.NRPEPacket{Version: question.Version, Answer: true, Code: code, Text: text}
	if _, err := conn.Write(packet.Append(nil)); err != nil {
		l.broken(asker, err)
		return
	}
	l.Counts.Answered.Add(1)
	if secure, is := conn.(*tls.Conn); is {
		_ = secure.Close() // says goodbye, so that check_nrpe does not complain of a short read
	}
}

// reply gives the answer to a question.
func (l *Listener) reply(ctx context.Context, question, asker string) (fettle.CheckCode, string) {
	if question == Hello {
		return fettle.CodeOK, "NRPE v4.1.0, answered by Fettle " + l.cfg.Version
	}
	return l.answer(ctx, question, asker)
}

// broken notes a connection that came to nothing. One that said nothing at all is a probe of a port, and no fault.
func (l *Listener) broken(asker string, err error) {
	if errors.Is(err, io.EOF) {
		return
	}
	l.Counts.Broken.Add(1)
	l.log.warn("nrpe does not understand a connection", "address", asker, "err", err)
}

// allowed tells whether questions from address are answered.
func (l *Listener) allowed(address net.Addr) (asker string, ok bool) {
	tcp, is := address.(*net.TCPAddr)
	if !is {
		return address.String(), false
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	if len(l.cfg.Allow) == 0 {
		return ip.String(), ip.IsLoopback()
	}
	return ip.String(), slices.ContainsFunc(l.cfg.Allow, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// pause waits, but not longer than ctx lasts.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
