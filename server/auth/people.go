package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/store"
)

// Users keeps users; *store.Store does. It is called from many goroutines and may wait for a disk.
type Users interface {
	SaveUser(ctx context.Context, u store.User) (rev int64, err error) // ErrConflict: another was faster, or the name is taken
	User(ctx context.Context, name string) (store.User, error)         // ErrNotFound
	Users(ctx context.Context, after string, limit int) ([]store.User, error)
	DeleteUser(ctx context.Context, name string) error // and the tokens that end with it
	DeleteTokensOf(ctx context.Context, account string, kind store.TokenKind) error
}

// Where a user's password is checked.
const (
	SourceLocal = "local"
	SourceLDAP  = "ldap"
	SourceOIDC  = "oidc"
)

// Identity is who somebody is, as a directory has it.
type Identity struct {
	Name   string
	Role   Role
	Groups []string
	Source string // SourceLDAP or SourceOIDC
}

// Directory checks names and passwords that are kept elsewhere. It is safe for concurrent use and ends with its ctx. ErrDenied: the name or the
// password is wrong, or the person has no role here. ErrUnavailable: it cannot be asked.
type Directory interface {
	Check(ctx context.Context, name, password string) (Identity, error)
}

// People is everybody who signs in by name. It is safe for concurrent use.
type People struct {
	users     Users
	keeper    *Keeper
	audit     *audit.Log
	log       *slog.Logger
	directory Directory // nil: there is none
	hasher    *hasher
	names     *limiter
	addresses *limiter
}

// PeopleParts is what People work with. Users and Keeper must be there.
type PeopleParts struct {
	Users     Users
	Keeper    *Keeper
	Audit     *audit.Log   // nil: nothing is put down
	Directory Directory    // nil: there are local users only
	Log       *slog.Logger // nil: nothing is said
}

// NewPeople makes People of their parts.
func NewPeople(parts PeopleParts) *People {
	log := parts.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &People{
		users: parts.Users, keeper: parts.Keeper, audit: parts.Audit, log: log, directory: parts.Directory, hasher: newHasher(passwordCost),
		names: newLimiter(nameTries, nameEvery, parts.Keeper.now), addresses: newLimiter(addressTries, addressEvery, parts.Keeper.now),
	}
}

// Attempt is a try to sign in.
type Attempt struct {
	Name, Password string
	Address        string // of the caller's machine, as net/http has it
}

// errWrong is all that somebody is told who may not come in: not whether the name, the password or the user's state is at fault.
var errWrong = fmt.Errorf("the name or the password is wrong: %w", fettle.ErrDenied)

// SignIn begins a session, and gives its secret. ErrDenied: the name or the password is wrong, or a *LimitError says that there were too many of
// those. ErrUnavailable: the directory cannot be asked.
func (p *People) SignIn(ctx context.Context, a Attempt) (secret string, t Token, err error) {
	name := strings.ToLower(strings.TrimSpace(a.Name))
	if err := errors.Join(p.names.take(name), p.addresses.take(network(a.Address))); err != nil {
		p.audit.Stranger(ctx, name, "login.limited", name, audit.Details{"after": afterOf(err).String()})
		return "", Token{}, &LimitError{After: afterOf(err)}
	}
	u, why, err := p.check(ctx, name, a.Password)
	if err == nil && u.Disabled != 0 {
		why, err = "the user is disabled", errWrong
	}
	switch {
	case errors.Is(err, fettle.ErrDenied):
		p.audit.Stranger(ctx, name, "login.failed", name, audit.Details{"reason": why})
		return "", Token{}, errWrong
	case err != nil:
		p.names.refund(name)
		p.addresses.refund(network(a.Address))
		return "", Token{}, err
	}
	p.names.giveBack(name)
	p.addresses.refund(network(a.Address))
	return p.enter(ctx, u)
}

// afterOf gives the longest wait that limits ask for.
func afterOf(err error) (after time.Duration) {
	for _, one := range fettle.Faults(err) {
		var limit *LimitError
		if errors.As(one, &limit) {
			after = max(after, limit.After)
		}
	}
	return after
}

// check gives the user of a name and a password, as it is kept now. why says for the audit log what was wrong.
func (p *People) check(ctx context.Context, name, password string) (u store.User, why string, err error) {
	u, err = p.users.User(ctx, name)
	known := err == nil
	if err != nil && !errors.Is(err, fettle.ErrNotFound) {
		return u, "", err
	}
	if p.directory != nil && (!known || u.Source == SourceLDAP) && CheckUserName(name) == nil && password != "" {
		id, err := p.directory.Check(ctx, name, password)
		if errors.Is(err, fettle.ErrDenied) {
			return u, "the directory says no: " + err.Error(), errWrong
		}
		if err != nil {
			return u, "", err
		}
		return p.known(ctx, id)
	}
	hash := u.Hash
	if u.Source != SourceLocal {
		hash = ""
	}
	right, stale, err := p.hasher.verify(ctx, hash, password)
	switch {
	case err != nil:
		return u, "", err
	case !known:
		return u, "there is no such user", errWrong
	case !right:
		return u, "the password is wrong", errWrong
	case stale:
		p.rehash(ctx, &u, password)
	}
	return u, "", nil
}

