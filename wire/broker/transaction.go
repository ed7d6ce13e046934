package broker

import (
	"fmt"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// step is one thing that a transaction does when it is committed: a message, or an ACK or NACK.
type step struct {
	dest  string
	topic bool
	msg   *encoded // nil: an ACK or NACK

	sub  *subscription // nil: it is no more
	id   uint64
	nack bool
}

// settle does the ACK or NACK. Topics wait for none.
func (st step) settle(b *Broker) {
	if st.sub.queue != nil && !st.sub.queue.settle(st.sub, st.id, st.nack) {
		b.m.staleAcks.Inc()
	}
}

// transactions are those that are open on one connection. Only the connection's reading goroutine uses them. The zero value has none.
type transactions struct {
	open   map[string][]step
	frames int
	bytes  int // also taken from the broker's budget
}

// begin is BEGIN.
func (c *conn) begin(f *wire.Frame) error {
	name := f.Get("transaction")
	switch {
	case name == "":
		return fmt.Errorf("the header transaction is missing: %w", fettle.ErrInvalid)
	case c.tx.has(name):
		return fmt.Errorf("transaction %q is open already: %w", shorten(name), fettle.ErrConflict)
	case len(c.tx.open) >= c.b.cfg.MaxTransactions:
		return fmt.Errorf("%d transactions are open, and no more are allowed: %w", len(c.tx.open), fettle.ErrInvalid)
	}
	if c.tx.open == nil {
		c.tx.open = map[string][]step{}
	}
	c.tx.open[name] = nil
	c.receipt(f.Get("receipt"))
	return nil
}

// abort is ABORT. Messages whose ACK was in the transaction are still pending.
func (c *conn) abort(f *wire.Frame) error {
	name := f.Get("transaction")
	if !c.tx.has(name) {
		return noTransaction(name)
	}
	c.tx.close(c, name)
	c.receipt(f.Get("receipt"))
	return nil
}

// commit is COMMIT. It does everything or, when there is no room for a message, nothing.
func (c *conn) commit(f *wire.Frame) error {
	name := f.Get("transaction")
	if !c.tx.has(name) {
		return noTransaction(name)
	}
	steps := c.tx.open[name]
	if err := c.b.reserve(steps); err != nil {
		return fmt.Errorf("transaction %q was not committed: %w", shorten(name), err)
	}
	for _, st := range steps {
		switch {
		case st.msg == nil && st.sub == nil:
			c.b.m.staleAcks.Inc()
		case st.msg == nil:
			st.settle(c.b)
		default:
			c.b.routeReserved(st)
		}
	}
	c.tx.close(c, name)
	c.receipt(f.Get("receipt"))
	return nil
}

func noTransaction(name string) error {
	return fmt.Errorf("transaction %q is not open: %w", shorten(name), fettle.ErrNotFound)
}

func (t *transactions) has(name string) bool {
	_, ok := t.open[name]
	return ok
}

// add puts st at the end of the transaction name.
func (t *transactions) add(c *conn, name string, st step) error {
	cfg := &c.b.cfg
	size := st.size()
	switch {
	case !t.has(name):
		return noTransaction(name)
	case t.frames+1 > cfg.MaxTransactionFrames:
		return fmt.Errorf("the open transactions have %d frames, and no more are allowed: %w", t.frames, fettle.ErrInvalid)
	case t.bytes+size > cfg.MaxTransactionBytes:
		return fmt.Errorf("the open transactions would have more than %d bytes: %w", cfg.MaxTransactionBytes, fettle.ErrInvalid)
	case !c.b.inflight.try(size):
		return fmt.Errorf("there is no room for transactions at the moment: %w", fettle.ErrUnavailable)
	}
	t.frames++
	t.bytes += size
	t.open[name] = append(t.open[name], st)
	return nil
}

// size is what st costs in memory, near enough.
func (st step) size() int {
	if st.msg == nil {
		return itemOverhead
	}
	return st.msg.size()
}

// close forgets the transaction name.
func (t *transactions) close(c *conn, name string) {
	for _, st := range t.open[name] {
		t.frames--
		t.bytes -= st.size()
		c.b.inflight.give(st.size())
	}
	delete(t.open, name)
}

// drop forgets all.
func (t *transactions) drop(c *conn) {
	for name := range t.open {
		t.close(c, name)
	}
}
