package broker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// versions are those that are spoken, as STOMP 1.2, "Protocol Negotiation" wants them listed.
const versions = "1.1,1.2"

// fault is an error with the frame that caused it.
type fault struct {
	command, receipt string
	err              error
}

func (e *fault) Error() string { return e.command + ": " + e.err.Error() }
func (e *fault) Unwrap() error { return e.err }

// blame puts the frame to the error. f may be nil.
func blame(f *wire.Frame, err error) error {
	if f == nil {
		return err
	}
	return &fault{command: f.Command, receipt: f.Get("receipt"), err: err}
}

// handle does what a frame says. An error ends the connection.
func (c *conn) handle(f *wire.Frame) error {
	if f.Command == "CONNECT" || f.Command == "STOMP" {
		return c.connect(f)
	}
	if c.dec.Version == wire.STOMPNone {
		return fmt.Errorf("CONNECT has to come first: %w", fettle.ErrInvalid)
	}
	switch f.Command {
	case "SEND":
		return c.send(f)
	case "ACK", "NACK":
		return c.ack(f)
	case "SUBSCRIBE":
		return c.subscribe(f)
	case "UNSUBSCRIBE":
		return c.unsubscribe(f)
	case "BEGIN":
		return c.begin(f)
	case "COMMIT":
		return c.commit(f)
	case "ABORT":
		return c.abort(f)
	}
	return c.disconnect(f)
}

// connect is CONNECT or STOMP.
func (c *conn) connect(f *wire.Frame) error {
	if c.dec.Version != wire.STOMPNone {
		return fmt.Errorf("the connection is logged in already: %w", fettle.ErrInvalid)
	}
	v := negotiate(f.Get("accept-version"))
	if v == wire.STOMPNone {
		c.b.m.refusedLogins[refusedInvalid].Inc()
		return fmt.Errorf("the broker speaks STOMP %s, and accept-version is %q: %w", versions, shorten(f.Get("accept-version")), fettle.ErrInvalid)
	}
	can, want, err := parseBeats(f.Get("heart-beat"))
	if err != nil {
		return err
	}
	p, err := c.b.auth.Login(Login{
		Login: f.Get("login"), Passcode: f.Get("passcode"), ClientID: f.Get("client-id"), Remote: c.remote(),
	})
	if err != nil {
		c.b.refused(err, c.remote())
		return err
	}
	if p.Node != "" {
		if after := c.b.turnstile.admit(c.b.now()); after > 0 {
			c.b.m.deferredLogins.Inc()
			return &early{after}
		}
	}
	if c.isGone() { // it took too long: this must not take the place of a session that works
		return nil
	}
	c.principal = p
	c.dec.Version, c.dec.Limits = v, c.b.cfg.AfterLogin
	c.b.m.logins.Inc()
	c.b.sessions.Add(1)
	c.b.roll.add(c)
	in, out := agree(c.b.cfg.HeartBeat, can), agree(c.b.cfg.HeartBeat, want)
	c.startBeats(in, out)
	c.arrive()
	ms := strconv.FormatInt(c.b.cfg.HeartBeat.Milliseconds(), 10)
	// CONNECTED is not escaped; none of these values would be.
	c.push(chunk{head: wire.AppendFrame(nil, "CONNECTED", []wire.Field{
		{Name: "version", Value: v.String()}, {Name: "heart-beat", Value: ms + "," + ms}, {Name: "session", Value: c.session}, {Name: "server", Value: "fettle"},
	}, nil, v)})
	return nil
}

// arrive makes the connection the one session of its node.
func (c *conn) arrive() {
	if c.principal.Node == "" {
		return
	}
	if old := c.b.nodes.put(c); old != nil {
		c.b.m.superseded.Inc()
		old.supersede()
	}
	if c.b.presence != nil {
		c.b.presence.Connected(c.principal, c.session)
	}
}

func (c *conn) supersede() {
	err := fmt.Errorf("superseded: %s has logged in again: %w", c.principal.Node, fettle.ErrConflict)
	c.end(errorFrame(err), ReasonSuperseded)
	c.sayGoodbye(ReasonSuperseded)
}

func (c *conn) remote() string {
	if a := c.nc.RemoteAddr(); a != nil {
		return a.String()
	}
	return ""
}

// negotiate gives the newest version that both speak.
func negotiate(accept string) wire.STOMP {
	best := wire.STOMPNone
	for s := range strings.SplitSeq(accept, ",") {
		switch strings.TrimSpace(s) {
		case "1.1":
			best = max(best, wire.STOMP11)
		case "1.2":
			best = max(best, wire.STOMP12)
		}
	}
	return best
}

// disconnect is DISCONNECT. Its receipt says that all before it is done.
func (c *conn) disconnect(f *wire.Frame) error {
	c.in.park(c)
	c.waitCommitted()
	var last []byte
	if id := f.Get("receipt"); id != "" {
		last = c.encodeReceipt(id)
	}
	c.end(last, "disconnected by the client")
	return nil
}

// receipt tells the client that what it asked for is done, if it asked to be told.
func (c *conn) receipt(id string) {
	if id != "" {
		c.push(chunk{head: c.encodeReceipt(id)})
	}
}

func (c *conn) encodeReceipt(id string) []byte {
	c.b.m.receipts.Inc()
	return wire.AppendFrame(nil, "RECEIPT", []wire.Field{{Name: "receipt-id", Value: id}}, nil, c.dec.Version)
}

// fail tells the client what was wrong, and ends the connection.
func (c *conn) fail(err error) {
	c.b.m.errors.Inc()
	c.end(errorFrame(err), err.Error())
}

// errorFrame gives the ERROR for err. A fault of ours is not spelled out.
func errorFrame(err error) []byte {
	text := "internal error"
	for _, kind := range []error{fettle.ErrNotFound, fettle.ErrInvalid, fettle.ErrConflict, fettle.ErrDenied, fettle.ErrUnavailable} {
		if errors.Is(err, kind) {
			text = err.Error()
		}
	}
	header := []wire.Field{{Name: "message", Value: text}, {Name: "version", Value: versions}, {Name: "content-type", Value: "text/plain"}}
	body := text + "\n"
	var e *early
	if errors.As(err, &e) {
		header = append(header, e.header())
	}
	var f *fault
	if errors.As(err, &f) {
		body += "The frame was: " + f.command + "\n"
		if f.receipt != "" {
			header = append(header, wire.Field{Name: "receipt-id", Value: f.receipt})
			body += "Its receipt was: " + f.receipt + "\n"
		}
	}
	return wire.AppendFrame(nil, "ERROR", header, []byte(body), wire.STOMP12)
}
