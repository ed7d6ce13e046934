package trust

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// signed makes a certificate, by parent and its key, or by itself.
func signed(t *testing.T, c, parent *x509.Certificate, by *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, by = c, key
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotBefore = time.Now().Add(-time.Hour); c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}

func authority(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
}

func leaf(ends time.Duration) *x509.Certificate {
	return &x509.Certificate{DNSNames: []string{"fettle.acme.net"}, NotAfter: time.Now().Add(ends), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
}

func pinOf(c *x509.Certificate) []byte {
	sum := sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return sum[:]
}

// TestPinnedTLS holds that only the authority that is pinned can vouch for a server, by real handshakes.
func TestPinnedTLS(t *testing.T) {
	root, rootKey := signed(t, authority("ours"), nil, nil)
	other, otherKey := signed(t, authority("another"), nil, nil)
	good, goodKey := signed(t, leaf(time.Hour), root, rootKey)
	ended, endedKey := signed(t, leaf(-time.Minute), root, rootKey)
	foreign, foreignKey := signed(t, leaf(time.Hour), other, otherKey)
	between, betweenKey := signed(t, authority("between"), root, rootKey)
	below, belowKey := signed(t, leaf(time.Hour), between, betweenKey)
	alone, aloneKey := signed(t, leaf(time.Hour), nil, nil)

	for _, one := range []struct {
		what   string
		chain  []*x509.Certificate
		key    *ecdsa.PrivateKey
		pins   [][]byte
		name   string
		want   string // of the error; empty: none
		advice string
	}{
		{"the pinned authority's", []*x509.Certificate{good, root}, goodKey, [][]byte{pinOf(root)}, "fettle.acme.net", "", ""},
		{"one of two that are pinned", []*x509.Certificate{good, root}, goodKey, [][]byte{pinOf(other), pinOf(root)}, "fettle.acme.net", "", ""},
		{"one in between", []*x509.Certificate{below, between, root}, belowKey, [][]byte{pinOf(root)}, "fettle.acme.net", "", ""},
		{"the one in between is pinned", []*x509.Certificate{below, between}, belowKey, [][]byte{pinOf(between)}, "fettle.acme.net", "", ""},
		{"the authority is not shown", []*x509.Certificate{good}, goodKey, [][]byte{pinOf(root)}, "fettle.acme.net", "is not the one", ""},
		{"another authority's", []*x509.Certificate{foreign, other}, foreignKey, [][]byte{pinOf(root)}, "fettle.acme.net", "is not the one", ""},
		{"another's, with the pinned one beside it", []*x509.Certificate{foreign, root}, foreignKey, [][]byte{pinOf(root)}, "fettle.acme.net", "unknown authority", "--ca FILE"},
		{"the pinned one itself as a server", []*x509.Certificate{alone, root}, aloneKey, [][]byte{pinOf(alone)}, "fettle.acme.net", "is not the one", ""},
		{"nothing is pinned", []*x509.Certificate{good, root}, goodKey, nil, "fettle.acme.net", "is not the one", ""},
		{"an empty pin", []*x509.Certificate{good, root}, goodKey, [][]byte{{}}, "fettle.acme.net", "is not the one", ""},
		{"another name", []*x509.Certificate{good, root}, goodKey, [][]byte{pinOf(root)}, "db.acme.net", "db.acme.net", "tls-names"},
		{"one that has ended", []*x509.Certificate{ended, root}, endedKey, [][]byte{pinOf(root)}, "fettle.acme.net", "expired", "clocks"},
	} {
		t.Run(one.what, func(t *testing.T) {
			cert := tls.Certificate{PrivateKey: one.key}
			for _, c := range one.chain {
				cert.Certificate = append(cert.Certificate, c.Raw)
			}
			client := PinnedTLS(one.pins...)
			client.ServerName = one.name
			err := shake(t, &tls.Config{Certificates: []tls.Certificate{cert}}, client)
			switch {
			case one.want == "" && err != nil:
				t.Errorf("error %v", err)
			case one.want != "" && (err == nil || !strings.Contains(err.Error(), one.want)):
				t.Errorf("error %v, want %q", err, one.want)
			}
			if advice := wire.TLSAdvice(err); (one.advice == "") != (advice == "") || !strings.Contains(advice, one.advice) {
				t.Errorf("advice %q, want %q", advice, one.advice)
			}
		})
	}
}

// shake has a handshake, and gives the client's error.
func shake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		if nc, err := ln.Accept(); err == nil {
			_ = tls.Server(nc, server).Handshake() // the client's error is what counts
			_ = nc.Close()
		}
	}()
	nc, err := tls.Dial("tcp", ln.Addr().String(), client)
	if err == nil {
		_ = nc.Close()
	}
	<-served
	return err
}

func TestAuthorityTLS(t *testing.T) {
	root, rootKey := signed(t, authority("ours"), nil, nil)
	good, goodKey := signed(t, leaf(time.Hour), root, rootKey)
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Raw}))
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{good.Raw}, PrivateKey: goodKey}}}
	for _, ca := range []string{text, file} {
		client, err := AuthorityTLS(ca)
		if err != nil {
			t.Fatal(err)
		}
		client.ServerName = "fettle.acme.net"
		if err := shake(t, server, client); err != nil {
			t.Error(err)
		}
	}
	for _, ca := range []string{file + "x", "-----BEGIN nothing"} {
		if _, err := AuthorityTLS(ca); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: error %v", ca, err)
		}
	}
	if string(PinOf(text)) != string(pinOf(root)) || PinOf("none") != nil || PinOf("") != nil {
		t.Error("the pin of a text is not that of its certificate")
	}
}
