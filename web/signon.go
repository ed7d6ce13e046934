package web

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
)

// signOnCookie holds what the browser brings back from the provider, for signOnLife.
const (
	signOnCookie = "fettle_signon"
	signOnPath   = "/login/oidc"
	signOnLife   = 10 * time.Minute
)

// signOn sends the browser to the provider.
func (s *site) signOn(c *gin.Context) error {
	if s.cfg.SignOn == nil || s.cfg.People == nil {
		return fmt.Errorf("nobody signs in elsewhere here: %w", fettle.ErrNotFound)
	}
	address, kept, err := s.cfg.SignOn.Begin(c.Request.Context(), local(c.Query("next")))
	if errors.Is(err, fettle.ErrUnavailable) {
		return s.drawLogin(c, http.StatusServiceUnavailable, local(c.Query("next")), said(err))
	}
	if err != nil {
		return err
	}
	s.keepSignOn(c, kept, int(signOnLife.Seconds()))
	c.Header("Location", address) // not by c.Redirect, whose body would link to elsewhere
	c.Status(http.StatusSeeOther)
	return nil
}

// signedOn takes the browser back.
func (s *site) signedOn(c *gin.Context) error {
	if s.cfg.SignOn == nil || s.cfg.People == nil {
		return fmt.Errorf("nobody signs in elsewhere here: %w", fettle.ErrNotFound)
	}
	ctx := c.Request.Context()
	kept, err := c.Cookie(signOnCookie)
	s.keepSignOn(c, "", -1)
	if err != nil || c.Query("error") != "" {
		s.cfg.Audit.Stranger(ctx, "", "login.failed", "", audit.Details{"by": "oidc", "reason": "the provider said " + c.Query("error")})
		return s.drawLogin(c, http.StatusForbidden, "", "The provider has not let you in, or this sign-in began elsewhere. Begin again.")
	}
	id, next, err := s.cfg.SignOn.Finish(ctx, c.Query("code"), c.Query("state"), kept)
	if err == nil {
		var secret string
		if secret, _, err = s.cfg.People.Enter(ctx, id); err == nil {
			return s.begin(c, secret, local(next))
		}
	} else if errors.Is(err, fettle.ErrDenied) {
		s.cfg.Audit.Stranger(ctx, id.Name, "login.failed", id.Name, audit.Details{"by": "oidc", "reason": said(err)})
	}
	switch {
	case errors.Is(err, fettle.ErrDenied):
		return s.drawLogin(c, http.StatusForbidden, "", said(err))
	case errors.Is(err, fettle.ErrUnavailable):
		return s.drawLogin(c, http.StatusServiceUnavailable, "", said(err))
	}
	return err
}

// keepSignOn has the browser keep value; the provider sends it back from another site, by a link, which Lax allows.
func (s *site) keepSignOn(c *gin.Context, value string, age int) {
	http.SetCookie(c.Writer, &http.Cookie{
		Name: signOnCookie, Value: value, Path: signOnPath, MaxAge: age, HttpOnly: true, Secure: c.Request.TLS != nil, SameSite: http.SameSiteLaxMode,
	})
}
