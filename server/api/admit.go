package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
)

// noLimit is for routes that choose how long they may take.
const noLimit = time.Duration(-1)

// route is what the operations of this package have in common. Who asks needs the role need; a wait of zero is the configured limit.
type route struct {
	id, method, path string
	summary, text    string
	tag              string
	need             auth.Role // "": anybody may, also who has no token
	wait             time.Duration
	status           int                       // of success; zero: 200, or 204 without a body
	answers          map[string]*huma.Response // what the handler's type does not say; nil: it says all
	reads            bool                      // it changes nothing, though its method is not GET
	asks             bool                      // it asks nodes, though its method is GET
	figures          bool                      // Prometheus asks it
	body             int64                     // the most that it takes, in bytes; zero: maxBody
	audited          bool                      // what stands behind it puts down what is done
}

// changes tells whether the operation is put down in the audit log.
func (r route) changes() bool { return r.method != http.MethodGet && !r.reads }

// use tells what a token is used for that asks r of c.
func (r route) use(c huma.Context) auth.Use {
	return auth.Use{Operation: r.id, Reads: !r.changes() && !r.asks, Check: c.Param("check"), Figures: r.figures}
}

// deed gives the operation as the audit log has it, noun first, so that all that was done to tokens is found by "token": create-token is token.create.
func (r route) deed() string {
	verb, noun, found := strings.Cut(r.id, "-")
	if !found {
		return r.id
	}
	return noun + "." + verb
}

// handle registers h: behind it stand authentication, the role, the scope, the audit log and the time limit, and any error becomes a problem.
func handle[I, O any](a *rest, r route, h func(context.Context, *I) (*O, error)) {
	wait := r.wait
	if wait == 0 {
		wait = a.cfg.Timeout
	}
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: prefix + r.path, Summary: r.summary, Description: r.text, Tags: []string{r.tag},
		DefaultStatus: r.status, Responses: r.answers, MaxBodyBytes: cmp.Or(r.body, maxBody), RejectUnknownQueryParameters: true,
		Security:    []map[string][]string{{securityScheme: {}}},
		Middlewares: huma.Middlewares{a.admit(r)},
	}
	if r.need == "" {
		op.Security = []map[string][]string{}
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		if wait > 0 {
			limited, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			ctx = limited
		}
		out, err := h(ctx, in)
		if r.changes() && !r.audited {
			a.putDown(ctx, r, err)
		}
		if err != nil {
			return nil, answer(ctx, a.log, err)
		}
		return out, nil
	})
}

// admit lets a request pass whose sender has the role and the scope that r needs.
func (a *rest) admit(r route) func(huma.Context, func(huma.Context)) {
	csrf := http.NewCrossOriginProtection()
	return func(ctx huma.Context, next func(huma.Context)) {
		c := humagin.Unwrap(ctx)
		if err := csrf.Check(c.Request); err != nil {
			a.cfg.Audit.Stranger(c.Request.Context(), "", "request.refused", r.deed(), audit.Details{"reason": "it comes from another site"})
			a.refuse(c, problemFor(http.StatusForbidden, "this comes from another site: "+err.Error()))
			return
		}
		if r.need == "" {
			next(ctx)
			return
		}
		person, err := a.person(c, r)
		if err == nil {
			if err = person.Need(r.need); err == nil {
				err = person.Allows(r.use(ctx))
			}
			if err != nil {
				a.cfg.Audit.Stranger(c.Request.Context(), person.Name, "request.refused", r.deed(), audit.Details{"reason": problemOf(err).Detail})
			}
		}
		if err == nil && r.changes() {
			err = a.cfg.Audit.Ready(c.Request.Context())
		}
		if err != nil {
			a.refuse(c, err)
			return
		}
		d := &deed{subject: subjectOf(c)}
		next(huma.WithContext(ctx, context.WithValue(auth.With(ctx.Context(), person), deedKey{}, d)))
	}
}

// person tells who asks; a *Problem with 401 says that it is nobody.
func (a *rest) person(c *gin.Context, r route) (auth.Person, error) {
	person, err := a.keeper.FromRequest(c.Request)
	if errors.Is(err, fettle.ErrDenied) {
		if _, none := auth.SecretOf(c.Request); none == nil { // who gives nothing just asks whether it is needed
			a.cfg.Audit.Stranger(c.Request.Context(), "", "request.refused", r.deed(), audit.Details{"reason": problemOf(err).Detail})
		}
		c.Header("WWW-Authenticate", `Bearer realm="fettle"`)
		return person, problemFor(http.StatusUnauthorized, problemOf(err).Detail)
	}
	return person, err
}

// refuse ends a request before its handler.
func (a *rest) refuse(c *gin.Context, err error) {
	answer(c.Request.Context(), a.log, err).write(c.Writer)
}

// deed is what a handler says of what it did.
type deed struct {
	subject string
	details audit.Details
}

type deedKey struct{}

// tell says for the audit log what the request of ctx was done to, where its path does not, and what else there is to say. No secrets.
func tell(ctx context.Context, subject string, details audit.Details) {
	if d, ok := ctx.Value(deedKey{}).(*deed); ok {
		d.subject, d.details = subject, details
	}
}

// subjectOf gives the parameters of a request's path, with slashes between.
func subjectOf(c *gin.Context) string {
	var values []string
	for _, p := range c.Params {
		values = append(values, p.Value)
	}
	return strings.Join(slices.DeleteFunc(values, func(v string) bool { return v == "" }), "/")
}

// putDown notes what was done, or that it was refused. Other errors changed nothing, and are noted by nobody.
func (a *rest) putDown(ctx context.Context, r route, err error) {
	d, ok := ctx.Value(deedKey{}).(*deed)
	if !ok {
		d = &deed{}
	}
	caller := auth.From(ctx).Name
	switch {
	case err == nil:
		a.cfg.Audit.Note(ctx, caller, r.deed(), d.subject, d.details)
	case errors.Is(err, fettle.ErrDenied):
		a.cfg.Audit.Stranger(ctx, caller, "request.refused", r.deed(), audit.Details{"subject": d.subject, "reason": problemOf(err).Detail})
	}
}
