package web

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
)

// loginPage says how to get in.
type loginPage struct {
	base
	Next   string // where to go then
	Fault  string // why the last try failed
	Minute int    // how long a login link holds
	ByName bool   // people sign in by name here
	Name   string // that was tried last
	SignOn string // what people know the provider by, who signs them in; empty: there is none
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
	p := loginPage{
		base: s.base(c, "Sign in", ""), Next: next, Fault: fault, Minute: int(auth.LoginTTL.Minutes()), ByName: s.cfg.People != nil, Name: c.PostForm("name"),
	}
	if s.cfg.SignOn != nil {
		p.SignOn = s.cfg.SignOn.Label()
	}
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
	person, err := s.keeper.Authenticate(c.Request.Context(), secret)
	if err != nil {
		return err
	}
	s.cfg.Audit.Note(c.Request.Context(), person.Name, "login", person.Name, audit.Details{"by": "link", "role": person.Role})
	return s.begin(c, secret, next)
}

// enter signs in by what the form has: a name and a password, or an API token.
func (s *site) enter(c *gin.Context) error {
	next := local(c.PostForm("next"))
	var secret string
	var err error
	if s.cfg.People != nil && c.PostForm("token") == "" {
		secret, _, err = s.cfg.People.SignIn(c.Request.Context(), auth.Attempt{
			Name: c.PostForm("name"), Password: c.PostForm("password"), Address: c.Request.RemoteAddr,
		})
	} else {
		secret, err = s.byToken(c)
	}
	var limit *auth.LimitError
	switch {
	case errors.As(err, &limit):
		c.Header("Retry-After", strconv.Itoa(int(math.Ceil(limit.After.Seconds()))))
		return s.drawLogin(c, http.StatusTooManyRequests, next, said(err))
	case errors.Is(err, fettle.ErrDenied):
		return s.drawLogin(c, http.StatusForbidden, next, said(err))
	case errors.Is(err, fettle.ErrUnavailable):
		return s.drawLogin(c, http.StatusServiceUnavailable, next, said(err))
	case err != nil:
		return err
	}
	return s.begin(c, secret, next)
}

// byToken signs in who has an API token. The cookie holds the token itself: when it is taken back, its pages are closed too.
func (s *site) byToken(c *gin.Context) (string, error) {
	ctx, secret := c.Request.Context(), strings.TrimSpace(c.PostForm("token"))
	person, err := s.keeper.Authenticate(ctx, secret)
	if err == nil {
		err = mayLook(person)
	}
	if err != nil {
		s.cfg.Audit.Stranger(ctx, person.Name, "login.failed", person.Name, audit.Details{"by": "token", "reason": said(err)})
		return "", err
	}
	s.cfg.Audit.Note(ctx, person.Name, "login", person.Name, audit.Details{"by": "token", "role": person.Role})
	return secret, nil
}

// begin gives the browser its session, and ends the one that it had: a secret that was known before a login is none after it.
func (s *site) begin(c *gin.Context, secret, next string) error {
	if old, err := auth.SecretOf(c.Request); err == nil && old != secret && auth.IsSession(old) {
		if err := s.keeper.Forget(context.WithoutCancel(c.Request.Context()), old); err != nil {
			s.log.Warn("the session before a login goes on", "err", err)
		}
	}
	auth.SetCookie(c.Writer, c.Request, secret)
	return s.goOn(c, next)
}

// logout ends the session. A token by which somebody signed in is not theirs alone, and stays.
func (s *site) logout(c *gin.Context) error {
	if secret, err := auth.SecretOf(c.Request); err == nil && auth.IsSession(secret) {
		person, known := s.keeper.Authenticate(c.Request.Context(), secret)
		if known == nil {
			s.cfg.Audit.Note(c.Request.Context(), person.Name, "logout", person.Name, nil)
		}
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
