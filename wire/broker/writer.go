package broker

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

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
	c.bytesOut.Add(uint64(n))
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
