package broker

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// queueWindow is how many bytes may wait to be written to a connection before queues hold back. It keeps a batch for the writer ready.
	queueWindow = 256 << 10
	// lagging is how many bytes have to wait for a connection to be among those that are cut off when all together have too many.
	lagging = 64 << 10
	// maxBatch and maxVectors bound one system call.
	maxBatch   = 256 << 10
	maxVectors = 1000
	// keptChunks is the length of the list that a connection keeps when it is idle.
	keptChunks = 4
)

// chunk is a part of what is to be written: a whole frame in two pieces, or the rest of one.
type chunk struct {
	head, tail []byte
	sub        *subscription // nil, or who is told that message id was written
	id         uint64
}

func (ch *chunk) size() int { return len(ch.head) + len(ch.tail) }

// push gives the connection something to write. It never waits. false: the connection takes nothing any more, or has just been cut off
// because it did not keep up.
func (c *conn) push(ch chunk) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.admits(ch.size()) {
		return false
	}
	c.add(ch)
	c.startWriter()
	return true
}

// admits tells whether n bytes more may wait, and cuts the connection off if not. The caller holds c.mu.
func (c *conn) admits(n int) bool {
	if c.state != open {
		return false
	}
	total := int(c.b.outBytes.Load())
	if c.outBytes+n <= c.b.cfg.MaxOut && (total+n <= c.b.cfg.MaxOutTotal || c.outBytes < lagging) {
		return true
	}
	c.cutOff("slow consumer")
	return false
}

// cutOff ends a connection that does not read what it is sent. The caller holds c.mu.
func (c *conn) cutOff(reason string) {
	if c.state == dead {
		return
	}
	c.b.m.slow.Inc()
	c.b.log.Warn("slow consumer cut off", "node", string(c.principal.Node), "user", c.principal.Name, "err", reason)
	c.die(reason)
}

// add appends ch. The caller holds c.mu.
func (c *conn) add(ch chunk) {
	n := ch.size()
	c.out = append(c.out, ch)
	c.outBytes += n
	c.b.outBytes.Add(int64(n))
}

// startWriter makes sure that somebody writes. The caller holds c.mu, and the state is not dead.
func (c *conn) startWriter() {
	if !c.writing {
		c.writing = true
		c.writers.Go(c.flush)
	}
}

// pushNow is push for a publisher with time to write: what the socket takes at once is written at once, without a goroutine.
func (c *conn) pushNow(ch chunk) bool {
	if c.raw == nil {
		return c.push(ch)
	}
	c.mu.Lock()
	if c.state != open || c.writing {
		c.mu.Unlock()
		return c.push(ch)
	}
	c.writing = true
	c.mu.Unlock()

	n := writeNow(c.raw, ch.head, ch.tail)
	c.b.m.bytesOut.Add(n)
	if n > 0 {
		c.lastWrite.Store(c.b.now())
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	if c.state == dead {
		return false
	}
	if n < ch.size() { // the rest comes before what was added meanwhile
		rest := c.out
		c.out = nil
		c.add(ch.after(n))
		c.out = append(c.out, rest...)
	}
	if len(c.out) > 0 || c.state == closing {
		c.startWriter()
	}
	return true
}

// after gives what is left of ch when n bytes of it are written.
func (ch *chunk) after(n int) chunk {
	if n < len(ch.head) {
		return chunk{head: ch.head[n:], tail: ch.tail}
	}
	return chunk{head: ch.tail[n-len(ch.head):]}
}

// hasRoom tells whether queues may give the connection more. If not, q is called back when they may.
func (c *conn) hasRoom(q *queue) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open {
		return false
	}
	if c.outBytes < queueWindow {
		return true
	}
	for _, o := range c.blocked {
		if o == q {
			return false
		}
	}
	c.blocked = append(c.blocked, q)
	return false
}

// flush writes until there is nothing left to write.
func (c *conn) flush() {
	defer func() {
		if p := recover(); p != nil {
			c.kill(c.panicked(p).Error())
		}
	}()
	var batch []chunk
	for {
		var last bool
		if batch, last = c.nextBatch(batch); last {
			c.closeWrite()
		}
		if batch == nil {
			return
		}
		for rest := batch; len(rest) > 0; {
			k, n, err := c.write(rest)
			if err != nil {
				c.writeFailed(err)
				return
			}
			c.wrote(rest[:k], n)
			rest = rest[k:]
		}
	}
}

