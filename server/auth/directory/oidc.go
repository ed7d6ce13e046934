package directory

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// OIDCConfig says how an OpenID Connect provider is asked. Without an issuer there is none.
type OIDCConfig struct {
	Issuer       string   `yaml:"issuer"` // https://login.acme.net/realms/ops
	ClientID     string   `yaml:"client-id"`
	ClientSecret string   `yaml:"client-secret" secret:"true"`
	Redirect     string   `yaml:"redirect"`     // https://fettle.acme.net/login/oidc/callback, as the provider knows it
	Scopes       []string `yaml:"scopes"`       // beside openid; empty: profile, groups
	NameClaim    string   `yaml:"name-claim"`   // empty: preferred_username
	GroupsClaim  string   `yaml:"groups-claim"` // empty: groups
	Label        string   `yaml:"label"`        // on the sign-in page; empty: the issuer's host
	Roles        []RoleOf `yaml:"roles"`        // which role the members of a group have; the highest holds
}

// Validate reports every fault of c, each by its key below "oidc".
func (c OIDCConfig) Validate() error {
	if c.Issuer == "" {
		return nil
	}
	var f faults
	for key, text := range map[string]string{"oidc.issuer": c.Issuer, "oidc.redirect": c.Redirect} {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
			f.add(key, "%q is no address such as https://login.acme.net", text)
		}
	}
	if c.ClientID == "" {
		f.add("oidc.client-id", "it is needed")
	}
	f.roles("oidc", c.Roles)
	return errors.Join(f...)
}

// Bounds of a sign-in.
const (
	oidcLife    = 10 * time.Minute // of one that has begun
	oidcTimeout = 15 * time.Second // of what is asked of the provider
	maxClaims   = 64 << 10         // bytes of a cookie that comes back
)

// OIDC signs people in by an OpenID Connect provider: authorization code with PKCE, state and nonce. It is safe for concurrent use.
type OIDC struct {
	cfg OIDCConfig
	key []byte // signs what a browser keeps while it is at the provider's; of this process alone
	now func() time.Time

	mu       sync.Mutex
	provider *oidc.Provider // nil: it has not been reached yet; guarded by mu
}

// NewOIDC makes a provider of its settings; it is asked when somebody signs in, so that a server starts while it is away. ErrInvalid: they cannot be.
func NewOIDC(c OIDCConfig) (*OIDC, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"profile", "groups"}
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the process instead
	return &OIDC{cfg: c, key: key, now: time.Now}, nil
}

// Label is what people know the provider by.
func (o *OIDC) Label() string {
	if o.cfg.Label != "" {
		return o.cfg.Label
	}
	u, err := url.Parse(o.cfg.Issuer)
	if err != nil {
		return o.cfg.Issuer
	}
	return u.Host
}

// begun is what a browser keeps while it is at the provider's.
type begun struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // of PKCE
	Next     string `json:"to"`
	Ends     int64  `json:"e"` // seconds since 1970
}

// Begin gives the address at which the provider asks who somebody is, and what the browser has to bring back with the answer. ErrUnavailable: the
// provider cannot be reached.
func (o *OIDC) Begin(ctx context.Context, next string) (address, kept string, err error) {
	client, _, err := o.client(ctx)
	if err != nil {
		return "", "", err
	}
	b := begun{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Next: next, Ends: o.now().Add(oidcLife).Unix()}
	if kept, err = o.sign(b); err != nil {
		return "", "", err
	}
	return client.AuthCodeURL(b.State, oidc.Nonce(b.Nonce), oauth2.S256ChallengeOption(b.Verifier)), kept, nil
}

