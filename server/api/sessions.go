package api

import (
	"context"
	"net/http"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
)

// Credentials are what a person signs in with.
type Credentials struct {
	Name     string `json:"name" minLength:"1" maxLength:"256"`
	Password string `json:"password" maxLength:"1024"`
}

func (a *rest) sessionRoutes() {
	handle(a, route{
		id: "create-session", method: http.MethodPost, path: "/sessions", tag: "sessions", status: http.StatusCreated, audited: true,
		summary: "Sign in",
		text: "By name and password, without a token. The answer's token is one of a session: it ends by itself, and when the user is disabled, deleted or " +
			"gets another password. After too many failures the answer is 429, with Retry-After.",
	}, a.createSession)
	handle(a, route{
		id: "end-session", method: http.MethodDelete, path: "/sessions/current", tag: "sessions", need: auth.Viewer, status: http.StatusNoContent, audited: true,
		summary: "Sign out", text: "The session of the token that asks is over. An API token is no session, and stays.",
	}, a.endSession)
}

func (a *rest) createSession(ctx context.Context, in *struct{ Body Credentials }) (*output[NewToken], error) {
	if a.cfg.People == nil {
		return nil, problemFor(http.StatusNotFound, "nobody signs in by name here")
	}
	secret, t, err := a.cfg.People.SignIn(ctx, auth.Attempt{Name: in.Body.Name, Password: in.Body.Password, Address: audit.Address(ctx)})
	if err != nil {
		return nil, err
	}
	return &output[NewToken]{NewToken{TokenInfo: tokenInfo(t), Token: secret}}, nil
}

func (a *rest) endSession(ctx context.Context, _ *struct{}) (*struct{}, error) {
	person := auth.From(ctx)
	if !person.Session {
		return nil, problemFor(http.StatusConflict, "this token is no session; it is taken back by its id, "+person.TokenID)
	}
	if err := a.keeper.Delete(context.WithoutCancel(ctx), person.TokenID); err != nil {
		return nil, err
	}
	a.cfg.Audit.Note(ctx, person.Name, "logout", person.Name, nil)
	return nil, nil
}

// people gives those who sign in by name. ErrUnavailable: nobody does.
func (a *rest) people() (*auth.People, error) {
	if a.cfg.People == nil {
		return nil, fettle.ErrUnavailable
	}
	return a.cfg.People, nil
}
