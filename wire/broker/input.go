package broker

import (
	"bytes"
	"fmt"
	"time"

	"github.com/fettle-dev/fettle"
)

// input is what a connection has received and not done with.
type input struct {
	data     []byte
	buf      *[]byte // the pooled buffer that data is a part of; nil: data is the connection's own, or empty
	reserved int     // bytes of the broker's budget that data has taken
	late     bool    // a deadline is set for the rest of a frame
}

// fill waits for more bytes.
func (in *input) fill(c *conn) error {
	n, err := in.read(c)
	if n > 0 {
		c.lastRead.Store(c.b.now())
		c.b.m.bytesIn.Add(n)
		c.bytesIn.Add(uint64(n))
		return nil // err, if any, comes again
	}
	return err
}

func (in *input) read(c *conn) (n int, err error) {
	if want := c.dec.Want(); want > len(in.data) { // the rest of a frame whose length is known goes straight to its place
		if err := in.grow(c, want); err != nil {
			return 0, err
		}
		n, err = c.src.readInto(in.data[len(in.data):want])
		in.data = in.data[:len(in.data)+n]
		return n, err
	}
	buf, n, err := c.src.read()
	if buf == nil {
		return n, err
	}
	if len(in.data) == 0 {
		in.buf, in.data = buf, (*buf)[:n]
		return n, err
	}
	if !in.reserve(c, len(in.data)+n, false) {
		c.b.buffers.put(buf)
		return 0, fmt.Errorf("too much is being received at the moment: %w", fettle.ErrUnavailable)
	}
	in.data = append(in.data, (*buf)[:n]...)
	c.b.buffers.put(buf)
	return n, err
}

// grow makes room for a frame of n bytes. It waits for its share of the budget, and the client gets its whole time from then on.
func (in *input) grow(c *conn, n int) error {
	if cap(in.data) >= n {
		return nil
	}
	if !in.reserve(c, n, true) {
		return errDraining
	}
	in.data = append(make([]byte, 0, n), in.data...)
	c.setReadDeadline(time.Now().Add(c.b.cfg.FrameTimeout))
	return nil
}

// reserve takes n bytes of the budget for data, but for the first few, which every connection may have.
func (in *input) reserve(c *conn, n int, wait bool) bool {
	need := n - readSize - in.reserved
	if need <= 0 {
		return true
	}
	ok := c.b.inflight.try(need)
	if !ok && wait {
		resume := c.pause()
		ok = c.b.inflight.take(need, c.gone)
		resume()
	}
	if ok {
		in.reserved += need
	}
	return ok
}

// park copies data out of the pooled buffer, because the connection is going to wait.
func (in *input) park(c *conn) {
	if in.buf == nil {
		return
	}
	in.data = bytes.Clone(in.data)
	c.b.buffers.put(in.buf)
	in.buf = nil
	if len(in.data) == 0 {
		in.data = nil
	}
}

// keep holds on to what is not a whole frame yet, and to nothing else.
func (in *input) keep(c *conn) {
	if len(in.data) > 0 {
		in.park(c)
		if !in.late {
			in.late = true
			c.setReadDeadline(time.Now().Add(c.b.cfg.FrameTimeout))
		}
		return
	}
	in.drop(c)
	c.dec.Shrink()
	if in.late {
		in.late = false
		c.setReadDeadline(time.Time{})
	}
}

// drop forgets data.
func (in *input) drop(c *conn) {
	if in.buf != nil {
		c.b.buffers.put(in.buf)
	}
	c.b.inflight.give(in.reserved)
	in.buf, in.data, in.reserved = nil, nil, 0
}

// pause notes that the connection is not read until resume is called.
func (c *conn) pause() (resume func()) {
	c.paused.Store(true)
	return func() {
		c.lastRead.Store(c.b.now())
		c.paused.Store(false)
	}
}
