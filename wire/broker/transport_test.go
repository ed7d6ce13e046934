package broker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// certificate makes one for 127.0.0.1, and a pool that trusts it.
func certificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// TestTransports has the same session over every kind of connection.
func TestTransports(t *testing.T) {
	cert, pool := certificate(t)
	for _, c := range []struct {
		name   string
		listen func(t *testing.T) (net.Listener, error)
		dial   func(addr net.Addr) (net.Conn, error)
	}{
		{
			"tcp", func(*testing.T) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") },
			func(a net.Addr) (net.Conn, error) { return net.Dial("tcp", a.String()) },
		},
		{
			"tls",
			func(*testing.T) (net.Listener, error) {
				return tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
			},
			func(a net.Addr) (net.Conn, error) { return tls.Dial("tcp", a.String(), &tls.Config{RootCAs: pool}) },
		},
		{
			"unix", func(t *testing.T) (net.Listener, error) { return net.Listen("unix", filepath.Join(t.TempDir(), "s")) },
			func(a net.Addr) (net.Conn, error) { return net.Dial("unix", a.String()) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.MaxOut = 5 << 20; c.MaxUncommitted = 2 })
			ln, err := c.listen(t)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- r.Serve(ctx, ln) }()
			transportSession(t, r, func() *client {
				nc, err := c.dial(ln.Addr())
				if err != nil {
					t.Fatal(err)
				}
				return newClient(t, nc)
			})
			cancel()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
}

func transportSession(t *testing.T, r *rig, dial func() *client) {
	a, slow := dial(), dial()
	a.connect("")
	slow.connect("")
	a.subscribe("1", "/queue/q", "")
	for _, n := range []int{0, 1, 500, 511, 512, 513, readSize - 1, readSize, readSize + 1, 1 << 20, 4 << 20} {
		body := strings.Repeat("x", n)
		go a.send("SEND\nreceipt:ask\ndestination:/queue/q\ncontent-length:" + strconv.Itoa(n) + "\n\n" + body + "\x00")
		if g := a.want("MESSAGE"); g.body != body {
			t.Fatalf("%d bytes came back as %d", n, len(g.body))
		}
		a.want("RECEIPT")
	}
	for i := range 3 {
		go a.collect(1, strings.Repeat("y", 200_000))
		until(t, "commit", func() bool { return r.desk.count() == i+1 })
		r.desk.finish(1, nil)
		a.want("RECEIPT")
	}
	slow.subscribe("1", "/topic/t", "")
	for r.Stats().Slow == 0 {
		if _, err := r.Publish("/topic/t", nil, make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "cut", func() bool { return r.Stats().Connections == 1 })
	a.send("NONSENSE\n\n\x00")
	a.wantError(`"NONSENSE" is no command`)
	a.Close()
	until(t, "end", func() bool { s := r.Stats(); return s.Connections == 0 && s.InflightBytes == 0 })
}

// TestPlainBytesToTLS holds that a client that does not speak TLS to a listener that does costs a connection and nothing else.
func TestPlainBytesToTLS(t *testing.T) {
	cert, _ := certificate(t)
	r := newRig(t, func(c *Config) { c.ConnectTimeout = 100 * time.Millisecond })
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- r.Serve(ctx, ln) }()
	for _, s := range []string{"CONNECT\n\n\x00", ""} {
		nc, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c := newClient(t, nc)
		c.send(s)
		until(t, "end", func() bool { return r.Stats().Connections == 0 && r.m.connections.Get() > 0 })
		c.Close()
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
