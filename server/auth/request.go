package auth

import (
	"fmt"
	"net/http"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// CookieName is the name of the cookie that holds the secret of a session.
const CookieName = "fettle_session"

// FromRequest tells who sends r, by the Authorization header or else by the session's cookie. ErrDenied: by neither.
//
// A cookie is sent by the browser whoever made the page, so handlers that change something stand behind net/http's CrossOriginProtection.
func (k *Keeper) FromRequest(r *http.Request) (Person, error) {
	secret, err := SecretOf(r)
	if err != nil {
		return Person{}, err
	}
	return k.Authenticate(r.Context(), secret)
}

// SecretOf gives the secret that r carries: ErrDenied if it has none, or one that is not a bearer's.
func SecretOf(r *http.Request) (string, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, secret, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", fmt.Errorf("authorization has to be a bearer token: %w", fettle.ErrDenied)
		}
		return strings.TrimSpace(secret), nil
	}
	cookie, err := r.Cookie(CookieName)
	if err != nil || cookie.Value == "" {
		return "", fmt.Errorf("no token was given: %w", fettle.ErrDenied)
	}
	return cookie.Value, nil
}

// SetCookie makes the browser keep secret, which is a session's. Scripts cannot read it, and other sites' forms do not send it.
func SetCookie(w http.ResponseWriter, r *http.Request, secret string) {
	http.SetCookie(w, &http.Cookie{
		Name: CookieName, Value: secret, Path: "/", MaxAge: int(SessionTTL.Seconds()),
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}

// ClearCookie makes the browser forget the session.
func ClearCookie(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, &http.Cookie{Name: CookieName, Path: "/", MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode})
}

// IsSession tells whether secret has the form of a session's, which ends with its logout; an API token lives on.
func IsSession(secret string) bool { return kindOf(secret) == store.TokenSession }
