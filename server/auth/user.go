package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// User is a person who signs in by name.
type User struct {
	Name     string
	Role     Role
	Groups   []string // sorted
	Source   string   // where the password is checked: local, ldap, oidc
	Disabled bool
	Created  fettle.Millis
	Changed  fettle.Millis // the password; zero: it is kept elsewhere
	Seen     fettle.Millis // the last login; zero: never
}

// Bounds of what is kept of a user.
const (
	maxUserName  = 64 // bytes
	maxGroups    = 200
	maxGroupName = 256 // bytes
)

// CheckUserName tells whether somebody can be called name: ErrInvalid otherwise. Names have no capitals, so that none looks like another.
func CheckUserName(name string) error {
	odd := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-@", r)
	})
	if name == "" || len(name) > maxUserName || odd || strings.ContainsRune("._-@", rune(name[0])) {
		return fmt.Errorf("user %q: a name has 1 to %d small letters, digits and . _ - @, and begins with a letter or a digit: %w", name, maxUserName, fettle.ErrInvalid)
	}
	return nil
}

// checkGroups gives groups sorted, each once: ErrInvalid if one cannot be.
func checkGroups(groups []string) ([]string, error) {
	if len(groups) > maxGroups {
		return nil, fmt.Errorf("%d groups were given, and %d are allowed: %w", len(groups), maxGroups, fettle.ErrInvalid)
	}
	for _, g := range groups {
		if g == "" || len(g) > maxGroupName || strings.ContainsFunc(g, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
			return nil, fmt.Errorf("group %q: a name has 1 to %d bytes, and no control characters: %w", g, maxGroupName, fettle.ErrInvalid)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(groups))), nil
}

// NewUser asks for a user.
type NewUser struct {
	Name     string
	Role     Role
	Groups   []string
	Password string
}

// Add makes a local user. ErrInvalid: it cannot be; ErrConflict: there is one of that name.
func (p *People) Add(ctx context.Context, n NewUser) (User, error) {
	groups, err := checkGroups(n.Groups)
	if err != nil {
		return User{}, err
	}
	if err := CheckUserName(n.Name); err != nil {
		return User{}, err
	}
	if _, err := ParseRole(string(n.Role)); err != nil {
		return User{}, err
	}
	hash, err := p.hasher.hash(ctx, n.Password)
	if err != nil {
		return User{}, err
	}
	now := fettle.MillisOf(p.keeper.now())
	u := store.User{Name: n.Name, Hash: hash, Role: string(n.Role), Groups: groups, Source: SourceLocal, Created: now, Changed: now}
	if _, err := p.users.SaveUser(ctx, u); err != nil {
		if errors.Is(err, fettle.ErrConflict) {
			err = fmt.Errorf("there is a user %s already: %w", n.Name, fettle.ErrConflict)
		}
		return User{}, err
	}
	return userOf(u), nil
}

// Change says what is to be different of a user; what is nil stays.
type Change struct {
	Role     *Role
	Groups   *[]string
	Disabled *bool
}

// Alter changes a user. Who is disabled is signed out at once. ErrNotFound: there is none; ErrInvalid: it cannot be, also where a directory
// has the last word.
func (p *People) Alter(ctx context.Context, name string, c Change) (User, error) {
	u, err := p.update(ctx, name, func(u *store.User) error {
		if u.Source != SourceLocal && (c.Role != nil || c.Groups != nil) {
			return fmt.Errorf("role and groups of %s come from %s, and are changed there: %w", name, u.Source, fettle.ErrInvalid)
		}
		if c.Role != nil {
			if _, err := ParseRole(string(*c.Role)); err != nil {
				return err
			}
			u.Role = string(*c.Role)
		}
		if c.Groups != nil {
			groups, err := checkGroups(*c.Groups)
			if err != nil {
				return err
			}
			u.Groups = groups
		}
		switch {
		case c.Disabled == nil:
		case !*c.Disabled:
			u.Disabled = 0
		case u.Disabled == 0:
			u.Disabled = fettle.MillisOf(p.keeper.now())
		}
		return nil
	})
	if err == nil && u.Disabled {
		err = p.endSessions(ctx, name)
	}
	return u, err
}

