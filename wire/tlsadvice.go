package wire

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// TLSAdvice says what to do about an error of a TLS connection; empty: it is none, or says all itself.
func TLSAdvice(err error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &authority):
		return "give the authority of its certificate by --ca FILE, or broker-ca where a server asks a foreign broker (a Fettle server that made its own has it in ca.pem of its state directory), or join with a token"
	case errors.As(err, &name):
		return fmt.Sprintf("the certificate is not for %s: connect by a name that it is for, or have the server add this one (its setting tls-names)", name.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "look at the clocks of both machines; a certificate that has ended has to be renewed (the server's setting tls-cert)"
	case errors.As(err, &record):
		return "the other end does not speak TLS at this port: write stomp:// or http://, or switch TLS on there (the server's setting tls)"
	case err != nil && strings.Contains(err.Error(), "tls: certificate required"), // alerts have no exported type that says which
		err != nil && strings.Contains(err.Error(), "tls: bad certificate"):
		return "the server asks for a client's certificate of an authority that it knows: give one by client-cert and client-key"
	}
	return ""
}

// advised is err with what to do about it, where there is something.
func advised(err error) error {
	if advice := TLSAdvice(err); advice != "" {
		return fmt.Errorf("%w; %s", err, advice)
	}
	return err
}
