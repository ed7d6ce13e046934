package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// clock is one that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func open(t *testing.T, cfg Config, c *clock) *Keeper {
	t.Helper()
	k, err := Open(cfg, c.now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// shake has a handshake over a real connection, and gives the certificate that the client saw.
func shake(t *testing.T, server, client *tls.Config) (*x509.Certificate, error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan error, 1)
	go func() {
		nc, err := ln.Accept()
		if err == nil {
			s := tls.Server(nc, server)
			if err = s.Handshake(); err == nil {
				_, err = s.Write([]byte("x"))
			}
			_ = nc.Close()
		}
		served <- err
	}()
	nc, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err != nil {
		<-served
		return nil, err
	}
	defer nc.Close()                  //nolint:errcheck // what was asked was answered
	_, err = nc.Read(make([]byte, 1)) // a refusal of the client's certificate comes after the client's handshake
	<-served
	return nc.ConnectionState().PeerCertificates[0], err
}

// trusting gives a client that trusts k's authority, at c's time.
func trusting(k *Keeper, c *clock, name string) *tls.Config {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(k.CA())
	return &tls.Config{RootCAs: pool, ServerName: name, Time: c.now}
}

func TestAuthority(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	cfg := Config{State: dir, Names: []string{"Fettle.acme.net", "10.1.2.3", "not a name", "2001:db8::1"}}
	k := open(t, cfg, c)

	t.Run("files are for their owner only, but the certificate", func(t *testing.T) {
		for name, want := range map[string]os.FileMode{caKeyFile: 0o600, leafFile: 0o600, caCertFile: 0o644} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != want {
				t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
			}
		}
	})
	for _, name := range []string{"fettle.acme.net", "10.1.2.3", "2001:db8::1", "localhost", "127.0.0.1", "::1"} {
		t.Run("clients reach "+name, func(t *testing.T) {
			if _, err := shake(t, k.HTTPS(), trusting(k, c, name)); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("another name is refused", func(t *testing.T) {
		_, err := shake(t, k.HTTPS(), trusting(k, c, "db.acme.net"))
		var wrong x509.HostnameError
		if !errors.As(err, &wrong) {
			t.Errorf("error %v, want x509.HostnameError", err)
		}
	})
	t.Run("who does not know the authority refuses", func(t *testing.T) {
		other := open(t, Config{State: t.TempDir()}, c)
		_, err := shake(t, k.HTTPS(), trusting(other, c, "localhost"))
		var unknown x509.UnknownAuthorityError
		if !errors.As(err, &unknown) {
			t.Errorf("error %v, want x509.UnknownAuthorityError", err)
		}
	})
	t.Run("TLS 1.1 is refused", func(t *testing.T) {
		old := trusting(k, c, "localhost")
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		if _, err := shake(t, k.HTTPS(), old); err == nil {
			t.Error("the handshake went well")
		}
	})
	t.Run("a restart keeps authority and certificate", func(t *testing.T) {
		was, err := shake(t, k.HTTPS(), trusting(k, c, "localhost"))
		if err != nil {
			t.Fatal(err)
		}
		again := open(t, cfg, c)
		is, err := shake(t, again.HTTPS(), trusting(k, c, "localhost"))
		if err != nil {
			t.Fatal(err)
		}
		if !is.Equal(was) || !bytes.Equal(again.Pin(), k.Pin()) || len(k.Pin()) != 32 {
			t.Error("another certificate, or another authority")
		}
	})
	t.Run("another name is put in at a restart", func(t *testing.T) {
		again := open(t, Config{State: dir, Names: []string{"new.acme.net"}}, c)
		if _, err := shake(t, again.HTTPS(), trusting(k, c, "new.acme.net")); err != nil {
			t.Error(err)
		}
	})
	t.Run("a key that others could read is closed to them", func(t *testing.T) {
		file := filepath.Join(dir, caKeyFile)
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		open(t, cfg, c)
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, error %v", info.Mode(), err)
		}
	})
}

func TestAuthorityRenewal(t *testing.T) {
	for _, step := range []struct {
		what    string
		by      time.Duration
		renewed bool
	}{
		{"a day later nothing has changed", 24 * time.Hour, false},
		{"a certificate is renewed when a third is left", 61 * 24 * time.Hour, true},
		{"years later authority and certificate are renewed", 12 * 365 * 24 * time.Hour, true},
		{"a clock that is set back half an hour changes nothing", -30 * time.Minute, false},
		{"a clock that is set back a year gets what holds there", -365 * 24 * time.Hour, true},
	} {
		t.Run(step.what, func(t *testing.T) {
			c := newClock()
			k := open(t, Config{State: t.TempDir()}, c)
			pin := k.Pin()
			was, err := shake(t, k.HTTPS(), trusting(k, c, "localhost"))
			if err != nil {
				t.Fatal(err)
			}
			c.step(step.by)
			if _, err := k.certificate(nil); err != nil { // the authority may be renewed by this, and the client fetches it
				t.Fatal(err)
			}
			is, err := shake(t, k.HTTPS(), trusting(k, c, "localhost"))
			if err != nil {
				t.Fatal(err)
			}
			if is.Equal(was) == step.renewed {
				t.Errorf("renewed: %v, want %v", !is.Equal(was), step.renewed)
			}
			if !bytes.Equal(pin, k.Pin()) {
				t.Error("the authority has another key")
			}
			if !is.NotBefore.Before(c.now()) {
				t.Error("a clock that is a little behind refuses it")
			}
		})
	}
	t.Run("an address that the machine has got meanwhile is put in", func(t *testing.T) {
		k := open(t, Config{State: t.TempDir()}, newClock())
		got, err := k.certificate(net.ParseIP("192.0.2.7"))
		if err != nil || got.Leaf.VerifyHostname("192.0.2.7") != nil || got.Leaf.VerifyHostname("127.0.0.1") != nil {
			t.Errorf("error %v, addresses %v", err, got.Leaf.IPAddresses)
		}
	})
	t.Run("where the disk is read-only the certificate stays in use", func(t *testing.T) {
		dir, c := t.TempDir(), newClock()
		k := open(t, Config{State: dir}, c)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		c.step(61 * 24 * time.Hour)
		if _, err := shake(t, k.HTTPS(), trusting(k, c, "localhost")); err != nil {
			t.Error(err)
		}
	})
}

// TestRenewalUnderLoad holds that connections that are open outlive renewals, and that none of those which are made meanwhile fails.
func TestRenewalUnderLoad(t *testing.T) {
	c := newClock()
	k := open(t, Config{State: t.TempDir()}, c)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", k.STOMPS())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { echo(ln, &wg) })
	pool := trusting(k, c, "localhost")
	old, err := tls.Dial("tcp", ln.Addr().String(), pool)
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	var stepping sync.RWMutex // time does not leap by months within a handshake
	for range 4 {
		clients.Go(func() {
			for range 12 {
				stepping.RLock()
				nc, err := tls.Dial("tcp", ln.Addr().String(), pool)
				stepping.RUnlock()
				if err != nil {
					t.Error(err)
					return
				}
				said(t, nc)
				_ = nc.Close()
			}
		})
	}
	first := k.Expires()
	for range 8 { // a year and a half
		stepping.Lock()
		c.step(70 * 24 * time.Hour)
		stepping.Unlock()
		said(t, old)
	}
	clients.Wait()
	said(t, old)
	if _, err := tls.Dial("tcp", ln.Addr().String(), pool); err != nil {
		t.Error(err)
	}
	if !k.Expires().After(first) {
		t.Error("nothing was renewed")
	}
	_ = old.Close()
	_ = ln.Close()
	wg.Wait()
}

// echo says back what each connection says, until ln is closed.
func echo(ln net.Listener, wg *sync.WaitGroup) {
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer nc.Close()
			_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
			buf := make([]byte, 4)
			for {
				if _, err := nc.Read(buf); err != nil {
					return
				}
				if _, err := nc.Write(buf); err != nil {
					return
				}
			}
		})
	}
}

