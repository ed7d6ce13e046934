package server

import (
	"context"
	"errors"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
)

// Roles that may run anything, as package auth has them.
const (
	roleOperator = "operator"
	roleAdmin    = "admin"
)

// rights gives somebody of whom the name, the user and the token are known as policies see people, with the rights of this moment. ErrDenied: there
// are none any more.
func (s *Server) rights(ctx context.Context, user Asker) (Asker, error) {
	gone := func(why string) (Asker, error) {
		return Asker{}, fmt.Errorf("%s may not run anything any more: %s: %w", user.Name, why, fettle.ErrDenied)
	}
	user.Role, user.Groups = "", nil
	if user.Token != "" {
		token, err := s.Store.Token(ctx, user.Token)
		switch {
		case errors.Is(err, fettle.ErrNotFound):
			return gone("the token is deleted")
		case err != nil:
			return user, err
		case token.Expires != 0 && token.Expires <= fettle.MillisOf(s.Now()):
			return gone("the token has ended")
		}
		user.Role = token.Role
	}
	if user.Account != "" {
		account, err := s.Store.User(ctx, user.Account)
		switch {
		case errors.Is(err, fettle.ErrNotFound):
			return gone("there is no such user")
		case err != nil:
			return user, err
		case account.Disabled != 0:
			return gone("the user is disabled")
		}
		user.Groups = account.Groups
		if user.Role == "" || user.Role == roleAdmin || account.Role != roleAdmin && user.Role == roleOperator {
			user.Role = account.Role // a token has no more rights than its user
		}
	}
	if (user.Token != "" || user.Account != "") && user.Role != roleOperator && user.Role != roleAdmin {
		return gone("the role is " + user.Role)
	}
	return user, nil
}

// CheckOwner gives the owner of a check as policies see people, with the rights of this moment. ErrDenied: there are none any more.
func (s *Server) CheckOwner(ctx context.Context, kept fettle.KeptCheck) (Asker, error) {
	if kept.Account == "" && kept.Token == "" {
		return Asker{}, fmt.Errorf("it is not known who %s is, so that nothing is run with their rights: %w", kept.Owner, fettle.ErrDenied)
	}
	return s.rights(ctx, Asker{Name: kept.Owner, Account: kept.Account, Token: kept.Token})
}
