package directory

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// idp is an OpenID Connect provider: it gives one code, and for that one signed token, if the question is whole.
type idp struct {
	t     *testing.T
	key   *rsa.PrivateKey
	url   string
	asked url.Values                  // of the authorization
	twist func(claims map[string]any) // changes what is signed; nil: nothing
	sign  *rsa.PrivateKey             // nil: key
}

var b64 = base64.RawURLEncoding

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{t: t, key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		p.reply(w, 200, map[string]any{
			"issuer": p.url, "authorization_endpoint": p.url + "/auth", "token_endpoint": p.url + "/token", "jwks_uri": p.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		p.reply(w, 200, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "n": b64.EncodeToString(key.N.Bytes()), "e": b64.EncodeToString(big.NewInt(int64(key.E)).Bytes()),
		}}})
	})
	mux.HandleFunc("POST /token", p.token)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *idp) reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		p.t.Error(err)
	}
}

// token checks the code and, by PKCE, that who comes with it is who asked.
func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	if r.FormValue("code") != "the-code" || p.asked.Get("code_challenge_method") != "S256" || b64.EncodeToString(sum[:]) != p.asked.Get("code_challenge") {
		p.reply(w, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	claims := map[string]any{
		"iss": p.url, "aud": "fettle", "sub": "1", "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(), "nonce": p.asked.Get("nonce"),
		"preferred_username": "Eve", "groups": []string{"Release", "staff"}, "email": "eve@acme.net",
	}
	if p.twist != nil {
		p.twist(claims)
	}
	p.reply(w, 200, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": p.jwt(claims)})
}

func (p *idp) jwt(claims map[string]any) string {
	head, err := json.Marshal(map[string]any{"alg": "RS256", "kid": "k1", "typ": "JWT"})
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	text := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	key := p.sign
	if key == nil {
		key = p.key
	}
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Fatal(err)
	}
	return text + "." + b64.EncodeToString(sig)
}

func (p *idp) config() OIDCConfig {
	return OIDCConfig{
		Issuer: p.url, ClientID: "fettle", ClientSecret: "s", Redirect: "https://fettle.acme.net/login/oidc/callback",
		Roles: []RoleOf{{"release", "operator"}, {"staff", "viewer"}, {"root", "admin"}},
	}
}

// begin asks for a sign-in, as a browser does.
func (p *idp) begin(o *OIDC) (state, kept string) {
	p.t.Helper()
	address, kept, err := o.Begin(p.t.Context(), "/nodes?where=x")
	if err != nil {
		p.t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, p.url+"/auth?") {
		p.t.Fatalf("it leads to %s, %v", address, err)
	}
	p.asked = u.Query()
	return p.asked.Get("state"), kept
}

func TestOIDC(t *testing.T) {
	p := newIDP(t)
	o, err := NewOIDC(p.config())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("who comes back is who the provider says, with the highest role of the groups", func(t *testing.T) {
		state, kept := p.begin(o)
		id, next, err := o.Finish(t.Context(), "the-code", state, kept)
		if err != nil || next != "/nodes?where=x" || id.Name != "eve" || id.Role != auth.Operator || !slices.Equal(id.Groups, []string{"Release", "staff"}) || id.Source != auth.SourceOIDC {
			t.Errorf("got %+v %q, %v", id, next, err)
		}
		if p.asked.Get("redirect_uri") != "https://fettle.acme.net/login/oidc/callback" || !strings.Contains(p.asked.Get("scope"), "openid") {
			t.Errorf("asked %v", p.asked)
		}
	})
	for why, row := range map[string]struct {
		twist func(claims map[string]any)
		code  string
		state string
		kept  func(kept string) string
	}{
		"another state":                 {state: "other"},
		"no cookie":                     {kept: func(string) string { return "" }},
		"a cookie that was changed":     {kept: func(k string) string { return "e30" + k[3:] }},
		"another browser's cookie":      {kept: func(string) string { _, other, _ := o.Begin(t.Context(), ""); return other }},
		"a code that is none":           {code: "guessed"},
		"a token of another question":   {twist: func(c map[string]any) { c["nonce"] = "other" }},
		"a token for another program":   {twist: func(c map[string]any) { c["aud"] = "other" }},
		"a token of another provider":   {twist: func(c map[string]any) { c["iss"] = "https://evil.example" }},
		"a token that has ended":        {twist: func(c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() }},
		"a token of nobody":             {twist: func(c map[string]any) { delete(c, "preferred_username") }},
		"a name that is something else": {twist: func(c map[string]any) { c["preferred_username"] = []string{"eve"} }},
	} {
		t.Run(why+" is refused", func(t *testing.T) {
			state, kept := p.begin(o)
			p.twist = row.twist
			defer func() { p.twist = nil }()
			if row.state != "" {
				state = row.state
			}
			if row.kept != nil {
				kept = row.kept(kept)
			}
			code := row.code
			if code == "" {
				code = "the-code"
			}
			if id, _, err := o.Finish(t.Context(), code, state, kept); !errors.Is(err, fettle.ErrDenied) {
				t.Errorf("got %+v, %v", id, err)
			}
		})
	}
	t.Run("a token by another key is refused", func(t *testing.T) {
		state, kept := p.begin(o)
		if p.sign, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
		defer func() { p.sign = nil }()
		if id, _, err := o.Finish(t.Context(), "the-code", state, kept); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %+v, %v", id, err)
		}
	})
	t.Run("a sign-in that took too long is refused", func(t *testing.T) {
		state, kept := p.begin(o)
		o.now = func() time.Time { return time.Now().Add(oidcLife) }
		defer func() { o.now = time.Now }()
		if id, _, err := o.Finish(t.Context(), "the-code", state, kept); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %+v, %v", id, err)
		}
	})
	t.Run("who is in no group that has a role has none", func(t *testing.T) {
		state, kept := p.begin(o)
		p.twist = func(c map[string]any) { c["groups"] = "guests others" }
		defer func() { p.twist = nil }()
		if id, _, err := o.Finish(t.Context(), "the-code", state, kept); err != nil || id.Role != "" || len(id.Groups) != 2 {
			t.Errorf("got %+v, %v", id, err)
		}
	})
	t.Run("an address of mail counts when it is verified", func(t *testing.T) {
		cfg := p.config()
		cfg.NameClaim = "email"
		mail, err := NewOIDC(cfg)
		if err != nil {
			t.Fatal(err)
		}
		state, kept := p.begin(mail)
		if _, _, err := mail.Finish(t.Context(), "the-code", state, kept); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
		p.twist = func(c map[string]any) { c["email_verified"] = true }
		defer func() { p.twist = nil }()
		state, kept = p.begin(mail)
		if id, _, err := mail.Finish(t.Context(), "the-code", state, kept); err != nil || id.Name != "eve@acme.net" {
			t.Errorf("got %+v, %v", id, err)
		}
	})
	t.Run("a provider that is away is unavailable, and found later", func(t *testing.T) {
		late, err := NewOIDC(p.config())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := late.Begin(ctx, ""); !errors.Is(err, fettle.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		p.begin(late)
	})
}

