package auth

import (
	"context"
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// login is a link that was given out and not used. It lives in memory: who loses it by a restart asks for another.
type login struct {
	name  string
	role  Role
	until time.Time
}

// LoginLink gives a code that can be redeemed once, within LoginTTL, for a session of name. ErrInvalid: the name or role cannot be.
// When too many are open, the one that ends first is dropped.
func (k *Keeper) LoginLink(_ context.Context, name string, role Role) (code string, err error) {
	if err := validate(name, role); err != nil {
		return "", err
	}
	code = newSecret(loginPrefix)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropLogins()
	k.logins[hashOf(code)] = login{name: name, role: role, until: k.now().Add(LoginTTL)}
	return code, nil
}

// dropLogins makes room for one more. k.mu is held.
func (k *Keeper) dropLogins() {
	now := k.now()
	var first string
	for hash, l := range k.logins {
		if !now.Before(l.until) {
			delete(k.logins, hash)
		} else if first == "" || l.until.Before(k.logins[first].until) {
			first = hash
		}
	}
	if len(k.logins) >= maxLogins {
		delete(k.logins, first)
	}
}

// Redeem turns the code of a login link into the secret of a session, which lives for SessionTTL. ErrDenied: the code was used, has ended or never was.
func (k *Keeper) Redeem(ctx context.Context, code string) (secret string, err error) {
	l, ok := k.takeLogin(code)
	if !ok {
		return "", fmt.Errorf("this login link was used or has ended, ask for another: %w", fettle.ErrDenied)
	}
	secret, _, err = k.create(ctx, kindSession, l.name, l.role, SessionTTL)
	return secret, err
}

// takeLogin gives the login of code, once.
func (k *Keeper) takeLogin(code string) (login, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	hash := hashOf(code)
	l, ok := k.logins[hash]
	delete(k.logins, hash)
	return l, ok && k.now().Before(l.until)
}