// rehash makes the hash of a password anew, at the cost of today. Where it cannot be kept, the next login tries again.
func (p *People) rehash(ctx context.Context, u *store.User, password string) {
	hash, err := p.hasher.hash(ctx, password)
	if err != nil { // the password is shorter than one may be today
		return
	}
	changed := *u
	changed.Hash = hash
	if changed.Rev, err = p.users.SaveUser(ctx, changed); err != nil {
		p.log.Warn("the hash of a password cannot be renewed", "user", u.Name, "err", err)
		return
	}
	*u = changed
}

// Enter begins a session for somebody whom a directory has let in already.
func (p *People) Enter(ctx context.Context, id Identity) (secret string, t Token, err error) {
	u, why, err := p.known(ctx, id)
	if err == nil && u.Disabled != 0 {
		why, err = "the user is disabled", errWrong
	}
	if errors.Is(err, fettle.ErrDenied) {
		p.audit.Stranger(ctx, id.Name, "login.failed", id.Name, audit.Details{"reason": why, "source": id.Source})
		return "", Token{}, fmt.Errorf("%s may not sign in here: %w", id.Name, fettle.ErrDenied)
	}
	if err != nil {
		return "", Token{}, err
	}
	return p.enter(ctx, u)
}

// known gives the user that a directory names, and keeps what it says of the role and the groups. A user of another source is somebody else.
func (p *People) known(ctx context.Context, id Identity) (u store.User, why string, err error) {
	name := strings.ToLower(id.Name)
	if err := CheckUserName(name); err != nil {
		return u, err.Error(), errWrong
	}
	if id.Role.rank() == 0 {
		return u, "no group of theirs has a role here", errWrong
	}
	groups := slices.Compact(slices.Sorted(slices.Values(id.Groups)))
	for range 3 { // two logins at once may both find that there is no user yet
		u, err = p.users.User(ctx, name)
		switch {
		case errors.Is(err, fettle.ErrNotFound):
			u = store.User{Name: name, Source: id.Source, Created: fettle.MillisOf(p.keeper.now())}
		case err != nil:
			return u, "", err
		case u.Source != id.Source:
			return u, "the name is that of a user whose password is checked by " + u.Source, errWrong
		}
		if u.Rev != 0 && u.Role == string(id.Role) && slices.Equal(u.Groups, groups) {
			return u, "", nil
		}
		u.Role, u.Groups = string(id.Role), groups
		if u.Rev, err = p.users.SaveUser(ctx, u); !errors.Is(err, fettle.ErrConflict) {
			p.forget(name)
			return u, "", err
		}
	}
	return u, "", err
}

// enter begins a session of u. It is there before the user's row is written: whoever changes the password or disables the user meanwhile either
// finds it and ends it, or is seen here.
func (p *People) enter(ctx context.Context, u store.User) (secret string, t Token, err error) {
	if err := p.audit.Record(ctx, u.Name, "login", u.Name, audit.Details{"source": u.Source, "role": u.Role}); err != nil {
		return "", Token{}, err
	}
	secret, t, err = p.keeper.session(ctx, Person{Name: u.Name, Role: Role(u.Role), Account: u.Name})
	if err != nil {
		return "", Token{}, err
	}
	if err := p.seen(ctx, u); err != nil {
		return "", Token{}, errors.Join(err, p.keeper.Delete(context.WithoutCancel(ctx), t.ID))
	}
	return secret, t, nil
}

// seen notes that u has signed in: ErrDenied if the user has changed since the password was looked at.
func (p *People) seen(ctx context.Context, u store.User) error {
	now := u
	for range 5 {
		now.Seen = fettle.MillisOf(p.keeper.now())
		_, err := p.users.SaveUser(ctx, now)
		if !errors.Is(err, fettle.ErrConflict) {
			return err
		}
		if now, err = p.users.User(ctx, u.Name); err != nil {
			return p.missing(u.Name, err)
		}
		if now.Hash != u.Hash || now.Disabled != 0 || now.Source != u.Source {
			return errWrong
		}
	}
	return fmt.Errorf("%s signs in many times at once: %w", u.Name, fettle.ErrConflict)
}

// forget drops what is cached of a user's tokens.
func (p *People) forget(name string) {
	p.keeper.forget(func(t store.Token) bool { return t.Account == name })
}
