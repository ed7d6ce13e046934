package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// loginPage says how to get in.
type loginPage struct {
	base
	Next   string // where to go then
	Fault  string // why the last try failed
	Minute int    // how long a login link holds
}

// askToSignIn is what everybody sees in the place of a page, before they have signed in.
func (s *site) askToSignIn(c *gin.Context) error {
	if partly(c) { // the session has ended under an open page
		c.Header("HX-Redirect", "/login?next="+url.QueryEscape(local(c.GetHeader("HX-Current-URL"))))
		c.Status(http.StatusUnauthorized)
		return nil
	}
	next := c.Request.URL.RequestURI()
	if c.Request.Method != http.MethodGet || next == "/" {
		next = ""
	}
	return s.drawLogin(c, http.StatusUnauthorized, next, "")
}

func (s *site) drawLogin(c *gin.Context, status int, next, fault string) error {
	p := loginPage{base: s.base(c, "Sign in", ""), Next: next, Fault: fault, Minute: int(auth.LoginTTL.Minutes())}
	return s.draw(c, status, "login.html", "layout", p)
}

// login redeems a one-time link; without one it says how to get one.
func (s *site) login(c *gin.Context) error {
	next := local(c.Query("next"))
	code := c.Query("code")
	if code == "" {
		return s.drawLogin(c, http.StatusOK, next, "")
	}
	secret, err := s.keeper.Redeem(c.Request.Context(), code)
	if errors.Is(err, fettle.ErrDenied) {
		if _, err := s.keeper.FromRequest(c.Request); err == nil { // the link was opened a second time
			return s.goOn(c, next)
		}
		return s.drawLogin(c, http.StatusForbidden, next, said(err))
	}
	if err != nil {
		return err
	}
	auth.SetCookie(c.Writer, c.Request, secret)
	return s.goOn(c, next)
}

// loginByToken signs in who has an API token. The cookie holds the token itself: when it is taken back, its pages are closed too.
func (s *site) loginByToken(c *gin.Context) error {
	next, secret := local(c.PostForm("next")), strings.TrimSpace(c.PostForm("token"))
	_, err := s.keeper.Authenticate(c.Request.Context(), secret)
	if errors.Is(err, fettle.ErrDenied) {
		return s.drawLogin(c, http.StatusForbidden, next, said(err))
	}
	if err != nil {
		return err
	}
	auth.SetCookie(c.Writer, c.Request, secret)
	return s.goOn(c, next)
}

// logout ends the session. A token by which somebody signed in is not theirs alone, and stays.
func (s *site) logout(c *gin.Context) error {
	if secret, err := auth.SecretOf(c.Request); err == nil && auth.IsSession(secret) {
		if err := s.keeper.Forget(context.WithoutCancel(c.Request.Context()), secret); err != nil {
			return err
		}
	}
	auth.ClearCookie(c.Writer, c.Request)
	c.Redirect(http.StatusSeeOther, "/login")
	return nil
}

func (s *site) goOn(c *gin.Context, next string) error {
	if next == "" {
		next = "/nodes"
	}
	c.Redirect(http.StatusSeeOther, next)
	return nil
}

// local gives the part of a URL that leads to a page of ours, and nothing where it leads elsewhere: a link in a mail must not send people
// who have just signed in to a page that looks like this one.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return ""
	}
	if strings.HasPrefix(u.Path, "/login") || strings.HasPrefix(u.Path, "/logout") {
		return ""
	}
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}).String()
}
