package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// lingerBytes is how much a client may still send after the broker has said its last word.
const lingerBytes = 1 << 20

// errDraining ends the reading of a connection because the broker is told to stop.
var errDraining = errors.New("the server is stopping")

// state is how far a connection's life has come. It only grows.
type state uint8

const (
	open    state = iota
	closing       // what waits to be written still is; nothing is added, nothing that is read counts
	dead          // the socket is closed
)

// conn is one connection. One goroutine reads and does what the frames say; a second one exists while there is something to write.
type conn struct {
	b       *Broker
	nc      net.Conn
	raw     syscall.RawConn // to write without waiting; nil: cannot
	session string
	num     uint64        // of the connection, unlike any other's
	since   int64         // nanoseconds since Broker.epoch
	gone    chan struct{} // closed when state is no longer open
	timer   *time.Timer   // calls tick
	writers sync.WaitGroup

	lastRead  atomic.Int64 // nanoseconds since Broker.epoch
	lastWrite atomic.Int64 // the same
	received  flow         // messages
	delivered flow         // messages
	bytesIn   atomic.Uint64
	bytesOut  atomic.Uint64
	paused    atomic.Bool // we do not read, so that the client's silence says nothing
	draining  atomic.Bool

	// of the reading goroutine alone
	src       source
	in        input
	dec       wire.Decoder
	principal Principal // set before others can see the connection, like dec.version
	subs      map[string]*subscription
	byNum     map[uint64]*subscription // those that get messages to acknowledge, by their number
	nextSub   uint64
	tx        transactions
	farewell  sync.Once

	mu          sync.Mutex // guards the fields below
	state       state
	reason      string // why it is not open
	loggedIn    bool
	out         []chunk
	outBytes    int
	writing     bool     // a goroutine writes, or is about to
	blocked     []*queue // those that wait until less is to be written
	uncommitted int      // messages that have been given to the Committer
	uncommBytes int      // their bytes
	wake        chan struct{}
	beatIn      time.Duration // the client promised a byte this often; zero: it did not
	beatOut     time.Duration // we promised
	suspect     bool          // it has been silent for too long, and gets a last chance
}

func newConn(b *Broker, nc net.Conn) *conn {
	c := &conn{b: b, nc: nc, raw: rawWriter(nc), gone: make(chan struct{})}
	c.num, c.since = b.connSeq.Add(1), b.now()
	c.session = fmt.Sprintf("%s-%d", b.prefix, c.num)
	c.src = newSource(nc, &b.buffers)
	c.dec.Limits = b.cfg.BeforeLogin
	c.lastRead.Store(b.now())
	c.lastWrite.Store(b.now())
	return c
}

// serve reads until the connection ends, and returns when nothing of it is left.
func (c *conn) serve() {
	c.mu.Lock() // tick waits until timer is set
	c.timer = time.AfterFunc(c.b.cfg.ConnectTimeout, c.tick)
	c.mu.Unlock()
	c.finish(c.readAll())
	c.leave()
	c.linger()
	c.writers.Wait()
	c.kill("closed")
	c.timer.Stop()
	c.in.drop(c)
	c.tx.drop(c)
}

// readAll does what the client says until one of both has had enough. A panic becomes an error: it may cost this connection, and no other.
func (c *conn) readAll() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.panicked(p)
		}
	}()
	if err := c.handshake(); err != nil {
		return err
	}
	for {
		if err := c.in.fill(c); err != nil {
			return err
		}
		if err := c.consume(); err != nil {
			return err
		}
	}
}

func (c *conn) panicked(p any) error {
	c.b.m.panics.Inc()
	c.b.log.Error("panic in a connection", "node", string(c.principal.Node), "err", p, "stack", string(debug.Stack()))
	return fmt.Errorf("panic: %v", p)
}

// consume handles the whole frames that are there.
func (c *conn) consume() error {
	for {
		if c.draining.Load() {
			return errDraining
		}
		if c.dec.Version == wire.STOMPNone && beginsTLS(c.in.data) {
			c.b.refused(errTLSHere, c.remote())
			return errTLSHere
		}
		f, used, err := c.dec.Next(c.in.data)
		c.in.data = c.in.data[used:]
		if err != nil {
			return blame(f, err)
		}
		if f == nil {
			c.in.keep(c)
			return nil
		}
		c.b.m.frames.Inc()
		if err := c.handle(f); err != nil {
			return blame(f, err)
		}
		if c.isGone() {
			return io.EOF
		}
	}
}

