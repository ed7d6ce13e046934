package web

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// base is what every page has.
type base struct {
	Title   string
	Section string // which link of the navigation is the one where we are
	Person  auth.Person
	Version string // of the server
	Request string // its id, by which the server's log knows it
	Notice  string // why the server cannot be believed just now; empty: it can
	Now     moment
	Live    bool   // the page follows what it shows
	Follow  string // by which stream; empty: that of the inventory
}

// Stream gives the address of the events that the page follows.
func (b base) Stream() string { return cmp.Or(b.Follow, "/changes") }

// SignedIn tells whether somebody is.
func (b base) SignedIn() bool { return b.Person.Name != "" }

// readyWait is how long a page waits for the server to say that it is well.
const readyWait = time.Second

// requestTimeout is how long a page may take.
const requestTimeout = 30 * time.Second

// base gives what every page has, for this request.
func (s *site) base(c *gin.Context, title, section string) base {
	b := base{
		Title: title, Section: section, Person: auth.From(c.Request.Context()), Version: s.fleet.Version(),
		Request: c.Writer.Header().Get("X-Request-Id"), Now: s.moment(fettle.MillisOf(s.cfg.Now())),
	}
	if partly(c) {
		return b
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyWait)
	defer cancel()
	switch err := s.fleet.Ready(ctx); {
	case errors.Is(err, fettle.ErrUnavailable):
		b.Notice = said(err)
	case err != nil:
		s.log.Warn("server is not ready", "err", err)
		b.Notice = "its store does not answer"
	}
	return b
}

// handler answers a request, or gives the error that the wrapper turns into a page.
type handler func(c *gin.Context) error

// open wraps a handler that anybody may call.
func (s *site) open(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := s.csrf.Check(c.Request); err != nil {
			s.fail(c, fmt.Errorf("this form was sent by another site: %w", fettle.ErrDenied))
			return
		}
		if err := h(c); err != nil {
			s.fail(c, err)
		}
	}
}

// page wraps a handler that wants somebody to be signed in; to all others the sign-in page is shown in its place.
func (s *site) page(h handler) gin.HandlerFunc {
	return s.open(func(c *gin.Context) error {
		person, err := s.keeper.FromRequest(c.Request)
		if err == nil {
			err = mayLook(person)
		}
		if errors.Is(err, fettle.ErrDenied) {
			return s.askToSignIn(c)
		}
		if err != nil {
			return err
		}
		c.Request = c.Request.WithContext(auth.With(c.Request.Context(), person))
		return h(c)
	})
}

// mayLook is nil for who may see pages: a token that is for something else only is not for them.
func mayLook(p auth.Person) error {
	if err := p.Need(auth.Viewer); err != nil {
		return err
	}
	return p.Allows(auth.Use{Operation: "pages", Reads: true})
}

// within gives h no more time than a page may take. What is done about its error has time of its own.
func within(h handler) handler {
	return func(c *gin.Context) error {
		r := c.Request
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		c.Request = r.WithContext(ctx)
		defer func() { c.Request = r }()
		return h(c)
	}
}

// draw sends a template of a page with data: "layout" is the whole page, any other name a piece of it.
func (s *site) draw(c *gin.Context, status int, page, name string, data any) error {
	l, err := s.look()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := l.pages[page].ExecuteTemplate(&b, name, data); err != nil {
		return fmt.Errorf("draw %s: %w", page, err)
	}
	c.Header("Vary", "HX-Request")
	c.Data(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

// partly tells whether htmx asks for a piece of a page. When it goes back in history without a copy it wants all of it.
func partly(c *gin.Context) bool {
	return c.GetHeader("HX-Request") == "true" && c.GetHeader("HX-History-Restore-Request") != "true"
}

// policy lets a page load what this server has, and nothing else.
const policy = "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// protect sets the headers that keep a browser from doing more than it has to.
func protect(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}

// kinds is the one table from the kinds of error to a page. What is not in it is a fault of ours.
var kinds = []struct {
	err    error
	status int
	title  string
}{
	{fettle.ErrNotFound, http.StatusNotFound, "Not found"},
	{fettle.ErrInvalid, http.StatusUnprocessableEntity, "That cannot be"},
	{fettle.ErrConflict, http.StatusConflict, "Not now"},
	{fettle.ErrDenied, http.StatusForbidden, "Not allowed"},
	{fettle.ErrUnavailable, http.StatusServiceUnavailable, "Not available just now"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "It took too long"},
	{context.Canceled, http.StatusServiceUnavailable, "Not available just now"}, // who asked has gone, or the server stops
}

// errorPage says what went wrong.
type errorPage struct {
	base
	Status int
	Detail string
	Near   []link // what may have been meant
}

// link leads somewhere.
type link struct {
	Label, URL string
	Note       string // what stands beside it; may be empty
}

// fail draws the page of an error; a fault of ours is logged and not shown.
func (s *site) fail(c *gin.Context, err error) {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			s.drawError(c, errorPage{base: s.base(c, k.title, ""), Status: k.status, Detail: said(err)})
			return
		}
	}
	p := errorPage{base: s.base(c, "Something broke", ""), Status: http.StatusInternalServerError}
	p.Detail = "This is a fault of the server's. Its log has the rest, under the id below."
	s.log.Error("page failed", "request", p.Request, "err", err)
	s.drawError(c, p)
}

func (s *site) drawError(c *gin.Context, p errorPage) {
	name := "layout"
	if partly(c) {
		name = "fault"
	}
	if err := s.draw(c, p.Status, "error.html", name, p); err != nil {
		s.log.Error("page failed", "request", p.Request, "err", err)
		c.String(http.StatusInternalServerError, "internal error %s\n", p.Request)
	}
}

// said gives an error of a known kind as a person reads it: without the kind, which the page's title has.
func said(err error) string {
	text := err.Error()
	for _, k := range kinds {
		text = strings.TrimSuffix(text, ": "+k.err.Error())
	}
	return text
}

// noRoute answers where nothing is.
func (s *site) noRoute(c *gin.Context) {
	if s.cfg.NotFound != nil && strings.HasPrefix(c.Request.URL.Path, "/api/") {
		s.cfg.NotFound(c)
		return
	}
	protect(c)
	s.page(func(c *gin.Context) error {
		return fmt.Errorf("there is no page at %s: %w", c.Request.URL.Path, fettle.ErrNotFound)
	})(c)
}
