package broker

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// subscribe is SUBSCRIBE.
func (c *conn) subscribe(f *wire.Frame) error {
	s, err := c.newSubscription(f)
	if err != nil {
		return err
	}
	dest := f.Get("destination")
	isTopic, err := kindOf(dest)
	if err != nil {
		return err
	}
	if err := c.b.auth.MaySubscribe(c.principal, dest); err != nil {
		return fmt.Errorf("%s: %w", dest, err)
	}
	if c.b.collected(dest) {
		return fmt.Errorf("%s is collected by the server, and nobody else can subscribe to it: %w", dest, fettle.ErrDenied)
	}
	if c.subs == nil {
		c.subs = map[string]*subscription{}
	}
	c.subs[s.id] = s
	if s.ack != ackAuto {
		if c.byNum == nil {
			c.byNum = map[uint64]*subscription{}
		}
		c.byNum[s.num] = s
	}
	c.b.subscribe(s, dest, isTopic)
	c.receipt(f.Get("receipt"))
	if s.queue != nil {
		s.queue.kick() // after the receipt, which some clients expect to come first
	}
	return nil
}

func (c *conn) newSubscription(f *wire.Frame) (*subscription, error) {
	id := f.Get("id")
	if id == "" {
		return nil, fmt.Errorf("the header id is missing: %w", fettle.ErrInvalid)
	}
	if c.subs[id] != nil {
		return nil, fmt.Errorf("there is a subscription with the id %q already: %w", shorten(id), fettle.ErrConflict)
	}
	if len(c.subs) >= c.b.cfg.MaxSubscriptions {
		return nil, fmt.Errorf("there are %d subscriptions, and no more are allowed: %w", len(c.subs), fettle.ErrInvalid)
	}
	if f.Get("selector") != "" {
		return nil, fmt.Errorf("the broker has no selectors: %w", fettle.ErrInvalid)
	}
	mode, ok := parseAckMode(f.Get("ack"))
	if !ok {
		return nil, fmt.Errorf("ack %q is none of auto, client, client-individual: %w", shorten(f.Get("ack")), fettle.ErrInvalid)
	}
	credit := c.b.cfg.Credit
	if asked := f.Get("prefetch-count"); asked != "" {
		n, err := strconv.ParseUint(asked, 10, 31)
		if err != nil {
			return nil, fmt.Errorf("prefetch-count %q is no number: %w", shorten(asked), fettle.ErrInvalid)
		}
		if credit = min(int(n), c.b.cfg.MaxCredit); n == 0 { // as elsewhere: as much as may be
			credit = c.b.cfg.MaxCredit
		}
	}
	c.nextSub++
	s := &subscription{c: c, id: id, num: c.nextSub, ack: mode, credit: credit}
	s.head = wire.AppendHeader([]byte("MESSAGE\n"), "subscription", id, c.dec.Version)
	return s, nil
}

// unsubscribe is UNSUBSCRIBE.
func (c *conn) unsubscribe(f *wire.Frame) error {
	id := f.Get("id")
	s := c.subs[id]
	if s == nil {
		return fmt.Errorf("there is no subscription with the id %q: %w", shorten(id), fettle.ErrNotFound)
	}
	delete(c.subs, id)
	delete(c.byNum, s.num)
	c.b.unsubscribe(s)
	c.receipt(f.Get("receipt"))
	return nil
}

// ack is ACK or NACK.
func (c *conn) ack(f *wire.Frame) error {
	s, id, err := c.findAck(f)
	if err != nil {
		return err
	}
	st := step{sub: s, id: id, nack: f.Command == "NACK"}
	switch name := f.Get("transaction"); {
	case name != "":
		if err := c.tx.add(c, name, st); err != nil {
			return err
		}
	case s == nil:
		c.b.m.staleAcks.Inc()
	default:
		st.settle(c.b)
	}
	c.receipt(f.Get("receipt"))
	return nil
}

// findAck reads what an ACK or NACK is about. A subscription that is no more gives nil: its messages have come back, and the client has
// crossed that.
func (c *conn) findAck(f *wire.Frame) (s *subscription, id uint64, err error) {
	if c.dec.Version == wire.STOMP12 {
		name := f.Get("id")
		num, rest, ok := strings.Cut(name, "-")
		n, errN := strconv.ParseUint(num, 10, 64)
		id, err = strconv.ParseUint(rest, 10, 64)
		if !ok || errN != nil || err != nil || n == 0 || n > c.nextSub {
			return nil, 0, fmt.Errorf("the header id is %q, and no message had that in its header ack: %w", shorten(name), fettle.ErrInvalid)
		}
		return c.byNum[n], id, nil
	}
	name := f.Get("message-id")
	rest, ok := strings.CutPrefix(name, c.b.prefix+"-")
	if id, err = strconv.ParseUint(rest, 10, 64); !ok || err != nil {
		return nil, 0, fmt.Errorf("the header message-id is %q, and no message had that: %w", shorten(name), fettle.ErrInvalid)
	}
	sub := f.Get("subscription")
	if sub == "" {
		return nil, 0, fmt.Errorf("the header subscription is missing: %w", fettle.ErrInvalid)
	}
	if s = c.subs[sub]; s != nil && s.ack == ackAuto {
		s = nil // there is nothing to acknowledge
	}
	return s, id, nil
}
