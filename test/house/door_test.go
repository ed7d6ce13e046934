//go:build integration

package house

import (
	"io"
	"net"
	"sync"
	"testing"
)

// door is a way to a server that can be shut.
type door struct {
	t      *testing.T
	to     string
	listen net.Listener

	mu     sync.Mutex
	closed bool       // guarded by mu
	conns  []net.Conn // guarded by mu
}

func newDoor(t *testing.T, to string) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, to: to, listen: l}
	var wg sync.WaitGroup
	wg.Go(func() { // ends with the listener
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { d.pass(c) })
		}
	})
	t.Cleanup(func() { l.Close(); d.shut(); wg.Wait() })
	return d
}

func (d *door) address() string { return d.listen.Addr().String() }

// pass hands on what one connection says, in both directions.
func (d *door) pass(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", d.to)
	if err != nil {
		return
	}
	defer s.Close()
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.conns = append(d.conns, c, s)
	d.mu.Unlock()
	back := make(chan struct{})
	go func() { // ends with either connection
		defer close(back)
		_, _ = io.Copy(c, s)
		c.Close()
	}()
	_, _ = io.Copy(s, c)
	s.Close()
	<-back
}

// shut cuts all connections, and lets no more in.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, c := range d.conns {
		c.Close()
	}
	d.conns = nil
}

// refuse lets no more in; who is in may stay.
func (d *door) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = false
}
