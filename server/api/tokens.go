package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
)

// TokenInfo is what is kept of a token or of a page's session.
type TokenInfo struct {
	ID      string     `json:"id"`
	Name    string     `json:"name" doc:"Of the person or program"`
	Role    auth.Role  `json:"role" enum:"viewer,operator,admin"`
	Session bool       `json:"session" doc:"It is a browser's, or that of a login of the command line"`
	Scopes  []string   `json:"scopes,omitempty" doc:"What alone it may be used for; left out: whatever its role may"`
	Owner   string     `json:"owner,omitempty" doc:"Who made it"`
	User    string     `json:"user,omitempty" doc:"The user with whom it ends; left out: it is nobody's"`
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
	// A token for a program ought to be able to do what the program does, and no more.
	Scopes []string `json:"scopes,omitempty" maxItems:"50" doc:"What alone it may be used for: read, prometheus, check=NAME, operation=ID of this document; left out: whatever its role may" example:"[\"prometheus\"]"`
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
	person := auth.From(ctx)
	if err := unscoped(person); err != nil {
		return nil, err
	}
	secret, t, err := a.keeper.Issue(ctx, auth.Order{
		Name: in.Body.Name, Role: auth.Role(in.Body.Role), TTL: ttl, Scopes: in.Body.Scopes, Owner: person.Name, Account: person.Account,
	})
	if err != nil {
		return nil, err
	}
	tell(ctx, t.ID, audit.Details{"name": t.Name, "role": t.Role, "scopes": t.Scopes, "expires": moment(t.Expires)})
	return &output[NewToken]{NewToken{TokenInfo: tokenInfo(t), Token: secret}}, nil
}

func (a *rest) loginLink(ctx context.Context, in *struct{ Body LoginOrder }) (*output[LoginLink], error) {
	person := auth.From(ctx)
	if err := unscoped(person); err != nil {
		return nil, err
	}
	if in.Body.Name != "" && in.Body.Name != person.Name {
		if person.Account != "" {
			return nil, fmt.Errorf("%s signs in as nobody else: %w", person.Name, fettle.ErrDenied)
		}
		person.Name = in.Body.Name
	}
	code, err := a.keeper.LoginLinkFor(ctx, person)
	if err != nil {
		return nil, err
	}
	tell(ctx, person.Name, audit.Details{"role": person.Role})
	return &output[LoginLink]{LoginLink{Path: "/login?code=" + url.QueryEscape(code), Expires: a.cfg.Now().Add(auth.LoginTTL).UTC()}}, nil
}

func (a *rest) deleteToken(ctx context.Context, in *struct {
	ID string `path:"id" maxLength:"64"`
},
) (*struct{}, error) {
	return nil, a.keeper.Delete(ctx, in.ID)
}

// unscoped refuses a token that is not for everything its role may: it would make one that is.
func unscoped(p auth.Person) error {
	if len(p.Scopes) > 0 {
		return fmt.Errorf("the token of %s is for %s only, and makes no others: %w", p.Name, strings.Join(p.Scopes, ", "), fettle.ErrDenied)
	}
	return nil
}

func tokenInfo(t auth.Token) TokenInfo {
	return TokenInfo{
		ID: t.ID, Name: t.Name, Role: t.Role, Session: t.Session, Scopes: t.Scopes, Owner: t.Owner, User: t.Account,
		Created: t.Created.Time(), Expires: moment(t.Expires),
	}
}