// SetPassword gives a local user another password, and ends the user's sessions. ErrNotFound: there is none; ErrInvalid: the password cannot be.
func (p *People) SetPassword(ctx context.Context, name, password string) error {
	hash, err := p.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	_, err = p.update(ctx, name, func(u *store.User) error {
		if u.Source != SourceLocal {
			return fmt.Errorf("the password of %s is kept by %s, and is changed there: %w", name, u.Source, fettle.ErrInvalid)
		}
		u.Hash, u.Changed = hash, fettle.MillisOf(p.keeper.now())
		return nil
	})
	if err != nil {
		return err
	}
	return p.endSessions(ctx, name)
}

// HasPassword tells whether password is that of name: nil, or ErrDenied, or a *LimitError where it was guessed too often. It is for those who
// have signed in and change their own.
func (p *People) HasPassword(ctx context.Context, name, password string) error {
	if err := p.names.take(name); err != nil {
		return err
	}
	u, err := p.users.User(ctx, name)
	if err != nil {
		return p.missing(name, err)
	}
	right, _, err := p.hasher.verify(ctx, u.Hash, password)
	if err != nil {
		return err
	}
	if !right {
		return fmt.Errorf("the present password is wrong: %w", fettle.ErrDenied)
	}
	p.names.giveBack(name)
	return nil
}

// Remove takes a user away, with all tokens and sessions. ErrNotFound: there is none.
func (p *People) Remove(ctx context.Context, name string) error {
	if err := p.users.DeleteUser(ctx, name); err != nil {
		return p.missing(name, err)
	}
	p.forget(name)
	return nil
}

// List gives all users by name.
func (p *People) List(ctx context.Context) ([]User, error) {
	list := []User{}
	for after := ""; ; {
		page, err := p.users.Users(ctx, after, listPage)
		if err != nil {
			return nil, err
		}
		for _, u := range page {
			list, after = append(list, userOf(u)), u.Name
		}
		if len(page) < listPage {
			return list, nil
		}
	}
}

// User gives one user. ErrNotFound: there is none.
func (p *People) User(ctx context.Context, name string) (User, error) {
	u, err := p.users.User(ctx, name)
	if err != nil {
		return User{}, p.missing(name, err)
	}
	return userOf(u), nil
}

// update changes a user, again where another was faster.
func (p *People) update(ctx context.Context, name string, change func(*store.User) error) (User, error) {
	for try := 1; ; try++ {
		u, err := p.users.User(ctx, name)
		if err != nil {
			return User{}, p.missing(name, err)
		}
		if err := change(&u); err != nil {
			return User{}, err
		}
		_, err = p.users.SaveUser(ctx, u)
		if errors.Is(err, fettle.ErrConflict) && try < 3 {
			continue
		}
		p.forget(name)
		return userOf(u), err
	}
}

func (p *People) endSessions(ctx context.Context, name string) error {
	ctx = context.WithoutCancel(ctx)
	err := errors.Join(p.users.DeleteTokensOf(ctx, name, store.TokenSession), p.users.DeleteTokensOf(ctx, name, store.TokenLogin))
	p.forget(name)
	return err
}

// missing says in our words that there is no such user.
func (p *People) missing(name string, err error) error {
	if errors.Is(err, fettle.ErrNotFound) {
		return fmt.Errorf("there is no user %s: %w", name, fettle.ErrNotFound)
	}
	return err
}

func userOf(u store.User) User {
	return User{
		Name: u.Name, Role: Role(u.Role), Groups: u.Groups, Source: u.Source, Disabled: u.Disabled != 0, Created: u.Created, Changed: u.Changed, Seen: u.Seen,
	}
}
