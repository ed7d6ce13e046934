package broker

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// send is SEND.
func (c *conn) send(f *wire.Frame) error {
	dest := f.Get("destination")
	isTopic, err := kindOf(dest)
	if err != nil {
		return err
	}
	if err := c.b.auth.MaySend(c.principal, dest); err != nil {
		return fmt.Errorf("%s: %w", dest, err)
	}
	c.b.m.received.Inc()
	c.received.add(1)
	header := messageHeader(f.Header, c.principal.sender())
	name := f.Get("transaction")
	if c.b.collected(dest) {
		if name != "" {
			return fmt.Errorf("%s takes no transactions, because each message there is committed by itself: %w", dest, fettle.ErrInvalid)
		}
		m := &Message{Destination: dest, Header: header, Body: bytes.Clone(f.Body), Sender: c.principal}
		return c.collect(m, f.Get("receipt"))
	}
	msg := c.b.encode(dest, header, f.Body)
	if name != "" {
		if err := c.tx.add(c, name, step{dest: dest, topic: isTopic, msg: msg}); err != nil {
			return err
		}
	} else if _, err := c.b.route(dest, isTopic, msg); err != nil {
		return err
	}
	c.receipt(f.Get("receipt"))
	return nil
}

// collect gives m to the Committer, once the bounds of this connection and of the broker have room for it. Until then, the connection is
// not read.
func (c *conn) collect(m *Message, receipt string) error {
	size := m.size()
	if !c.admitCommit(size) {
		c.in.park(c)
		resume := c.pause()
		ok := c.waitUntil(func() bool { return c.fitsCommit(size) })
		resume()
		if !ok {
			return nil
		}
		c.admitCommit(size)
	}
	// What a large frame has taken of the budget for being read goes over to its message; to wait for more while holding that could
	// make everybody wait for everybody.
	charge := c.in.reserved
	c.in.reserved = 0
	if charge == 0 {
		if charge = min(size, c.b.inflight.limit); !c.takeInflight(charge) {
			return nil
		}
	}
	c.b.intake.took(m.Destination, size)
	c.commitTo(m, size, charge, receipt)
	return nil
}

// size is what m costs in memory, near enough.
func (m *Message) size() int {
	n := itemOverhead + len(m.Destination) + len(m.Body)
	for _, h := range m.Header {
		n += len(h.Name) + len(h.Value)
	}
	return n
}

// takeInflight takes n bytes of the broker's budget, and waits for them. false: the connection has ended.
func (c *conn) takeInflight(n int) bool {
	if c.b.inflight.try(n) {
		return true
	}
	c.in.park(c)
	defer c.pause()()
	return c.b.inflight.take(n, c.gone)
}

func (c *conn) commitTo(m *Message, size, charge int, receipt string) {
	var once sync.Once
	done := func(err error) {
		once.Do(func() { c.committed(m.Destination, size, charge, receipt, err) })
	}
	defer func() {
		if p := recover(); p != nil {
			done(c.panicked(p))
		}
	}()
	c.b.collect.Commit(m, done)
}

// committed is the Committer's answer.
func (c *conn) committed(dest string, size, charge int, receipt string, err error) {
	c.b.inflight.give(charge)
	c.b.intake.gave(dest, size, err == nil)
	if err == nil {
		c.b.m.committed.Inc()
		c.receipt(receipt)
	} else {
		c.b.m.commitFailures.Inc()
		c.fail(&fault{command: "SEND", receipt: receipt, err: fmt.Errorf("message to %s was not kept: %w", dest, err)})
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.uncommitted--
	c.uncommBytes -= size
	if c.wake != nil {
		close(c.wake)
		c.wake = nil
	}
}

// fitsCommit tells whether a message more may wait for its commit. The caller holds c.mu.
func (c *conn) fitsCommit(size int) bool {
	cfg := &c.b.cfg
	return c.uncommitted == 0 || c.uncommitted < cfg.MaxUncommitted && c.uncommBytes+size <= cfg.MaxUncommittedBytes
}

// admitCommit counts a message more, if it may wait for its commit. Only the reading goroutine adds, so what fitted once still fits.
func (c *conn) admitCommit(size int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fitsCommit(size) {
		return false
	}
	c.uncommitted++
	c.uncommBytes += size
	return true
}

// waitCommitted waits for the Committer to be done with all that it was given.
func (c *conn) waitCommitted() {
	defer c.pause()()
	c.waitUntil(func() bool { return c.uncommitted == 0 })
}

// waitUntil waits until ok, which is called with c.mu held after each commit, is true. false: the connection has ended.
func (c *conn) waitUntil(ok func() bool) bool {
	for {
		c.mu.Lock()
		if ok() {
			c.mu.Unlock()
			return true
		}
		if c.wake == nil {
			c.wake = make(chan struct{})
		}
		wake := c.wake
		c.mu.Unlock()
		select {
		case <-wake:
		case <-c.gone:
			return false
		}
	}
}
