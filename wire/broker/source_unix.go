//go:build unix

package broker

import (
	"io"
	"net"
	"syscall"
)

// newSource gives nc's source. A socket is waited for without a buffer, which is most of what an idle connection would cost.
func newSource(nc net.Conn, pool *buffers) source {
	var sc syscall.Conn
	switch c := nc.(type) {
	case *net.TCPConn:
		sc = c
	case *net.UnixConn:
		sc = c
	default:
		return &plainSource{nc: nc, pool: pool}
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return &plainSource{nc: nc, pool: pool}
	}
	s := &rawSource{rc: rc, pool: pool}
	s.attempt = s.try
	return s
}

// rawSource reads from a socket.
type rawSource struct {
	rc   syscall.RawConn
	pool *buffers

	attempt func(fd uintptr) bool // try, bound once

	// in and out of try
	into []byte  // where to read; nil: into a pooled buffer
	buf  *[]byte // that buffer; nil while there is nothing to read
	n    int
	err  error
}

func (s *rawSource) read() (*[]byte, int, error) {
	s.into = nil
	n, err := s.wait()
	buf := s.buf
	s.buf = nil
	return buf, n, err
}

func (s *rawSource) readInto(p []byte) (int, error) {
	s.into = p
	n, err := s.wait()
	s.into = nil
	return n, err
}

func (s *rawSource) wait() (int, error) {
	s.n, s.err = 0, nil
	if err := s.rc.Read(s.attempt); err != nil {
		return 0, err
	}
	if s.n == 0 && s.err == nil {
		return 0, io.EOF
	}
	return max(s.n, 0), s.err
}

// try reads once, and tells whether there was something to read.
func (s *rawSource) try(fd uintptr) bool {
	p := s.into
	if p == nil {
		if s.buf == nil {
			s.buf = s.pool.get()
		}
		p = *s.buf
	}
	for {
		s.n, s.err = syscall.Read(int(fd), p)
		switch s.err {
		case syscall.EINTR: //nolint:errorlint // syscall.Read gives an Errno as it is
			continue
		case syscall.EAGAIN:
			if s.buf != nil {
				s.pool.put(s.buf)
				s.buf = nil
			}
			return false
		}
		return true
	}
}
