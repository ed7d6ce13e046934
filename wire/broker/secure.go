package broker

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/fettle-dev/fettle"
)

// maxHandshake bounds what a client may send until TLS is agreed, in bytes: twice what a client with a chain of certificates needs. The
// standard library would take 64 KiB for the first message alone, and 256 KiB for certificates.
const maxHandshake = 32 << 10

// Secure has ln's connections speak TLS. Their handshakes are the business of Serve, within the time for the login.
func Secure(ln net.Listener, cfg *tls.Config) net.Listener { return &secureListener{ln, cfg} }

type secureListener struct {
	net.Listener
	cfg *tls.Config
}

// Accept waits for a connection, and not for its handshake.
func (l *secureListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(&boundedConn{Conn: nc}, l.cfg), nil
}

// boundedConn is the socket below TLS. Until it is let go, it gives maxHandshake bytes.
type boundedConn struct {
	net.Conn
	given atomic.Int32 // -1: it is let go
}

var errLongHandshake = fmt.Errorf("the client sent more than %d KiB before TLS was agreed: %w", maxHandshake>>10, fettle.ErrInvalid)

func (c *boundedConn) Read(p []byte) (int, error) {
	given := c.given.Load()
	if given < 0 {
		return c.Conn.Read(p)
	}
	if given >= maxHandshake {
		return 0, errLongHandshake
	}
	n, err := c.Conn.Read(p[:min(len(p), maxHandshake-int(given))])
	c.given.Add(int32(n)) //nolint:gosec // at most maxHandshake
	return n, err
}

func (c *boundedConn) letGo() { c.given.Store(-1) }

var errTLSHere = fmt.Errorf("this port does not speak TLS, connect with stomp://: %w", fettle.ErrInvalid)

// beginsTLS tells whether data is the beginning of a TLS handshake: its first byte begins no STOMP frame.
func beginsTLS(data []byte) bool { return len(data) > 0 && data[0] == 0x16 }

// handshakeError is a handshake that came to nothing.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string { return "tls: " + e.err.Error() }
func (e *handshakeError) Unwrap() error { return e.err }

// handshake agrees on TLS, where the connection wants that. The timer of the login ends it when it takes too long.
func (c *conn) handshake() error {
	t, is := c.nc.(*tls.Conn)
	if !is {
		return nil
	}
	// in a goroutine of its own, because the stack that this takes would stay with the connection as long as it lives
	done := make(chan error, 1)
	go func() { done <- t.Handshake() }() // waited for in the next line
	err := <-done
	if err == nil {
		if b, is := t.NetConn().(*boundedConn); is {
			b.letGo()
		}
		return nil
	}
	c.b.m.failedHandshakes.Inc()
	if errors.Is(err, io.EOF) {
		return err // it went away, or looked whether somebody is here
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) && record.Conn != nil {
		err = fmt.Errorf("this port speaks TLS, connect with stomps://: %w", fettle.ErrInvalid)
		_ = record.Conn.SetWriteDeadline(time.Now().Add(c.b.cfg.LingerTimeout))
		_, _ = record.Conn.Write(errorFrame(err)) // in plain STOMP, as the client speaks it
	}
	c.b.refused(err, c.remote())
	return &handshakeError{err}
}
