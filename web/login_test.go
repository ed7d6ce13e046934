package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fettle-dev/fettle/server/auth"
)

func TestSigningIn(t *testing.T) {
	t.Run("without a session every page says how to get one", func(t *testing.T) {
		h := newHouse(t)
		h.cookie = ""
		for _, page := range []string{"/", "/nodes?where=nginx", "/nodes/web1.acme.net", "/changes", "/nowhere"} {
			a := h.get(page).status(http.StatusUnauthorized)
			a.wants("h1", "Sign in")
			a.wants(".shell", "fettle login")
			if next := a.attr("#by-name [name=next]", "value"); page != "/" && next != page {
				t.Errorf("%s goes on to %q", page, next)
			}
			if strings.Contains(a.body, "htmx.min.js") {
				t.Error("the sign-in page loads more than it needs")
			}
		}
	})
	t.Run("a page whose session has ended is led there by htmx", func(t *testing.T) {
		h := newHouse(t)
		h.cookie = ""
		a := h.part("/nodes?where=x", "HX-Current-URL", "http://example.com/nodes?where=nginx").status(http.StatusUnauthorized)
		if to := a.Header.Get("HX-Redirect"); to != "/login?next=%2Fnodes%3Fwhere%3Dnginx" {
			t.Errorf("it is led to %q", to)
		}
	})
	t.Run("a login link opens once", func(t *testing.T) {
		h := newHouse(t)
		h.cookie = ""
		code, err := h.keeper.LoginLink(t.Context(), "bob", auth.Viewer)
		if err != nil {
			t.Fatal(err)
		}
		a := h.get("/login?next=%2Fnodes%3Fwhere%3Dnginx&code=" + code).status(http.StatusSeeOther)
		if to := a.Header.Get("Location"); to != "/nodes?where=nginx" {
			t.Errorf("it leads to %q", to)
		}
		cookies := a.Cookies()
		if len(cookies) != 1 || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Secure || cookies[0].MaxAge <= 0 {
			t.Fatalf("cookies are %v", cookies)
		}
		b := h.get("/login?code=" + code).status(http.StatusForbidden)
		if !strings.Contains(b.text(".narrow .notice"), "used") {
			t.Error(b.body)
		}
		h.cookie = cookies[0].Value
		h.get("/nodes").status(http.StatusOK).wants(".who .name", "bob")
		h.get("/login?code=" + code).status(http.StatusSeeOther) // who is in and opens the link again is not thrown out
	})
	t.Run("an API token opens, and closes when it is taken back", func(t *testing.T) {
		h := newHouse(t)
		h.cookie = ""
		secret, kept, err := h.keeper.NewToken(t.Context(), "carol", auth.Operator, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		h.do(http.MethodPost, "/login", url.Values{"token": {"fettle_wrong"}}).status(http.StatusForbidden)
		a := h.do(http.MethodPost, "/login", url.Values{"token": {" " + secret + "\n"}, "next": {"https://evil.example/nodes"}}).status(http.StatusSeeOther)
		if to := a.Header.Get("Location"); to != "/nodes" {
			t.Errorf("it leads to %q", to)
		}
		h.cookie = a.Cookies()[0].Value
		h.get("/nodes").status(http.StatusOK)
		if err := h.keeper.Delete(t.Context(), kept.ID); err != nil {
			t.Fatal(err)
		}
		h.get("/nodes").status(http.StatusUnauthorized)
	})
	t.Run("signing out ends the session", func(t *testing.T) {
		h := newHouse(t)
		a := h.do(http.MethodPost, "/logout", url.Values{}).status(http.StatusSeeOther)
		if cookies := a.Cookies(); len(cookies) != 1 || cookies[0].MaxAge >= 0 {
			t.Errorf("cookies are %v", cookies)
		}
		h.get("/nodes").status(http.StatusUnauthorized)
	})
	t.Run("signing out leaves an API token alive", func(t *testing.T) {
		h := newHouse(t)
		secret, err := h.keeper.CreateToken(t.Context(), "script", auth.Viewer, 0)
		if err != nil {
			t.Fatal(err)
		}
		h.cookie = secret
		h.do(http.MethodPost, "/logout", url.Values{}).status(http.StatusSeeOther)
		if _, err := h.keeper.Authenticate(t.Context(), secret); err != nil {
			t.Error(err)
		}
	})
	t.Run("a form of another site is refused", func(t *testing.T) {
		h := newHouse(t)
		h.do(http.MethodPost, "/logout", url.Values{}, "Sec-Fetch-Site", "cross-site").status(http.StatusForbidden)
		h.do(http.MethodPost, "/login", url.Values{"token": {"x"}}, "Origin", "https://evil.example").status(http.StatusForbidden)
		h.get("/nodes").status(http.StatusOK)
	})
}

func TestLocal(t *testing.T) {
	for next, want := range map[string]string{
		"": "", "/nodes": "/nodes", "/nodes?where=a%3Db&x=1": "/nodes?where=a%3Db&x=1", "/nodes/web1.acme.net#facts": "/nodes/web1.acme.net",
		"http://example.com/nodes?x=1": "/nodes?x=1", // htmx tells the whole URL
		"//evil.example/":              "/", "https://evil.example": "", "/\\evil.example": "", "\\\\evil.example": "", "javascript:alert(1)": "",
		"nodes": "", "/%2Fevil.example": "", "/login?code=x": "", "/logout": "", "/a\r\nSet-Cookie: x": "", "///evil.example": "",
	} {
		if got := local(next); got != want {
			t.Errorf("local(%q) is %q, want %q", next, got, want)
		}
	}
}
