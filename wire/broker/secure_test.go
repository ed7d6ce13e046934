package broker

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// secured is a rig with a second door, for TLS.
func secured(t testing.TB, r *rig, cfg *tls.Config) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, Secure(ln, cfg)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

// TestHandshakes holds what becomes of those that do not get through to TLS.
func TestHandshakes(t *testing.T) {
	cert, pool := certificate(t)
	r := newRig(t, func(c *Config) { c.ConnectTimeout = 200 * time.Millisecond; c.MaxBeforeLogin = 8 })
	addr := secured(t, r, &tls.Config{Certificates: []tls.Certificate{cert}})
	dial := func() *client {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		return newClient(t, nc)
	}
	gone := func() {
		t.Helper()
		until(t, "end", func() bool { return r.Stats().Connections == 0 })
	}

	t.Run("plain STOMP is told to speak TLS", func(t *testing.T) {
		c := dial()
		c.send("CONNECT\naccept-version:1.2\n\n\x00")
		c.wantError("stomps://")
		gone()
	})
	t.Run("TLS is told by a port without it", func(t *testing.T) {
		_, err := tls.Dial("tcp", r.addr, &tls.Config{RootCAs: pool})
		if err == nil || !strings.Contains(err.Error(), "first record does not look like a TLS handshake") {
			t.Errorf("error %v", err)
		}
		gone()
	})
	t.Run("silence ends", func(t *testing.T) {
		began := time.Now()
		c := dial()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("something was said")
		}
		if took := time.Since(began); took < 100*time.Millisecond || took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		gone()
	})
	t.Run("a handshake that stops halfway ends", func(t *testing.T) {
		c := dial()
		_, _ = c.Write(hello(t)[:100])
		_, _ = io.Copy(io.Discard, c)
		gone()
	})
	t.Run("TLS without a login ends", func(t *testing.T) {
		nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool})
		if err != nil {
			t.Fatal(err)
		}
		newClient(t, nc).wantError("no login within")
		gone()
	})
	t.Run("a hello without end is cut off", func(t *testing.T) {
		c := dial()
		record := append([]byte{0x16, 3, 1, 0x40, 0}, make([]byte, 0x4000)...)
		copy(record[5:], []byte{1, 0, 0xff, 0xf0}) // ClientHello of 64 KiB, which the standard library would take
		for range 4 {
			_, _ = c.Write(record)
		}
		_, _ = io.Copy(io.Discard, c)
		gone()
		if in := r.m.failedHandshakes.Get(); in < 4 {
			t.Errorf("%d failed handshakes are counted", in)
		}
	})
	t.Run("no more than are allowed wait for a login", func(t *testing.T) {
		for range 8 {
			dial()
		}
		until(t, "connections", func() bool { return r.Stats().Connections == 8 })
		c := dial()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("something was said")
		}
		if n := r.m.refusedConnections.Get(); n == 0 {
			t.Error("it is not counted")
		}
		gone()
	})
	t.Run("afterwards everybody is served", func(t *testing.T) {
		nc, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: pool})
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, nc)
		c.connect("")
		c.send("SEND\ndestination:/queue/q\nreceipt:1\n\nx\x00")
		c.want("RECEIPT")
	})
}

// hello is what a client begins with.
func hello(t *testing.T) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { _ = tls.Client(ours, &tls.Config{ServerName: "x"}).Handshake() })
	buf := make([]byte, 4096)
	n, err := theirs.Read(buf)
	_ = theirs.Close()
	wg.Wait()
	if err != nil || n < 200 {
		t.Fatalf("%d bytes, error %v", n, err)
	}
	return buf[:n]
}

// BenchmarkConnectTLS2k logs 2,000 nodes in by TLS; B/conn is what the broker's end of an idle connection keeps, which is measured by
// taking the clients' away: they are only sockets here, after the handshake.
func BenchmarkConnectTLS2k(b *testing.B) {
	const n = 2000
	cert, pool := certificate(b)
	for range b.N {
		b.StopTimer()
		r := newRig(b, nil)
		addr := secured(b, r, &tls.Config{Certificates: []tls.Certificate{cert}})
		before := inUse()
		b.StartTimer()
		sockets := make([]net.Conn, n)
		var wg sync.WaitGroup
		for w := range 16 {
			wg.Go(func() {
				for i := w; i < n; i += 16 {
					var err error
					if sockets[i], err = loginByTLS(addr, pool, i); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		b.StopTimer()
		if b.Failed() {
			return
		}
		b.ReportMetric(float64(inUse()-before)/n, "B/conn")
		b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "conn/s")
		for _, nc := range sockets {
			_ = nc.Close()
		}
		until(b, "end", func() bool { return r.Stats().Connections == 0 })
	}
}

// loginByTLS logs in and gives the socket below TLS.
func loginByTLS(addr string, pool *x509.CertPool, i int) (net.Conn, error) {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	nc := tls.Client(raw, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})
	fmt.Fprintf(nc, benchLogin, i, i)
	buf := make([]byte, 256)
	for seen := 0; seen < 2; { // the NULs of CONNECTED and RECEIPT
		k, err := nc.Read(buf)
		if err != nil {
			return nil, err
		}
		seen += bytes.Count(buf[:k], []byte{0})
	}
	return raw, nil
}
