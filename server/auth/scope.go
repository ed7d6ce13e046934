package auth

import (
	"fmt"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// A scope is what alone a token may be used for. One that has several may be used for any of them.
const (
	ScopeRead       = "read"       // whatever changes nothing
	ScopePrometheus = "prometheus" // /metrics, and targets for http_sd
	scopeCheck      = "check="     // the verdict of one check: check=check_load
	scopeOperation  = "operation=" // one operation of the OpenAPI document: operation=find-nodes
)

// maxScopes is how many scopes a token can have.
const maxScopes = 50

// ParseScopes checks scopes, and gives them sorted, each once: ErrInvalid if one is none.
func ParseScopes(scopes []string) ([]string, error) {
	if len(scopes) > maxScopes {
		return nil, fmt.Errorf("%d scopes were given, and %d are allowed: %w", len(scopes), maxScopes, fettle.ErrInvalid)
	}
	list := slices.Clone(scopes)
	slices.Sort(list)
	for _, s := range list {
		kind, name, named := strings.Cut(s, "=")
		switch {
		case s == ScopeRead, s == ScopePrometheus:
		case named && (kind+"=" == scopeCheck || kind+"=" == scopeOperation) && name != "" && len(name) <= maxName && !strings.ContainsAny(name, " \t\r\n\x00"):
		default:
			return nil, fmt.Errorf("scope %q is none of read, prometheus, check=NAME and operation=ID: %w", s, fettle.ErrInvalid)
		}
	}
	return slices.Compact(list), nil
}

// Use is what a token is used for.
type Use struct {
	Operation string // by its id in the OpenAPI document, or metrics
	Reads     bool   // it changes nothing, and asks nothing of nodes
	Check     string // whose verdict is asked; empty: none
	Figures   bool   // what Prometheus asks
}

// Allows is nil when p's token may be used for u, and ErrDenied otherwise.
func (p Person) Allows(u Use) error {
	if len(p.Scopes) == 0 {
		return nil
	}
	for _, s := range p.Scopes {
		switch {
		case s == ScopeRead && u.Reads, s == ScopePrometheus && u.Figures, s == scopeOperation+u.Operation, u.Check != "" && s == scopeCheck+u.Check:
			return nil
		}
	}
	return fmt.Errorf("the token of %s is for %s only: %w", p.Name, strings.Join(p.Scopes, ", "), fettle.ErrDenied)
}
