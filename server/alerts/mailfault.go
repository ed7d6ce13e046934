package alerts

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/textproto"

	"github.com/wneessen/go-mail"
)

// Answers of mail servers, RFC 4954 section 6.
const (
	smtpNeedsAuth = 530 // authentication required
	smtpWrongAuth = 535 // authentication credentials invalid
)

// explain says what a person has to look at when a message could not be handed over; nil stays nil.
func (c *Mail) explain(err error) error {
	var (
		unknown x509.UnknownAuthorityError
		name    x509.HostnameError
		record  tls.RecordHeaderError
	)
	switch code := smtpCode(err); {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		return fmt.Errorf("%s shows a certificate that is not trusted: ca has to name the file of its authority: %w", c.Server, err)
	case errors.As(err, &name):
		return fmt.Errorf("%s shows a certificate of another name: write the server as its certificate has it: %w", c.Server, err)
	case errors.As(err, &record):
		return fmt.Errorf("%s does not speak TLS from the first byte on: take tls: starttls: %w", c.Server, err)
	case code == smtpWrongAuth:
		return fmt.Errorf("%s does not let the user %s in with what is in %s: %w", c.Server, c.User, c.PasswordFile, err)
	case code == smtpNeedsAuth && c.User == "":
		return fmt.Errorf("%s wants to know who sends: user and password-file are not set: %w", c.Server, err)
	}
	return fmt.Errorf("%s: %w", c.Server, err)
}

// smtpCode gives the code by which a server refused something; zero: it did not.
func smtpCode(err error) int {
	var refused *textproto.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	var sent *mail.SendError
	if errors.As(err, &sent) {
		return sent.ErrorCode()
	}
	return 0
}