// finish tells the client why reading has ended, as far as there is something to tell.
func (c *conn) finish(err error) {
	switch {
	case c.isGone():
	case errors.Is(err, errDraining), c.draining.Load():
		c.waitCommitted()
		c.fail(fmt.Errorf("%w: %w", errDraining, fettle.ErrUnavailable))
	case errors.Is(err, io.EOF):
		c.end(nil, "closed by the client")
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.fail(fmt.Errorf("a frame was not finished within %s: %w", c.b.cfg.FrameTimeout, fettle.ErrInvalid))
	case isNetError(err):
		c.kill(err.Error())
	default:
		c.fail(err)
	}
}

func isNetError(err error) bool {
	var op *net.OpError
	var errno syscall.Errno
	var shake *handshakeError
	return errors.As(err, &op) || errors.As(err, &errno) || errors.As(err, &shake) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, io.ErrUnexpectedEOF)
}

// linger reads on for a while without listening, so that the client gets to read what was said last: a socket that is closed with unread
// bytes in it takes back what was written to it.
func (c *conn) linger() {
	c.mu.Lock()
	over := c.state == dead
	c.mu.Unlock()
	if over {
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(c.b.cfg.LingerTimeout))
	for total := 0; total < lingerBytes; {
		buf, n, err := c.src.read()
		if buf != nil {
			c.b.buffers.put(buf)
		}
		if total += n; err != nil {
			return
		}
	}
}

// drain makes the connection finish what it has begun, and end.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open {
		return
	}
	c.draining.Store(true)
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	time.AfterFunc(c.b.cfg.DrainTimeout, func() { c.kill("not drained in time") })
}

// setReadDeadline sets t, unless the reader has been told to stop reading.
func (c *conn) setReadDeadline(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == open && !c.draining.Load() {
		_ = c.nc.SetReadDeadline(t)
	}
}

// end sends last, lets the client read it, and closes. The first call counts.
func (c *conn) end(last []byte, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != open {
		return
	}
	c.state, c.reason = closing, reason
	close(c.gone)
	_ = c.nc.SetReadDeadline(time.Unix(1, 0)) // the reader comes to linger
	_ = c.nc.SetWriteDeadline(time.Now().Add(c.b.cfg.LingerTimeout))
	if last != nil {
		c.add(chunk{head: last})
	}
	c.startWriter()
}

// kill closes without another word.
func (c *conn) kill(reason string) {
	c.mu.Lock()
	c.die(reason)
	c.mu.Unlock()
}

// die is kill for those who hold c.mu.
func (c *conn) die(reason string) {
	if c.state == dead {
		return
	}
	if c.state == open {
		c.reason = reason
		close(c.gone)
	}
	c.state = dead
	c.b.outBytes.Add(-int64(c.outBytes))
	c.out, c.outBytes, c.blocked = nil, 0, nil
	if t, ok := c.nc.(*tls.Conn); ok {
		_ = t.NetConn().Close() // Close of t would wait to say good-bye
		return
	}
	_ = c.nc.Close()
}

func (c *conn) isGone() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// leave takes the connection out of everything that knows it.
func (c *conn) leave() {
	for _, s := range c.subs {
		c.b.unsubscribe(s)
	}
	c.subs, c.byNum = nil, nil
	c.mu.Lock()
	reason, loggedIn := c.reason, c.loggedIn
	c.mu.Unlock()
	if loggedIn {
		c.b.sessions.Add(-1)
		c.b.roll.remove(c)
	}
	c.b.nodes.remove(c)
	c.sayGoodbye(reason)
	c.b.log.Debug("connection ended", "node", string(c.principal.Node), "err", reason)
}

// sayGoodbye tells the Presence, once.
func (c *conn) sayGoodbye(reason string) {
	if c.principal.Node == "" || c.b.presence == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			_ = c.panicked(p)
		}
	}()
	c.farewell.Do(func() { c.b.presence.Disconnected(c.principal, c.session, reason) })
}
