package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server/auth"
)

// AuditInfo tells what somebody did.
type AuditInfo struct {
	Seq     int64     `json:"seq"`
	At      time.Time `json:"at"`
	User    string    `json:"user" doc:"Who; empty: nobody who is known"`
	Action  string    `json:"action" doc:"What, as noun.verb" example:"token.create"`
	Subject string    `json:"subject" doc:"To what"`
	Details Object    `json:"details"`
}

// AuditList is a page of the audit log.
type AuditList struct {
	Entries []AuditInfo `json:"entries"`
	Next    string      `json:"next"`
}

type auditIn struct {
	Since  string `query:"since" doc:"Entries from this moment on" example:"2026-11-14T09:00:00Z"`
	User   string `query:"user" doc:"Who did it"`
	Action string `query:"action" doc:"What was done; a noun alone means all that was done to such things" example:"token"`
	After  int64  `query:"after" minimum:"0" doc:"Follow: entries after this seq, the oldest first"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Entries a page"`
	Cursor int64  `query:"cursor" minimum:"0" doc:"next of the page before"`
}

func (a *rest) auditRoutes() {
	handle(a, route{
		id: "list-audit", method: http.MethodGet, path: "/audit", tag: "audit", need: auth.Admin,
		summary: "Read the audit log",
		text:    "Who signed in or failed to, changed something, asked nodes to do something, or was refused. The newest first; with after, the oldest first.",
	}, a.listAudit)
}

func (a *rest) listAudit(ctx context.Context, in *auditIn) (*output[AuditList], error) {
	since, err := readMoment("since", in.Since)
	if err != nil {
		return nil, err
	}
	if in.After != 0 && in.Cursor != 0 {
		return nil, fmt.Errorf("after goes forward and cursor goes back, and one is wanted: %w", fettle.ErrInvalid)
	}
	found, err := a.cfg.Audit.Entries(ctx, audit.Query{
		Since: since, Caller: in.User, Action: in.Action, After: in.After, Before: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return nil, err
	}
	list := AuditList{Entries: make([]AuditInfo, len(found))}
	for i, e := range found {
		list.Entries[i] = AuditInfo{Seq: e.Seq, At: e.At.Time(), User: e.Caller, Action: e.Action, Subject: e.Subject, Details: Object(e.Details)}
	}
	if len(found) == in.Limit && in.After == 0 {
		list.Next = fmt.Sprint(found[len(found)-1].Seq)
	}
	return &output[AuditList]{list}, nil
}
