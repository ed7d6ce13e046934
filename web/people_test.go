package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

const phrase = "correct horse battery"

func (h *house) user(name string, role auth.Role) {
	h.t.Helper()
	if _, err := h.people.Add(h.t.Context(), auth.NewUser{Name: name, Role: role, Password: phrase}); err != nil {
		h.t.Fatal(err)
	}
}

func TestSigningInByName(t *testing.T) {
	t.Run("a name and a password open a session, and end the one before", func(t *testing.T) {
		h := newHouse(t)
		h.user("dora", auth.Operator)
		before := h.cookie
		a := h.do(http.MethodPost, "/login", url.Values{"name": {"Dora"}, "password": {phrase}, "next": {"/nodes?where=nginx"}}).status(http.StatusSeeOther)
		if to := a.Header.Get("Location"); to != "/nodes?where=nginx" {
			t.Errorf("it leads to %q", to)
		}
		cookies := a.Cookies()
		if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Value == before {
			t.Fatalf("cookies are %v", cookies)
		}
		if _, err := h.keeper.Authenticate(t.Context(), before); err == nil {
			t.Error("the session before the login goes on")
		}
		h.cookie = cookies[0].Value
		h.get("/nodes").status(http.StatusOK).wants(".who .name", "dora")
		h.do(http.MethodPost, "/logout", nil).status(http.StatusSeeOther)
		h.get("/nodes").status(http.StatusUnauthorized)
	})
	t.Run("what is wrong is not told, and the name stays in the form", func(t *testing.T) {
		h := newHouse(t)
		h.cookie = ""
		h.user("dora", auth.Operator)
		for _, name := range []string{"dora", "nobody"} {
			a := h.do(http.MethodPost, "/login", url.Values{"name": {name}, "password": {"wrong"}}).status(http.StatusForbidden)
			a.wants(".narrow .notice", "the name or the password is wrong")
			if got := a.attr("#name", "value"); got != name {
				t.Errorf("the form has %q", got)
			}
			if len(a.Cookies()) != 0 {
				t.Error("a cookie was set")
			}
		}
	})
	t.Run("who fails too often is told when to come again", func(t *testing.T) {
		h := newHouse(t)
		h.cookie = ""
		for range 50 {
			a := h.do(http.MethodPost, "/login", url.Values{"name": {"dora"}, "password": {"wrong"}})
			if a.StatusCode != http.StatusTooManyRequests {
				continue
			}
			if after, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || after < 1 {
				t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
			}
			return
		}
		t.Error("fifty failures were looked at")
	})
	t.Run("a token for something else opens no page", func(t *testing.T) {
		h := newHouse(t)
		h.cookie = ""
		secret, _, err := h.keeper.Issue(t.Context(), auth.Order{Name: "prometheus", Role: auth.Admin, Scopes: []string{auth.ScopePrometheus}})
		if err != nil {
			t.Fatal(err)
		}
		h.do(http.MethodPost, "/login", url.Values{"token": {secret}}).status(http.StatusForbidden)
		h.cookie = secret
		h.get("/nodes").status(http.StatusUnauthorized)
	})
}

// clerk is a provider elsewhere that knows eve, by one code.
type clerk struct{}

func (clerk) Label() string { return "Acme" }

func (clerk) Begin(_ context.Context, next string) (string, string, error) {
	return "https://login.acme.net/auth?state=s1", "kept " + next, nil
}

func (clerk) Finish(_ context.Context, code, state, kept string) (auth.Identity, string, error) {
	if code != "c1" || state != "s1" || kept != "kept /nodes?where=x" {
		return auth.Identity{}, "", fmt.Errorf("this answer belongs to another sign-in: %w", fettle.ErrDenied)
	}
	return auth.Identity{Name: "eve", Role: auth.Viewer, Groups: []string{"ops"}, Source: auth.SourceOIDC}, "/nodes?where=x", nil
}

func TestSigningInElsewhere(t *testing.T) {
	h := newHouseWith(t, Config{SignOn: clerk{}}, nil)
	h.cookie = ""
	h.get("/nodes").status(http.StatusUnauthorized).wants("#sign-on", "Sign in with Acme")
	a := h.get("/login/oidc?next=%2Fnodes%3Fwhere%3Dx").status(http.StatusSeeOther)
	if to := a.Header.Get("Location"); to != "https://login.acme.net/auth?state=s1" {
		t.Errorf("it leads to %q", to)
	}
	kept := a.Cookies()
	if len(kept) != 1 || !kept[0].HttpOnly || kept[0].Path != "/login/oidc" || kept[0].SameSite != http.SameSiteLaxMode {
		t.Fatalf("cookies are %v", kept)
	}
	h.get("/login/oidc/callback?code=c1&state=s1").status(http.StatusForbidden) // another browser
	b := h.get("/login/oidc/callback?code=c1&state=s1", "Cookie", kept[0].Name+"="+kept[0].Value).status(http.StatusSeeOther)
	if to := b.Header.Get("Location"); to != "/nodes?where=x" {
		t.Errorf("it leads to %q", to)
	}
	for _, c := range b.Cookies() {
		if c.Name == auth.CookieName {
			h.cookie = c.Value
		}
	}
	h.get("/nodes").status(http.StatusOK).wants(".who .name", "eve")
	h.get("/login/oidc/callback?error=access_denied", "Cookie", kept[0].Name+"="+kept[0].Value).status(http.StatusForbidden)

	none := newHouse(t)
	none.get("/login/oidc").status(http.StatusNotFound)
}
