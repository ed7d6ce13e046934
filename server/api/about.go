package api

import (
	"context"
	"net/http"

	"github.com/fettle-dev/fettle/server/auth"
)

// Whoami is who asks.
type Whoami struct {
	Name  string    `json:"name"`
	Role  auth.Role `json:"role" enum:"viewer,operator,admin"`
	Token string    `json:"token" doc:"The id of the token"`
	// What a token has that is a user's, or that is not for everything.
	User   string   `json:"user,omitempty" doc:"The user with whom the token ends; left out: it is nobody's"`
	Groups []string `json:"groups,omitempty" doc:"Of the user"`
	Scopes []string `json:"scopes,omitempty" doc:"What alone the token may be used for; left out: whatever its role may"`
}

// VersionInfo is what the server is.
type VersionInfo struct {
	Version string `json:"version" doc:"Of the server's program"`
	API     string `json:"api" doc:"Of this API"`
}

func (a *rest) aboutRoutes() {
	handle(a, route{id: "whoami", method: http.MethodGet, path: "/whoami", tag: "about", need: auth.Viewer, summary: "Who asks", text: "The name and role of the token."}, a.whoami)
	handle(a, route{id: "version", method: http.MethodGet, path: "/version", tag: "about", need: auth.Viewer, summary: "The server's version", text: "And the API's."}, a.version)
}

func (a *rest) whoami(ctx context.Context, _ *struct{}) (*output[Whoami], error) {
	p := auth.From(ctx)
	return &output[Whoami]{Whoami{Name: p.Name, Role: p.Role, Token: p.TokenID, User: p.Account, Groups: p.Groups, Scopes: p.Scopes}}, nil
}

func (a *rest) version(context.Context, *struct{}) (*output[VersionInfo], error) {
	return &output[VersionInfo]{VersionInfo{Version: a.fleet.Version(), API: a.huma.OpenAPI().Info.Version}}, nil
}
