package nrpe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Files says what the listener shows, and what it wants to be shown.
type Files struct {
	Cert, Key string // in PEM, read for each handshake, so that they can be renewed; empty: Own
	Own       string // a certificate of our own making with its key, in one file; made when it is missing
	Name      string // whose certificate Own is
	ClientCA  string // in PEM: whoever asks has to show a certificate of this authority; empty: none
}

// ownFor is how long a certificate of our own making lasts. check_nrpe looks at it only where it is given the file as its authority.
const ownFor = 10 * 365 * 24 * time.Hour

// TLS gives the settings of TLS: 1.2 and later. check_nrpe wants no certificate by default and takes any; it is there because anonymous
// Diffie-Hellman, with which NRPE did without, has gone from TLS 1.3, and from Go. ErrInvalid: a file cannot be used.
func TLS(f Files) (*tls.Config, error) {
	if f.Cert == "" {
		if err := makeOwn(f.Own, f.Name, time.Now()); err != nil {
			return nil, err
		}
		f.Cert, f.Key = f.Own, f.Own
	}
	read := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate %s and key %s: %w: %w", f.Cert, f.Key, err, fettle.ErrInvalid)
		}
		return &c, nil
	}
	if _, err := read(); err != nil {
		return nil, err
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return read() }}
	if f.ClientCA == "" {
		return cfg, nil
	}
	authority, err := os.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("authority of those who ask: %w: %w", err, fettle.ErrInvalid)
	}
	cfg.ClientCAs, cfg.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !cfg.ClientCAs.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s holds no certificate in PEM: %w", f.ClientCA, fettle.ErrInvalid)
	}
	return cfg, nil
}

// makeOwn makes a certificate that vouches for itself, and its key, unless file is there.
func makeOwn(file, name string, now time.Time) error {
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	draft := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name[:min(len(name), 64)]}, DNSNames: []string{name}, // RFC 5280: a common name has 64 characters
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ownFor), BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, draft, draft, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	return os.Rename(file+".new", file)
}
