package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// clientTLS gives the settings of an agent's connection: whom it trusts, in PEM or a file of it, and the certificate that it shows, if any. nil:
// the system's.
func clientTLS(ca, cert, key string) (cfg *tls.Config, err error) {
	if ca != "" {
		if cfg, err = trust.AuthorityTLS(ca); err != nil {
			return nil, err
		}
	}
	return withClientCert(cfg, cert, key)
}

// withClientCert adds a client's certificate to cfg, which may be nil. The files are read for each handshake, so that they can be renewed.
func withClientCert(cfg *tls.Config, cert, key string) (*tls.Config, error) {
	if cert == "" && key == "" {
		return cfg, nil
	}
	read := func() (*tls.Certificate, error) {
		c, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("client-cert %q and client-key %q: %w: %w", cert, key, err, fettle.ErrInvalid)
		}
		if time.Now().After(c.Leaf.NotAfter) {
			return nil, fmt.Errorf("client-cert %s: the certificate ended at %s: %w", cert, c.Leaf.NotAfter.UTC().Format(time.RFC3339), fettle.ErrInvalid)
		}
		return &c, nil
	}
	if _, err := read(); err != nil {
		return nil, err
	}
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return read() }
	return cfg, nil
}

// tlsAdvice says what to do about an error that TLS, or its absence, gave; empty: it did not.
func tlsAdvice(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS at this port: write http://, or switch TLS on there (its setting tls)"
	case strings.Contains(err.Error(), "sent an HTTP request to an HTTPS server"): // as net/http answers it
		return "the server speaks TLS at this port: write https://"
	}
	return wire.TLSAdvice(err)
}
