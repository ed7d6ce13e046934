package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// errNotPinned says that the other end did not show the authority that a token names.
var errNotPinned = errors.New("the server's authority is not the one that this node was told of when it joined, nor that of its join token")

// PinnedTLS gives settings for a client that trusts authorities known by the SHA-256 of their public keys (SubjectPublicKeyInfo), and nothing
// else. The server has to send the authority's certificate with its own; its names and times are looked at as always.
func PinnedTLS(pins ...[]byte) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection does it, with a root that is only known once it is shown
		VerifyConnection: func(c tls.ConnectionState) error {
			err := verifyPinned(pins, c)
			if err != nil {
				return &tls.CertificateVerificationError{UnverifiedCertificates: c.PeerCertificates, Err: err}
			}
			return nil
		},
	}
}

func verifyPinned(pins [][]byte, c tls.ConnectionState) error {
	if len(c.PeerCertificates) == 0 {
		return errNotPinned
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, cert := range c.PeerCertificates[1:] {
		pin := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		if cert.IsCA && slices.ContainsFunc(pins, func(p []byte) bool { return bytes.Equal(p, pin[:]) }) {
			roots.AddCert(cert)
			found = true
		} else {
			between.AddCert(cert)
		}
	}
	if !found {
		return errNotPinned
	}
	_, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: c.ServerName, Roots: roots, Intermediates: between})
	return err
}

// AuthorityTLS gives settings for a client that trusts the authorities in ca, which is PEM or the name of a file of it, and nothing else.
// ErrInvalid: there are none.
func AuthorityTLS(ca string) (*tls.Config, error) {
	text, from := []byte(ca), "ca"
	if !strings.Contains(ca, "-----BEGIN") {
		var err error
		if text, err = readAuthorities(ca); err != nil {
			return nil, fmt.Errorf("ca: %w: %w", err, fettle.ErrInvalid)
		}
		from = "ca " + ca
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: there is no certificate in PEM in it: %w", from, fettle.ErrInvalid)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// maxAuthorities bounds a file of authorities, in bytes: all that a system trusts are less.
const maxAuthorities = 1 << 20

func readAuthorities(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxAuthorities))
}

// PinOf gives the pin of the first certificate in text, which is PEM; nil: there is none.
func PinOf(text string) []byte {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return sum[:]
}
