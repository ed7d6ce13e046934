package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
)

// watched is a store that can fail, and counts how often a hash was looked up.
type watched struct {
	*store.Store
	mu     sync.Mutex
	asked  int   // guarded by mu
	broken error // guarded by mu
}

func (w *watched) TokenByHash(ctx context.Context, kind store.TokenKind, hash string, now fettle.Millis) (store.Token, error) {
	w.mu.Lock()
	w.asked++
	err := w.broken
	w.mu.Unlock()
	if err != nil {
		return store.Token{}, err
	}
	return w.Store.TokenByHash(ctx, kind, hash, now)
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time // guarded by mu
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newKeeper(t *testing.T) (*Keeper, *watched, *clock) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{DSN: storetest.SQLite(t)}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w, c := &watched{Store: s}, &clock{t: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)}
	return New(w, nil, c.now), w, c
}

func TestToken(t *testing.T) {
	t.Run("its secret is known again, and stands nowhere in what is kept", func(t *testing.T) {
		k, store, _ := newKeeper(t)
		secret, err := k.CreateToken(t.Context(), "ann", Operator, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(secret, "fettle_") || len(secret) != len("fettle_")+43 {
			t.Errorf("secret %q has another shape", secret)
		}
		p, err := k.Authenticate(t.Context(), secret)
		if err != nil || p.Name != "ann" || p.Role != Operator || p.TokenID == "" {
			t.Errorf("got %+v, %v", p, err)
		}
		all, err := store.Tokens(t.Context(), "", "", 0)
		if err != nil || len(all) != 1 || strings.Contains(fmt.Sprintf("%+v", all), secret[len("fettle_"):]) {
			t.Errorf("kept is %+v, %v", all, err)
		}
	})
	t.Run("it ends with its time, though it was cached", func(t *testing.T) {
		k, _, c := newKeeper(t)
		secret, err := k.CreateToken(t.Context(), "ann", Viewer, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Authenticate(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		c.add(time.Second)
		if _, err := k.Authenticate(t.Context(), secret); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
		if list, err := k.List(t.Context()); err != nil || len(list) != 0 {
			t.Errorf("listed %v, %v", list, err)
		}
	})
	t.Run("taken back, it is denied at once", func(t *testing.T) {
		k, _, _ := newKeeper(t)
		secret, kept, err := k.NewToken(t.Context(), "ann", Viewer, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Authenticate(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		if err := k.Delete(t.Context(), kept.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Authenticate(t.Context(), secret); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
		if err := k.Delete(t.Context(), kept.ID); !errors.Is(err, fettle.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
		if err := k.Forget(t.Context(), secret); err != nil {
			t.Errorf("forgotten twice: %v", err)
		}
	})
	t.Run("taken back elsewhere, it is denied after the cache's time", func(t *testing.T) {
		k, store, c := newKeeper(t)
		secret, kept, err := k.NewToken(t.Context(), "ann", Viewer, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := k.Authenticate(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
		}
		if store.asked != 1 {
			t.Errorf("the store was asked %d times for one token", store.asked)
		}
		if err := store.DeleteToken(t.Context(), kept.ID); err != nil {
			t.Fatal(err)
		}
		c.add(cacheTTL)
		if _, err := k.Authenticate(t.Context(), secret); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAuthenticateDenies(t *testing.T) {
	k, store, _ := newKeeper(t)
	code, err := k.LoginLink(t.Context(), "ann", Admin)
	if err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{
		"nothing":            "",
		"a foreign token":    "ghp_0123456789",
		"a short one":        "fettle_abc",
		"odd characters":     "fettle_" + strings.Repeat("-", 43),
		"a stranger's":       "fettle_" + strings.Repeat("a", 43),
		"the code of a link": code,
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := k.Authenticate(t.Context(), secret); !errors.Is(err, fettle.ErrDenied) || p.Name != "" || p.Role != "" {
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
	t.Run("a broken store is not a wrong token", func(t *testing.T) {
		store.broken = fettle.ErrUnavailable
		_, err := k.Authenticate(t.Context(), "fettle_"+strings.Repeat("a", 43))
		if !errors.Is(err, fettle.ErrUnavailable) || errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	for name, in := range map[string]struct {
		name string
		role Role
		ttl  time.Duration
	}{
		"no name":             {"  ", Viewer, 0},
		"a long name":         {strings.Repeat("a", 101), Viewer, 0},
		"a name with a line":  {"ann\nroot", Viewer, 0},
		"no role":             {"ann", "", 0},
		"another role":        {"ann", "root", 0},
		"a time that is over": {"ann", Viewer, -time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			k, store, _ := newKeeper(t)
			if _, err := k.CreateToken(t.Context(), in.name, in.role, in.ttl); !errors.Is(err, fettle.ErrInvalid) {
				t.Errorf("got %v", err)
			}
			if all, err := store.Tokens(t.Context(), "", "", 0); err != nil || len(all) != 0 {
				t.Errorf("kept %+v, %v", all, err)
			}
		})
	}
}

func TestLogin(t *testing.T) {
	t.Run("a link opens one session", func(t *testing.T) {
		k, _, c := newKeeper(t)
		code, err := k.LoginLink(t.Context(), "ann", Admin)
		if err != nil {
			t.Fatal(err)
		}
		c.add(LoginTTL - time.Second)
		secret, err := k.Redeem(t.Context(), code)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := k.Authenticate(t.Context(), secret); err != nil || p.Name != "ann" || p.Role != Admin {
			t.Errorf("got %+v, %v", p, err)
		}
		if _, err := k.Redeem(t.Context(), code); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("redeemed twice: %v", err)
		}
		if token, err := k.CreateToken(t.Context(), "ann", Viewer, 0); err != nil || IsSession(token) || IsSession(code) || !IsSession(secret) {
			t.Errorf("what is a session is not told from what is none: %v", err)
		}
		c.add(SessionTTL)
		if _, err := k.Authenticate(t.Context(), secret); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("the session does not end: %v", err)
		}
	})
	t.Run("a link ends", func(t *testing.T) {
		k, _, c := newKeeper(t)
		code, err := k.LoginLink(t.Context(), "ann", Admin)
		if err != nil {
			t.Fatal(err)
		}
		c.add(LoginTTL)
		if _, err := k.Redeem(t.Context(), code); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a token is no link", func(t *testing.T) {
		k, _, _ := newKeeper(t)
		secret, err := k.CreateToken(t.Context(), "ann", Viewer, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Redeem(t.Context(), secret); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
		if _, err := k.Redeem(t.Context(), ""); !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("links stand in no list, and sessions do", func(t *testing.T) {
		k, _, c := newKeeper(t)
		if _, err := k.CreateToken(t.Context(), "ann", Viewer, 0); err != nil {
			t.Fatal(err)
		}
		c.add(time.Second)
		code, err := k.LoginLink(t.Context(), "bob", Admin)
		if err != nil {
			t.Fatal(err)
		}
		if list, err := k.List(t.Context()); err != nil || len(list) != 1 || list[0].Name != "ann" || list[0].Session {
			t.Errorf("got %+v, %v", list, err)
		}
		if _, err := k.Redeem(t.Context(), code); err != nil {
			t.Fatal(err)
		}
		if list, err := k.List(t.Context()); err != nil || len(list) != 2 || list[0].Name != "bob" || !list[0].Session {
			t.Errorf("got %+v, %v", list, err)
		}
	})
	t.Run("a link for nobody is refused", func(t *testing.T) {
		k, _, _ := newKeeper(t)
		if _, err := k.LoginLink(t.Context(), "", Admin); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRedeemOnce(t *testing.T) {
	k, _, _ := newKeeper(t)
	code, err := k.LoginLink(t.Context(), "ann", Admin)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() { _, _ = k.Redeem(t.Context(), code) })
	}
	wg.Wait()
	if list, err := k.List(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("one link made %+v, %v", list, err)
	}
}

func TestRole(t *testing.T) {
	for _, row := range []struct {
		has, need Role
		may       bool
	}{
		{Viewer, Viewer, true},
		{Viewer, Operator, false},
		{Viewer, Admin, false},
		{Operator, Viewer, true},
		{Operator, Operator, true},
		{Operator, Admin, false},
		{Admin, Viewer, true},
		{Admin, Operator, true},
		{Admin, Admin, true},
		{"", Viewer, false},
		{"", "", false},
		{"root", Viewer, false},
	} {
		err := Person{Name: "ann", Role: row.has}.Need(row.need)
		if row.may != (err == nil) || err != nil && !errors.Is(err, fettle.ErrDenied) {
			t.Errorf("%q for %q: %v", row.has, row.need, err)
		}
	}
	if _, err := ParseRole("boss"); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestRequest(t *testing.T) {
	k, _, _ := newKeeper(t)
	secret, err := k.CreateToken(t.Context(), "ann", Viewer, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		header, cookie string
		known          bool
	}{
		"a bearer":                             {"Bearer " + secret, "", true},
		"a bearer in small letters":            {"bearer  " + secret, "", true},
		"a cookie":                             {"", secret, true},
		"nothing":                              {"", "", false},
		"another scheme":                       {"Basic YTpi", "", false},
		"a wrong header beside a right cookie": {"Bearer wrong", secret, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			if row.header != "" {
				r.Header.Set("Authorization", row.header)
			}
			if row.cookie != "" {
				w := httptest.NewRecorder()
				SetCookie(w, r, row.cookie)
				r.AddCookie(w.Result().Cookies()[0])
			}
			p, err := k.FromRequest(r)
			if row.known != (err == nil) || err != nil && !errors.Is(err, fettle.ErrDenied) {
				t.Fatalf("got %+v, %v", p, err)
			}
			if d := cmp.Diff(p, From(With(t.Context(), p))); d != "" {
				t.Errorf("the context carries another person\n%s", d)
			}
		})
	}
	t.Run("a cookie that is cleared ends", func(t *testing.T) {
		w := httptest.NewRecorder()
		ClearCookie(w, httptest.NewRequest("GET", "/", nil))
		if c := w.Result().Cookies()[0]; c.MaxAge >= 0 || c.Value != "" || !c.HttpOnly {
			t.Errorf("got %+v", c)
		}
	})
}
