package client

import (
	"context"
	"strconv"
)

// CreateSession signs in by name and password. The secret of the session is in this answer and nowhere else. ErrDenied: one of the two is wrong.
func (a *API) CreateSession(ctx context.Context, in Credentials) (*NewToken, error) {
	return read[NewToken](a.calls.CreateSession(ctx, in))
}

// EndSession ends the session of this client's token. ErrConflict: it is no session.
func (a *API) EndSession(ctx context.Context) error { return gone(a.calls.EndSession(ctx)) }

// Users lists users by name.
func (a *API) Users(ctx context.Context) ([]UserInfo, error) {
	list, err := read[UserList](a.calls.ListUsers(ctx))
	if err != nil {
		return nil, err
	}
	return list.Users, nil
}

// CreateUser adds a user.
func (a *API) CreateUser(ctx context.Context, in UserOrder) (*UserInfo, error) {
	return read[UserInfo](a.calls.CreateUser(ctx, in))
}

// ChangeUser changes the role, the groups or the state of a user.
func (a *API) ChangeUser(ctx context.Context, name string, in UserChange) (*UserInfo, error) {
	return read[UserInfo](a.calls.ChangeUser(ctx, name, in))
}

// SetPassword gives a user another password.
func (a *API) SetPassword(ctx context.Context, name string, in PasswordOrder) error {
	return gone(a.calls.SetPassword(ctx, name, in))
}

// DeleteUser deletes a user, with sessions and tokens.
func (a *API) DeleteUser(ctx context.Context, name string) error {
	return gone(a.calls.DeleteUser(ctx, name))
}

// Audit gives a page of the audit log, and the cursor of the next one; zero: there is none.
func (a *API) Audit(ctx context.Context, p *ListAuditParams) ([]AuditInfo, int64, error) {
	list, err := read[AuditList](a.calls.ListAudit(ctx, p))
	if err != nil {
		return nil, 0, err
	}
	next, _ := strconv.ParseInt(list.Next, 10, 64) // empty: zero
	return list.Entries, next, nil
}
