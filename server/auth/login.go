package auth

import (
	"context"
	"errors"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// LoginLink gives a code that can be redeemed once, within LoginTTL, for a session of name. ErrInvalid: the name or role cannot be.
func (k *Keeper) LoginLink(ctx context.Context, name string, role Role) (code string, err error) {
	code, _, err = k.create(ctx, store.Token{Kind: store.TokenLogin, Name: name, Role: string(role), Uses: 1}, LoginTTL)
	return code, err
}

// Redeem turns the code of a login link into the secret of a session, which lives for SessionTTL. ErrDenied: the code was used, has ended or never was.
func (k *Keeper) Redeem(ctx context.Context, code string) (secret string, err error) {
	l, err := k.takeLogin(ctx, code)
	if errors.Is(err, fettle.ErrNotFound) {
		return "", fmt.Errorf("this login link was used or has ended, ask for another: %w", fettle.ErrDenied)
	}
	if err != nil {
		return "", err
	}
	secret, _, err = k.create(ctx, store.Token{Kind: store.TokenSession, Name: l.Name, Role: l.Role, Uses: unlimited}, SessionTTL)
	return secret, err
}

// takeLogin gives the login of code, once: ErrNotFound otherwise. What is used up is of no use to anybody, and is taken away.
func (k *Keeper) takeLogin(ctx context.Context, code string) (store.Token, error) {
	if kindOf(code) != store.TokenLogin {
		return store.Token{}, fettle.ErrNotFound
	}
	l, err := k.tokens.UseToken(ctx, store.TokenLogin, hashOf(code), fettle.MillisOf(k.now()))
	if err != nil {
		return store.Token{}, err
	}
	if err := k.tokens.DeleteToken(ctx, l.ID); err != nil && !errors.Is(err, fettle.ErrNotFound) {
		k.log.Warn("used login link stays", "token", l.ID, "err", err)
	}
	return l, nil
}
