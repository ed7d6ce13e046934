package broker

import (
	"net"
	"sync"
)

// readSize is the size of the buffers that are read into. A connection that waits for room holds at most that much.
const readSize = 32 << 10

// firstRead is the size of the buffer that a connection keeps while it waits, where there is no way to wait without one.
const firstRead = 512

// source is where a connection's bytes come from. Both methods wait for at least one byte; they are for one goroutine.
type source interface {
	// read gives a pooled buffer with n bytes in it; the caller puts the buffer back, also after an error, unless it is nil.
	read() (buf *[]byte, n int, err error)
	// readInto reads into p.
	readInto(p []byte) (n int, err error)
}

// buffers is a pool of buffers of readSize.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, readSize)
	return &p
}

func (b *buffers) put(p *[]byte) { b.pool.Put(p) }

// plainSource reads from any net.Conn. It waits with a small buffer of its own, and takes a large one while the small one gets full.
type plainSource struct {
	nc    net.Conn
	pool  *buffers
	small []byte
	busy  bool
}

func (s *plainSource) read() (*[]byte, int, error) {
	if s.busy {
		buf := s.pool.get()
		n, err := s.nc.Read(*buf)
		s.busy = n >= firstRead
		return buf, n, err
	}
	if s.small == nil {
		s.small = make([]byte, firstRead)
	}
	n, err := s.nc.Read(s.small)
	if n == 0 {
		return nil, 0, err
	}
	s.busy = n == firstRead
	buf := s.pool.get()
	return buf, copy(*buf, s.small[:n]), err
}

func (s *plainSource) readInto(p []byte) (int, error) { return s.nc.Read(p) }
