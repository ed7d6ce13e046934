package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/fettle-dev/fettle/audit"
)

// maxBody is the size of the largest request body: a run with generous inputs.
const maxBody = 1 << 20

// libraries sets, once, what gin and huma keep in package variables. The values never change afterwards.
var libraries = sync.OnceFunc(func() {
	gin.SetMode(gin.ReleaseMode)
	huma.DefaultArrayNullable = false
	huma.NewError = newHumaError
	huma.NewErrorWithContext = func(ctx huma.Context, status int, detail string, errs ...error) huma.StatusError {
		err := newHumaError(status, detail, errs...)
		if p, ok := err.(*Problem); ok {
			p.RequestID = RequestID(ctx.Context())
		}
		return err
	}
})

// NewEngine makes the router that REST and pages share. Every request gets an id, a limit on its body, and an answer even if its handler panics.
func NewEngine(log *slog.Logger) *gin.Engine {
	libraries()
	r := gin.New()
	r.UseRawPath, r.UnescapePathValues = true, true // a fact path may hold a slash: mountpoints."/boot"
	r.HandleMethodNotAllowed = true
	r.RedirectTrailingSlash, r.RedirectFixedPath = false, false
	_ = r.SetTrustedProxies(nil) // nil is always accepted: no header says who the client is
	r.Use(identify, limitBody, recovering(log))
	r.NoRoute(NotFound)
	r.NoMethod(func(c *gin.Context) {
		p := problemFor(http.StatusMethodNotAllowed, c.Request.Method+" is not a method of this path")
		p.RequestID = RequestID(c.Request.Context())
		p.write(c.Writer)
	})
	return r
}

// NotFound answers that there is nothing at the path, as REST does. Pages that have an answer of their own set another NoRoute and call this
// for paths below /api/.
func NotFound(c *gin.Context) {
	p := problemFor(http.StatusNotFound, "there is nothing at "+c.Request.URL.Path)
	p.RequestID = RequestID(c.Request.Context())
	p.write(c.Writer)
}

type requestIDKey struct{}

// RequestID gives the id of the request that ctx belongs to; empty outside of one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// requestIDHeader carries the id of a request, both ways.
const requestIDHeader = "X-Request-Id"

// identify gives the request an id: the one that a proxy in front gave it, where that is fit for a log, or a new one.
func identify(c *gin.Context) {
	id := c.GetHeader(requestIDHeader)
	if !fitID(id) {
		id = rand.Text()
	}
	c.Header(requestIDHeader, id)
	ctx := context.WithValue(c.Request.Context(), requestIDKey{}, id)
	c.Request = c.Request.WithContext(audit.With(ctx, audit.Origin{Address: addressOf(c.Request), Request: id}))
}

// addressOf gives the address of the machine that sent r. No header is believed: anybody can write one.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

func fitID(id string) bool {
	return id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != '_' && r != '.'
	})
}

// limitBody bounds what may be sent. Who pushes may send more; nothing of it is read before it is known who that is.
func limitBody(c *gin.Context) {
	limit := int64(maxBody)
	switch {
	case c.Request.Method != http.MethodPost:
	case c.Request.URL.Path == prefix+"/plugins":
		limit = maxPluginBody
	case c.Request.URL.Path == prefix+"/agent-releases":
		limit = maxAgentBody
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
}

// recovering answers for a handler that panics, and logs where it did.
func recovering(log *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				panic(cause)
			}
			log.Error("handler panicked", "request", RequestID(c.Request.Context()), "err", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if !c.Writer.Written() {
				p := problemFor(http.StatusInternalServerError, "internal error")
				p.RequestID = RequestID(c.Request.Context())
				p.write(c.Writer)
			}
			c.Abort()
		}()
		c.Next()
	}
}