// nextBatch takes all that is to be written. spare is the list of the batch before, to be used again. nil: there is nothing, and the
// caller is the writer no more; last: there will never be anything.
func (c *conn) nextBatch(spare []chunk) (batch []chunk, last bool) {
	clear(spare)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.out) > 0 && c.state != dead {
		batch = c.out
		c.out = spare[:0]
		return batch, false
	}
	c.writing = false
	if cap(c.out) > keptChunks {
		c.out = nil
	}
	if c.state == open {
		_ = c.nc.SetWriteDeadline(time.Time{}) // or it would hit pushNow
	}
	return nil, c.state == closing
}

// closeWrite tells the client that nothing more will come.
func (c *conn) closeWrite() {
	if h, ok := c.nc.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
		return
	}
	c.kill("closed")
}

// write writes the first k of chunks in one go, and tells how many bytes that were.
func (c *conn) write(chunks []chunk) (k, n int, err error) {
	if err := c.armWrite(); err != nil {
		return 0, 0, err
	}
	if c.raw == nil {
		return c.writeJoined(chunks)
	}
	p := c.b.vectors.get()
	defer c.b.vectors.put(p)
	bufs := (*p)[:0]
	for k < len(chunks) && len(bufs) < maxVectors && n < maxBatch {
		bufs = append(bufs, chunks[k].head)
		if len(chunks[k].tail) > 0 {
			bufs = append(bufs, chunks[k].tail)
		}
		n += chunks[k].size()
		k++
	}
	*p = bufs
	_, err = bufs.WriteTo(c.nc)
	return k, n, err
}

// writeJoined is write for a connection without writev, to which each Write is a packet or a TLS record.
func (c *conn) writeJoined(chunks []chunk) (k, n int, err error) {
	buf := c.b.buffers.get()
	defer c.b.buffers.put(buf)
	joined := (*buf)[:0]
	for k < len(chunks) && len(joined)+chunks[k].size() <= readSize {
		joined = append(append(joined, chunks[k].head...), chunks[k].tail...)
		k++
	}
	if k > 0 {
		_, err = c.nc.Write(joined)
		return k, len(joined), err
	}
	if _, err = c.nc.Write(chunks[0].head); err == nil {
		_, err = c.nc.Write(chunks[0].tail)
	}
	return 1, chunks[0].size(), err
}

// armWrite gives the client its time to take some bytes. A connection that is closing has its deadline already.
func (c *conn) armWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == dead {
		return net.ErrClosed
	}
	if c.state == open {
		return c.nc.SetWriteDeadline(time.Now().Add(c.b.cfg.WriteTimeout))
	}
	return nil
}

func (c *conn) writeFailed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	if c.state == open && errors.Is(err, os.ErrDeadlineExceeded) {
		c.cutOff("took nothing for too long")
		return
	}
	c.die(err.Error())
}

// wrote notes that chunks, of n bytes, are written, and tells the queues that waited for it.
func (c *conn) wrote(chunks []chunk, n int) {
	c.lastWrite.Store(c.b.now())
	c.b.m.bytesOut.Add(n)
	c.mu.Lock()
	var blocked []*queue
	if c.state != dead {
		c.outBytes -= n
		c.b.outBytes.Add(-int64(n))
		if c.outBytes < queueWindow/2 {
			blocked, c.blocked = c.blocked, nil
		}
	}
	c.mu.Unlock()
	for i := 0; i < len(chunks); {
		s, j := chunks[i].sub, i+1
		for j < len(chunks) && chunks[j].sub == s {
			j++
		}
		if s != nil {
			s.queue.written(s, chunks[i:j])
		}
		i = j
	}
	for _, q := range blocked {
		q.kick()
	}
}

// vectors is a pool of lists for writev.
type vectors struct{ pool sync.Pool }

func (v *vectors) get() *net.Buffers {
	if p, ok := v.pool.Get().(*net.Buffers); ok {
		return p
	}
	p := make(net.Buffers, 0, 64)
	return &p
}

func (v *vectors) put(p *net.Buffers) {
	clear(*p)
	*p = (*p)[:0]
	v.pool.Put(p)
}
