package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/fettle-dev/fettle/server/auth"
)

// TokenInfo is what is kept of a token or of a page's session.
type TokenInfo struct {
	ID      string     `json:"id"`
	Name    string     `json:"name" doc:"Of the person or program"`
	Role    auth.Role  `json:"role" enum:"viewer,operator,admin"`
	Session bool       `json:"session" doc:"It is a browser's"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty" doc:"Left out: never"`
}

// TokenList has all tokens that have not ended, the newest first.
type TokenList struct {
	Tokens []TokenInfo `json:"tokens"`
}

// TokenOrder asks for a token.
type TokenOrder struct {
	Name string `json:"name" minLength:"1" maxLength:"100" doc:"Of the person or program that will use it"`
	Role string `json:"role" enum:"viewer,operator,admin"`
	TTL  string `json:"ttl,omitempty" doc:"How long it lives; left out: for ever" example:"720h"`
}

// NewToken is a token with its secret, which is shown this once.
type NewToken struct {
	TokenInfo
	Token string `json:"token" doc:"The secret; it is kept nowhere"`
}

// LoginOrder asks for a link that signs a browser in.
type LoginOrder struct {
	Name string `json:"name,omitempty" maxLength:"100" doc:"Whose session it will be; left out: the name of who asks"`
}

// LoginLink lets a browser in once.
type LoginLink struct {
	Path    string    `json:"path" doc:"To follow below the server's address, once" example:"/login?code=..."`
	Expires time.Time `json:"expires"`
}

func (a *rest) tokenRoutes() {
	handle(a, route{
		id: "create-login-link", method: http.MethodPost, path: "/login-links", tag: "tokens", need: auth.Viewer, status: http.StatusCreated,
		summary: "Make a login link", text: "It signs a browser in once, with the rights of who asks.",
	}, a.loginLink)
	handle(a, route{id: "list-tokens", method: http.MethodGet, path: "/tokens", tag: "tokens", need: auth.Admin, summary: "List tokens", text: "The newest first."}, a.listTokens)
	handle(a, route{
		id: "create-token", method: http.MethodPost, path: "/tokens", tag: "tokens", need: auth.Admin, status: http.StatusCreated,
		summary: "Create a token", text: "The answer shows its secret, once.",
	}, a.createToken)
	handle(a, route{
		id: "delete-token", method: http.MethodDelete, path: "/tokens/{id}", tag: "tokens", need: auth.Admin, status: http.StatusNoContent,
		summary: "Delete a token", text: "It is denied from now on.",
	}, a.deleteToken)
}

func (a *rest) listTokens(ctx context.Context, _ *struct{}) (*output[TokenList], error) {
	tokens, err := a.keeper.List(ctx)
	if err != nil {
		return nil, err
	}
	list := TokenList{Tokens: make([]TokenInfo, 0, len(tokens))}
	for _, t := range tokens {
		list.Tokens = append(list.Tokens, tokenInfo(t))
	}
	return &output[TokenList]{list}, nil
}

func (a *rest) createToken(ctx context.Context, in *struct{ Body TokenOrder }) (*output[NewToken], error) {
	ttl, err := parseSpan("ttl", in.Body.TTL)
	if err != nil {
		return nil, err
	}
	secret, t, err := a.keeper.NewToken(ctx, in.Body.Name, auth.Role(in.Body.Role), ttl)
	if err != nil {
		return nil, err
	}
	return &output[NewToken]{NewToken{TokenInfo: tokenInfo(t), Token: secret}}, nil
}

func (a *rest) loginLink(ctx context.Context, in *struct{ Body LoginOrder }) (*output[LoginLink], error) {
	person := auth.From(ctx)
	name := in.Body.Name
	if name == "" {
		name = person.Name
	}
	code, err := a.keeper.LoginLink(ctx, name, person.Role)
	if err != nil {
		return nil, err
	}
	return &output[LoginLink]{LoginLink{Path: "/login?code=" + url.QueryEscape(code), Expires: a.cfg.Now().Add(auth.LoginTTL).UTC()}}, nil
}

func (a *rest) deleteToken(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
},
) (*struct{}, error) {
	return nil, a.keeper.Delete(ctx, in.ID)
}

func tokenInfo(t auth.Token) TokenInfo {
	return TokenInfo{ID: t.ID, Name: t.Name, Role: t.Role, Session: t.Session, Created: t.Created.Time(), Expires: moment(t.Expires)}
}
