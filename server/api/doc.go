// Package api is the REST face of the server: typed handlers under /api/v1, their OpenAPI document, health, metrics and the page that documents it.
//
//	request ─▶ NewEngine: id, recover, limits ─▶ who asks, may they ─▶ handler ─▶ Fleet (package server)
//	                                                     any error ─▶ problem: one table from kinds to RFC 9457
//
// It does no work of its own: a handler reads what was asked, calls the server, and gives its answer the shape that docs/api.md promises.
package api

//go:generate go test -run ^TestGenerated -update .