func TestSettings(t *testing.T) {
	good := OIDCConfig{Issuer: "https://login.acme.net", ClientID: "fettle", Redirect: "https://fettle.acme.net/login/oidc/callback", Roles: []RoleOf{{"ops", "admin"}}}
	if err := errors.Join(good.Validate(), OIDCConfig{}.Validate(), LDAPConfig{}.Validate()); err != nil {
		t.Error(err)
	}
	for key, change := range map[string]func(c *OIDCConfig){
		"oidc.issuer":        func(c *OIDCConfig) { c.Issuer = "http://login.acme.net" },
		"oidc.redirect":      func(c *OIDCConfig) { c.Redirect = "" },
		"oidc.client-id":     func(c *OIDCConfig) { c.ClientID = "" },
		"oidc.roles":         func(c *OIDCConfig) { c.Roles = nil },
		"oidc.roles[0].role": func(c *OIDCConfig) { c.Roles = []RoleOf{{"ops", "king"}} },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s: %v", key, err)
		}
	}
	dir := LDAPConfig{URL: "ldaps://ldap.acme.net", UserDN: "uid=%s,ou=people,dc=acme", GroupBase: "dc=acme", Roles: []RoleOf{{"ops", "admin"}}}
	if err := dir.Validate(); err != nil {
		t.Error(err)
	}
	for key, change := range map[string]func(c *LDAPConfig){
		"ldap.url":          func(c *LDAPConfig) { c.URL = "ldap://ldap.acme.net" },
		"ldap.starttls":     func(c *LDAPConfig) { c.StartTLS = true },
		"ldap.user-base":    func(c *LDAPConfig) { c.UserDN = "" },
		"ldap.user-dn":      func(c *LDAPConfig) { c.UserDN = "uid=ann" },
		"ldap.user-filter":  func(c *LDAPConfig) { c.UserFilter = "(uid=%s" },
		"ldap.group-base":   func(c *LDAPConfig) { c.GroupBase = "" },
		"ldap.group-filter": func(c *LDAPConfig) { c.GroupFilter = "(member=x)" },
		"ldap.timeout":      func(c *LDAPConfig) { c.Timeout = -1 },
		"ldap.roles":        func(c *LDAPConfig) { c.Roles = nil },
	} {
		c := dir
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s: %v", key, err)
		}
	}
}
