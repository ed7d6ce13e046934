package auth

import (
	"context"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
)

// Role says what a person may do. Each role may do what the ones before it may.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // reads
	Operator Role = "operator" // runs actions and asks checks live
	Admin    Role = "admin"    // manages tokens
)

// roles is in rising order.
var roles = [...]Role{Viewer, Operator, Admin}

// rank is the place of r among the roles; zero: r is none of them.
func (r Role) rank() int {
	for i, role := range roles {
		if r == role {
			return i + 1
		}
	}
	return 0
}

// ParseRole checks that s is a role: ErrInvalid otherwise.
func ParseRole(s string) (Role, error) {
	if Role(s).rank() == 0 {
		return "", fmt.Errorf("role %q is none of viewer, operator and admin: %w", s, fettle.ErrInvalid)
	}
	return Role(s), nil
}

// May tells whether r may do what need is wanted for. A role that is none may nothing.
func (r Role) May(need Role) bool { return r.rank() > 0 && r.rank() >= need.rank() }

// Person is who asks.
type Person struct {
	Name    string
	Role    Role
	Groups  []string // of the user; nil: nobody's token
	Account string   // the user's name; empty: the token is nobody's
	TokenID string   // of the token or session by which they came
	Scopes  []string // what alone the token may be used for; nil: whatever the role may
	Session bool     // they came by a session
}

// Need is nil when p's role may do what need is wanted for, and ErrDenied with both roles otherwise.
func (p Person) Need(need Role) error {
	if p.Role.May(need) {
		return nil
	}
	return fmt.Errorf("%s is a %s, and this needs the role %s: %w", p.Name, p.Role, need, fettle.ErrDenied)
}

type personKey struct{}

// With gives a context that carries p.
func With(ctx context.Context, p Person) context.Context {
	return context.WithValue(ctx, personKey{}, p)
}

// From gives the person that ctx carries; the zero Person, which may nothing, where there is none.
func From(ctx context.Context) Person {
	p, _ := ctx.Value(personKey{}).(Person)
	return p
}
