package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/fettle-dev/fettle"
)

// Limits of a connection. How long an answer may take is the caller's to say, by the context: a live verdict takes as long as it was told to.
const (
	dialTimeout = 10 * time.Second
	maxProblem  = 1 << 20 // bytes of an error's body that are read

	maxAuthorities = 1 << 20 // bytes of a file of certificates: all that a system trusts are less
)

// API is a server. Its methods are safe for concurrent use; their errors wrap the kinds of package fettle, and are an *Error where the server
// answered.
type API struct {
	base  string // without a slash at the end
	token string
	http  *http.Client
	calls *Caller
}

// New makes a client of the server at base, such as http://127.0.0.1:8420, with a token. The certificate authority ca is a PEM file or its text;
// empty: the system's. Nothing is sent yet. ErrInvalid: one of the three cannot be.
func New(base, token, ca string) (*API, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("server %q is not a URL such as http://127.0.0.1:8420: %w", base, fettle.ErrInvalid)
	}
	token = strings.TrimSpace(token) // files end with a line break
	if strings.ContainsAny(token, "\r\n") {
		return nil, fmt.Errorf("the token has a line break in it: %w", fettle.ErrInvalid)
	}
	transport := &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: dialTimeout}).DialContext, TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
	}
	if ca != "" {
		if transport.TLSClientConfig, err = trust(ca); err != nil {
			return nil, err
		}
	}
	a := &API{base: strings.TrimSuffix(u.String(), "/"), token: token, http: &http.Client{Transport: transport}}
	if a.calls, err = NewClient(a.base, WithHTTPClient(a)); err != nil {
		return nil, fmt.Errorf("server %q: %w: %w", base, err, fettle.ErrInvalid)
	}
	return a, nil
}

// URL gives the address of the server.
func (a *API) URL() string { return a.base }

// trust makes what is signed by ca trusted, and nothing else.
func trust(ca string) (*tls.Config, error) {
	text := []byte(ca)
	if !strings.Contains(ca, "-----BEGIN") {
		f, err := os.Open(ca)
		if err == nil {
			text, err = io.ReadAll(io.LimitReader(f, maxAuthorities))
			_ = f.Close() // it was read only
		}
		if err != nil {
			return nil, fmt.Errorf("read certificate authority: %w: %w", err, fettle.ErrInvalid)
		}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the certificate authority is not in PEM: %w", fettle.ErrInvalid)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

// Do sends a request with the token, and turns an answer that is an error into an *Error. The generated code calls it.
func (a *API) Do(r *http.Request) (*http.Response, error) {
	if a.token != "" {
		r.Header.Set("Authorization", "Bearer "+a.token)
	}
	answer, err := a.http.Do(r)
	if err != nil {
		return nil, a.unreachable(r.Context(), err)
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxProblem))
	if err != nil {
		return nil, a.unreachable(r.Context(), err)
	}
	return nil, newError(answer, body)
}

// unreachable says that no answer came. Who gave up is told so.
func (a *API) unreachable(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("ask %s: %w", a.base, ctx.Err())
	}
	return fmt.Errorf("%s cannot be reached: %w: %w", a.base, err, fettle.ErrUnavailable)
}

// read gives what a call answered, as JSON, or the call's error.
func read[T any](answer *http.Response, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	from := answer.Request.URL.Host
	if media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); media != "application/json" {
		return nil, fmt.Errorf("%s does not answer as a Fettle server does, is it one? %w", from, fettle.ErrUnavailable)
	}
	var got T
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		if cause := context.Cause(answer.Request.Context()); cause != nil {
			err = cause
		}
		return nil, fmt.Errorf("read the answer of %s: %w: %w", from, err, fettle.ErrUnavailable)
	}
	return &got, nil
}

// Healthy tells whether a server lives at the address. It asks without the token.
func (a *API) Healthy(ctx context.Context) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+"/healthz", nil)
	if err != nil {
		return false
	}
	answer, err := a.http.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}
