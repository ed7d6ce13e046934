package web

import (
	"context"
	"errors"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// The operations of REST that forms of pages do, too: a token that is for one of them alone may use its form.
const (
	opStartRun    = "start-run"
	opCancelRun   = "cancel-run"
	opRetryRun    = "retry-run"
	opAskVerdict  = "ask-verdict"
	opPauseStand  = "pause-standing"
	opResumeStand = "resume-standing"
	opEndStand    = "end-standing"
)

// act wraps the handler of a form that does something: who sends it needs the role, a token that may, and an audit log that takes it down.
func (s *site) act(operation string, need auth.Role, h handler) gin.HandlerFunc {
	return s.page(within(func(c *gin.Context) error {
		ctx, person := c.Request.Context(), auth.From(c.Request.Context())
		err := person.Need(need)
		if err == nil {
			err = person.Allows(auth.Use{Operation: operation})
		}
		if err != nil {
			s.cfg.Audit.Stranger(ctx, person.Name, "request.refused", operation, audit.Details{"reason": said(err)})
			return err
		}
		if err := s.cfg.Audit.Ready(ctx); err != nil {
			return err
		}
		return h(c)
	}))
}

// asker says who asks, for policies.
func asker(ctx context.Context) server.Asker {
	p := auth.From(ctx)
	return server.Asker{Name: p.Name, Role: string(p.Role), Groups: p.Groups, Account: p.Account, Token: p.TokenID}
}

// MayAct tells whether the person who looks may silence and run: the buttons are there for those alone.
func (b base) MayAct() bool { return b.Person.Need(auth.Operator) == nil && len(b.Person.Scopes) == 0 }

// isNotFound tells whether what was asked for is not there.
func isNotFound(err error) bool { return errors.Is(err, fettle.ErrNotFound) }
