package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// reloadEvery is how soon changed files are noticed.
const reloadEvery = 10 * time.Second

// files are the operator's own certificate and key.
type files struct {
	cert, key string
	ca        *x509.Certificate // put at the end of the chain; nil: clients know it

	looked time.Time // when they were looked at last
	stamps [2]stamp  // of what was read last, also where it could not be used
}

// stamp tells one content of a file from another.
type stamp struct {
	at   time.Time
	size int64
}

func (f *files) root() *x509.Certificate { return f.ca }

// current is of source. Files that have not changed are not read.
func (f *files) current(now time.Time, _ net.IP, old *tls.Certificate) (*tls.Certificate, error) {
	if since := now.Sub(f.looked); old != nil && since >= 0 && since < reloadEvery {
		return old, nil
	}
	f.looked = now
	var found [2]stamp
	for i, file := range []struct{ setting, name string }{{"tls-cert", f.cert}, {"tls-key", f.key}} {
		info, err := os.Stat(file.name)
		if err != nil {
			return nil, fileError(file.setting, file.name, err)
		}
		found[i] = stamp{info.ModTime(), info.Size()}
	}
	if old != nil && found == f.stamps {
		return old, nil
	}
	f.stamps = found
	return f.read(now)
}

func (f *files) read(now time.Time) (*tls.Certificate, error) {
	chain, err := readCertificates("tls-cert", f.cert)
	if err != nil {
		return nil, err
	}
	raw, err := readBounded(f.key)
	if err != nil {
		return nil, fileError("tls-key", f.key, err)
	}
	if f.ca != nil && !slices.ContainsFunc(chain, func(c *x509.Certificate) bool { return bytes.Equal(c.Raw, f.ca.Raw) }) {
		chain = append(chain, f.ca) // agents that joined by a token know the root by its key, and have to be shown it
	}
	c, err := tls.X509KeyPair(encodeCertificates(chain), raw)
	if err != nil {
		return nil, fmt.Errorf("tls-cert %s and tls-key %s: %w: %w", f.cert, f.key, err, fettle.ErrInvalid)
	}
	if now.After(c.Leaf.NotAfter) {
		return nil, fileError("tls-cert", f.cert, fmt.Errorf("the certificate ended at %s: %w", c.Leaf.NotAfter.UTC().Format(time.RFC3339), fettle.ErrInvalid))
	}
	return &c, nil
}
