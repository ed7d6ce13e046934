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
	return k.LoginLinkFor(ctx, Person{Name: name, Role: role})
}

// LoginLinkFor is LoginLink for a person: the session ends with p's user, where p has one.
func (k *Keeper) LoginLinkFor(ctx context.Context, p Person) (code string, err error) {
	code, _, err = k.create(ctx, store.Token{Kind: store.TokenLogin, Name: p.Name, Role: string(p.Role), Account: p.Account, Uses: 1}, LoginTTL)
	return code, err
}

// session begins a session of p, which lives for SessionTTL, and gives its secret.
func (k *Keeper) session(ctx context.Context, p Person) (secret string, t Token, err error) {
	secret, kept, err := k.create(ctx, store.Token{
		Kind: store.TokenSession, Name: p.Name, Role: string(p.Role), Owner: p.Account, Account: p.Account, Uses: unlimited,
	}, SessionTTL)
	return secret, tokenOf(kept), err
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
	secret, _, err = k.session(ctx, Person{Name: l.Name, Role: Role(l.Role), Account: l.Account})
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