// Finish tells who somebody is who comes back with a code, and where they were going. ErrDenied: the answer is not to a question of this browser's.
func (o *OIDC) Finish(ctx context.Context, code, state, kept string) (id auth.Identity, next string, err error) {
	b, err := o.read(kept)
	if err != nil {
		return id, "", err
	}
	if subtle.ConstantTimeCompare([]byte(state), []byte(b.State)) != 1 {
		return id, "", fmt.Errorf("this answer belongs to another sign-in: %w", fettle.ErrDenied)
	}
	ctx, cancel := context.WithTimeout(ctx, oidcTimeout)
	defer cancel()
	client, provider, err := o.client(ctx)
	if err != nil {
		return id, "", err
	}
	token, err := client.Exchange(o.with(ctx), code, oauth2.VerifierOption(b.Verifier))
	if err != nil {
		var answered *oauth2.RetrieveError
		if errors.As(err, &answered) && answered.Response != nil && answered.Response.StatusCode < http.StatusInternalServerError {
			return id, "", fmt.Errorf("the provider does not take the code: %s: %w", answered.ErrorCode, fettle.ErrDenied)
		}
		return id, "", away(err)
	}
	raw, _ := token.Extra("id_token").(string)
	proof, err := provider.VerifierContext(o.with(ctx), &oidc.Config{ClientID: o.cfg.ClientID, Now: o.now}).Verify(o.with(ctx), raw)
	if err != nil {
		return id, "", fmt.Errorf("what the provider says is not proven: %w: %w", err, fettle.ErrDenied)
	}
	if subtle.ConstantTimeCompare([]byte(proof.Nonce), []byte(b.Nonce)) != 1 {
		return id, "", fmt.Errorf("what the provider says was said before: %w", fettle.ErrDenied)
	}
	id, err = o.identity(proof)
	return id, b.Next, err
}

// identity reads the claims of a proof.
func (o *OIDC) identity(proof *oidc.IDToken) (auth.Identity, error) {
	claims := map[string]any{}
	if err := proof.Claims(&claims); err != nil {
		return auth.Identity{}, fmt.Errorf("the claims cannot be read: %w: %w", err, fettle.ErrDenied)
	}
	nameClaim := or(o.cfg.NameClaim, "preferred_username")
	name, _ := claims[nameClaim].(string)
	if name == "" {
		return auth.Identity{}, fmt.Errorf("the provider gives no %s: %w", nameClaim, fettle.ErrDenied)
	}
	if nameClaim == "email" && claims["email_verified"] != true {
		return auth.Identity{}, fmt.Errorf("the provider has not verified %s: %w", name, fettle.ErrDenied)
	}
	var groups []string
	switch list := claims[or(o.cfg.GroupsClaim, "groups")].(type) {
	case string:
		groups = strings.Fields(list)
	case []any:
		for _, g := range list[:min(len(list), maxGroups)] {
			if text, is := g.(string); is && text != "" {
				groups = append(groups, text)
			}
		}
	}
	return auth.Identity{Name: strings.ToLower(name), Role: roleOf(groups, o.cfg.Roles), Groups: groups, Source: auth.SourceOIDC}, nil
}

// client gives the provider, found once, and what speaks with it.
func (o *OIDC) client(ctx context.Context) (*oauth2.Config, *oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider == nil {
		ctx, cancel := context.WithTimeout(ctx, oidcTimeout)
		defer cancel()
		p, err := oidc.NewProvider(o.with(ctx), o.cfg.Issuer)
		if err != nil {
			return nil, nil, away(err)
		}
		o.provider = p
	}
	return &oauth2.Config{
		ClientID: o.cfg.ClientID, ClientSecret: o.cfg.ClientSecret, Endpoint: o.provider.Endpoint(), RedirectURL: o.cfg.Redirect,
		Scopes: append([]string{oidc.ScopeOpenID}, o.cfg.Scopes...),
	}, o.provider, nil
}

// with has the libraries use a client whose answers come in time.
func (o *OIDC) with(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, &http.Client{Timeout: oidcTimeout})
}

// sign writes b so that read knows it again.
func (o *OIDC) sign(b begun) (string, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return "", fmt.Errorf("begin a sign-in: %w", err)
	}
	mac := hmac.New(sha256.New, o.key)
	mac.Write(text)
	return base64.RawURLEncoding.EncodeToString(text) + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// read gives what sign wrote, while it holds. ErrDenied otherwise.
func (o *OIDC) read(kept string) (b begun, err error) {
	bad := fmt.Errorf("this sign-in was not begun in this browser, or too long ago; begin again: %w", fettle.ErrDenied)
	body, sum, found := strings.Cut(kept, ".")
	if !found || len(kept) > maxClaims {
		return b, bad
	}
	text, err := base64.RawURLEncoding.DecodeString(body)
	given, sumErr := base64.RawURLEncoding.DecodeString(sum)
	if err != nil || sumErr != nil {
		return b, bad
	}
	mac := hmac.New(sha256.New, o.key)
	mac.Write(text)
	if !hmac.Equal(given, mac.Sum(nil)) || json.Unmarshal(text, &b) != nil || o.now().Unix() >= b.Ends {
		return begun{}, bad
	}
	return b, nil
}
