package broker

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
	c.b.cuts.note(c, reason)
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
	c.bytesOut.Add(uint64(n))
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
