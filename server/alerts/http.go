package alerts

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// defaultTimeout is how long a receiver may take to take a message.
const defaultTimeout = 10 * time.Second

// maxAnswer bounds what is read of an answer, and maxShown what is shown of it, in bytes.
const (
	maxAnswer = 64 << 10
	maxShown  = 200
)

// HTTPClient says how another server is spoken to.
type HTTPClient struct {
	CA           string        `yaml:"ca"`            // file of certificates to trust, in PEM; empty: the system's
	TokenFile    string        `yaml:"token-file"`    // whose content is sent as a bearer token
	User         string        `yaml:"user"`          // of basic authentication, with password-file
	PasswordFile string        `yaml:"password-file"` //
	Timeout      time.Duration `yaml:"timeout"`       // of a message; zero: 10 s
}

func (c HTTPClient) validate(key string, f *faults) {
	if c.Timeout < 0 {
		f.add(key+".timeout", "%s is below zero", c.Timeout)
	}
	if c.TokenFile != "" && c.User != "" {
		f.add(key+".token-file", "a token and a user are two ways to sign in: say one")
	}
	if (c.User == "") != (c.PasswordFile == "") {
		f.add(key+".password-file", "user and password-file go together")
	}
}

// poster sends bodies.
type poster struct {
	client         *http.Client
	token          string
	user, password string
}

func (c HTTPClient) open() (p *poster, err error) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}
	if transport.TLSClientConfig, err = trusting(c.CA); err != nil {
		return nil, err
	}
	p = &poster{user: c.User, client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if p.token, err = secretOf(c.TokenFile); err != nil {
		return nil, err
	}
	p.password, err = secretOf(c.PasswordFile)
	return p, err
}

// post sends body, and wants an answer of 2xx. The error tells what was answered, and nothing of our secrets.
func (p *poster) post(ctx context.Context, url string, body []byte, header http.Header) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "fettle")
	if p.token != "" {
		r.Header.Set("Authorization", "Bearer "+p.token)
	}
	if p.user != "" {
		r.SetBasicAuth(p.user, p.password)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer)) // what could be read tells enough
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answers %s: %s", answer.Request.URL.Redacted(), answer.Status, oneLine(string(text), maxShown))
	}
	return nil
}

// oneLine makes a line of at most n bytes of what somebody else wrote.
func oneLine(s string, n int) string {
	return cut(strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " "), n)
}

// trusting gives the settings for a server with certificates of a file.
func trusting(file string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if file == "" {
		return cfg, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s has no certificate in PEM: %w", file, fettle.ErrInvalid)
	}
	return cfg, nil
}

// secretOf reads a secret from its file, without the end of its line; no file: none.
func secretOf(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	secret := strings.TrimRight(string(raw), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty: %w", file, fettle.ErrInvalid)
	}
	return secret, nil
}