func said(t *testing.T, nc net.Conn) {
	t.Helper()
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 4)
	if _, err := nc.Write([]byte("ping")); err != nil {
		t.Error(err)
	}
	if _, err := nc.Read(buf); err != nil || string(buf) != "ping" {
		t.Errorf("read %q, error %v", buf, err)
	}
}

// issuer is somebody else's authority.
type issuer struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newIssuer(t *testing.T, c *clock) *issuer {
	t.Helper()
	i := &issuer{t: t, dir: t.TempDir()}
	root := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Acme root"}, SerialNumber: big.NewInt(1), NotBefore: c.now().Add(-time.Hour), NotAfter: c.now().Add(10 * 365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	i.key, i.cert = i.sign(root, root, nil)
	i.write("root.pem", encodeCertificates([]*x509.Certificate{i.cert}))
	return i
}

func (i *issuer) sign(template, parent *x509.Certificate, by *ecdsa.PrivateKey) (*ecdsa.PrivateKey, *x509.Certificate) {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	if by == nil {
		by = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		i.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return key, cert
}

// issue writes name.pem and name.key.
func (i *issuer) issue(name string, serial int64, ends time.Time) (cert, key string) {
	i.t.Helper()
	k, c := i.sign(&x509.Certificate{
		SerialNumber: big.NewInt(serial), NotBefore: ends.Add(-480 * time.Hour), NotAfter: ends, DNSNames: []string{name},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, i.cert, i.key)
	text, err := encodeKey(k)
	if err != nil {
		i.t.Fatal(err)
	}
	return i.write(name+".pem", encodeCertificates([]*x509.Certificate{c})), i.write(name+".key", text)
}

func (i *issuer) write(name string, text []byte) string {
	i.t.Helper()
	file := filepath.Join(i.dir, name)
	if err := writeFile(file, text, 0o600); err != nil {
		i.t.Fatal(err)
	}
	return file
}

func TestFiles(t *testing.T) {
	c := newClock()
	i := newIssuer(t, c)
	cert, key := i.issue("fettle.acme.net", 7, c.now().Add(24*time.Hour))
	k := open(t, Config{CertFile: cert, KeyFile: key, CAFile: filepath.Join(i.dir, "root.pem")}, c)
	if got := k.Host("127.0.0.1"); got != "fettle.acme.net" {
		t.Errorf("clients are sent to %s", got)
	}
	if len(k.Pin()) != 32 || !bytes.Contains(k.CA(), []byte("BEGIN CERTIFICATE")) {
		t.Error("the root is not told")
	}
	was, err := shake(t, k.HTTPS(), trusting(k, c, "fettle.acme.net"))
	if err != nil {
		t.Fatal(err)
	}
	if len(k.leaf.Certificate) != 2 {
		t.Error("the root is not sent, and a join token's holder cannot know it")
	}

	t.Run("a half-written pair changes nothing", func(t *testing.T) {
		i.issue("other.acme.net", 8, c.now().Add(24*time.Hour))
		if err := os.Rename(filepath.Join(i.dir, "other.acme.net.pem"), cert); err != nil {
			t.Fatal(err)
		}
		c.step(time.Minute)
		got, err := shake(t, k.HTTPS(), trusting(k, c, "fettle.acme.net"))
		if err != nil || !got.Equal(was) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a renewed pair is taken without a restart", func(t *testing.T) {
		i.issue("fettle.acme.net", 9, c.now().Add(240*time.Hour))
		c.step(time.Minute)
		got, err := shake(t, k.HTTPS(), trusting(k, c, "fettle.acme.net"))
		if err != nil || got.SerialNumber.Int64() != 9 {
			t.Errorf("error %v", err)
		}
	})
	t.Run("files that have gone change nothing", func(t *testing.T) {
		if err := os.Remove(key); err != nil {
			t.Fatal(err)
		}
		c.step(time.Minute)
		if _, err := shake(t, k.HTTPS(), trusting(k, c, "fettle.acme.net")); err != nil {
			t.Error(err)
		}
	})
}

func TestFaults(t *testing.T) {
	c := newClock()
	i := newIssuer(t, c)
	cert, key := i.issue("a", 1, c.now().Add(time.Hour))
	_, otherKey := i.issue("b", 2, c.now().Add(time.Hour))
	ended, endedKey := i.issue("c", 3, c.now().Add(-time.Hour))
	text := i.write("text", []byte("no certificate\n"))
	lost := t.TempDir()
	open(t, Config{State: lost}, c)
	if err := os.Remove(filepath.Join(lost, caKeyFile)); err != nil {
		t.Fatal(err)
	}
	mixed := t.TempDir()
	open(t, Config{State: mixed}, c)
	open(t, Config{State: filepath.Join(mixed)}, c)
	if err := os.Rename(filepath.Join(i.dir, "root.pem"), filepath.Join(mixed, caCertFile)); err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		what string
		cfg  Config
		want []string
	}{
		{"no key", Config{CertFile: cert}, []string{"tls-cert and tls-key belong together"}},
		{"a file that is not there", Config{CertFile: cert + "x", KeyFile: key}, []string{"tls-cert " + cert + "x", "no such file"}},
		{"a key that is not there", Config{CertFile: cert, KeyFile: key + "x"}, []string{"tls-key " + key + "x", "no such file"}},
		{"no PEM", Config{CertFile: text, KeyFile: key}, []string{"tls-cert " + text, "no certificate in PEM"}},
		{"another's key", Config{CertFile: cert, KeyFile: otherKey}, []string{cert, otherKey, "does not match"}},
		{"one that has ended", Config{CertFile: ended, KeyFile: endedKey}, []string{"tls-cert " + ended, "ended at 2026-03-01T11:00:00Z"}},
		{"clients' authority is no PEM", Config{State: t.TempDir(), ClientCAFile: text}, []string{"tls-client-ca " + text}},
		{"the authority's key is lost", Config{State: lost}, []string{caKeyFile + " is gone"}},
		{"the authority's certificate is another's", Config{State: mixed}, []string{caCertFile, "not of the key"}},
		{"no state directory", Config{State: filepath.Join(lost, "none")}, []string{"none", "no such file"}},
	} {
		t.Run(one.what, func(t *testing.T) {
			_, err := Open(one.cfg, c.now, slog.New(slog.DiscardHandler))
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range one.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
			if !errors.Is(err, fettle.ErrInvalid) && !strings.Contains(err.Error(), "no such file") {
				t.Errorf("error %q is of no kind", err)
			}
		})
	}
}

func TestClientCertificates(t *testing.T) {
	c := newClock()
	i := newIssuer(t, c)
	k := open(t, Config{State: t.TempDir(), ClientCAFile: filepath.Join(i.dir, "root.pem")}, c)
	load := func(issuer *issuer, name string, ends time.Time) []tls.Certificate {
		pair, err := tls.LoadX509KeyPair(issuer.issue(name, 5, ends))
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{pair}
	}
	for _, one := range []struct {
		what  string
		shown []tls.Certificate
		good  bool
	}{
		{"one of the authority is let in", load(i, "web1", c.now().Add(time.Hour)), true},
		{"none is refused", nil, false},
		{"one that has ended is refused", load(i, "web2", c.now().Add(-time.Hour)), false},
		{"another authority's is refused", load(newIssuer(t, c), "web3", c.now().Add(time.Hour)), false},
	} {
		t.Run(one.what, func(t *testing.T) {
			client := trusting(k, c, "localhost")
			client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if one.shown == nil {
					return &tls.Certificate{}, nil
				}
				return &one.shown[0], nil
			}
			if _, err := shake(t, k.STOMPS(), client); (err == nil) != one.good {
				t.Errorf("error %v", err)
			}
			if _, err := shake(t, k.HTTPS(), trusting(k, c, "localhost")); err != nil {
				t.Errorf("pages want a certificate too: %v", err)
			}
		})
	}
}
