package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"sync"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/store"
)

// Policy says who may have which actions run on which nodes.
//
// A policy holds for the actions that it names. One that denies keeps a task from every node for which it is true, or undefined. As soon as one
// allows some actions, these run only where one that allows them is true. Where no policy names an action, roles alone decide.
type Policy struct {
	Name        string        `json:"-"`
	Description string        `json:"description,omitempty"`
	Effect      PolicyEffect  `json:"effect"`
	Actions     []string      `json:"actions"` // patterns: service.restart, service.*, *
	When        fettle.Filter `json:"when"`    // in CEL over user, action, inputs and all that is known of the node
	Owner       string        `json:"-"`
	Updated     fettle.Millis `json:"-"`
	Rev         int64         `json:"-"`

	program *filter.Program
}

// PolicyEffect says what a policy does where it is true.
type PolicyEffect string

// The effects.
const (
	Allow PolicyEffect = "allow"
	Deny  PolicyEffect = "deny"
)

// Bounds of policies.
const (
	maxPolicies      = 500
	maxPolicyActions = 100
)

// policyBook is all policies, in memory.
type policyBook struct {
	change sync.Mutex // held by whoever saves or deletes
	mu     sync.RWMutex
	sorted []Policy // by name; replaced as a whole; guarded by mu
}

func (b *policyBook) all() []Policy {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.sorted
}

func (b *policyBook) put(p Policy) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(b.sorted), func(o Policy) bool { return o.Name == p.Name })
	list = append(list, p)
	slices.SortFunc(list, func(a, b Policy) int { return cmp.Compare(a.Name, b.Name) })
	b.sorted = list
}

func (b *policyBook) drop(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sorted = slices.DeleteFunc(slices.Clone(b.sorted), func(o Policy) bool { return o.Name == name })
}

// loadPolicies reads the policies from the store. One that this program does not understand stops the server: it would allow what is denied.
func (s *Server) loadPolicies(ctx context.Context) error {
	for after := ""; ; {
		page, err := s.Store.Policies(ctx, after, 0)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return nil
		}
		for _, row := range page {
			p := Policy{Name: row.Name, Owner: row.Owner, Updated: row.Updated, Rev: row.Rev}
			if err := json.Unmarshal(row.Body, &p); err != nil {
				return fmt.Errorf("policy %s: %w", row.Name, err)
			}
			if err := p.compile(); err != nil {
				return fmt.Errorf("policy %s: %w", row.Name, err)
			}
			s.policies.put(p)
		}
		after = page[len(page)-1].Name
	}
}

// compile checks a policy, and makes a program of its condition. ErrInvalid: it cannot be, as a *FilterError where the fault has a place in the text.
func (p *Policy) compile() (err error) {
	if err := filter.CheckName(p.Name); err != nil {
		return err
	}
	if p.Effect == "" {
		p.Effect = Allow
	}
	if p.Effect != Allow && p.Effect != Deny {
		return fmt.Errorf("effect %q is neither allow nor deny: %w", p.Effect, fettle.ErrInvalid)
	}
	if len(p.Description) > maxDescription {
		return fmt.Errorf("the description has %d bytes, and %d are allowed: %w", len(p.Description), maxDescription, fettle.ErrInvalid)
	}
	if len(p.Actions) == 0 || len(p.Actions) > maxPolicyActions {
		return fmt.Errorf("a policy names 1 to %d actions; for all of them \"*\": %w", maxPolicyActions, fettle.ErrInvalid)
	}
	for _, pattern := range p.Actions {
		if _, err := path.Match(pattern, ""); err != nil || pattern == "" {
			return fmt.Errorf("action %q is no pattern such as service.restart or service.*: %w", pattern, fettle.ErrInvalid)
		}
	}
	if names := filter.SavedNames(p.When); len(names) > 0 {
		return fmt.Errorf("@%s: a policy stands on no saved filter, which others may change; write it out: %w", names[0], fettle.ErrInvalid)
	}
	p.program, err = filter.Compile(filter.Policy, p.When)
	return err
}

// names tells whether the policy is about an action.
func (p *Policy) names(action string) bool {
	return slices.ContainsFunc(p.Actions, func(pattern string) bool { ok, err := path.Match(pattern, action); return ok && err == nil })
}

// Policies lists the policies, by name.
func (s *Server) Policies(context.Context) []Policy { return s.policies.all() }

// SavePolicy keeps a policy in the place of the one of that name; it holds for whatever is asked from now on. ErrInvalid: it cannot be.
func (s *Server) SavePolicy(ctx context.Context, p Policy) (Policy, error) {
	if err := p.compile(); err != nil {
		return p, err
	}
	body, err := json.Marshal(p)
	if err != nil {
		return p, fmt.Errorf("policy %s: %w", p.Name, err)
	}
	s.policies.change.Lock()
	defer s.policies.change.Unlock()
	all := s.policies.all()
	if len(all) >= maxPolicies && !slices.ContainsFunc(all, func(o Policy) bool { return o.Name == p.Name }) {
		return p, fmt.Errorf("there are %d policies, and no more are allowed: %w", len(all), fettle.ErrConflict)
	}
	p.Updated = fettle.MillisOf(s.Now())
	if p.Rev, err = s.Store.SavePolicy(ctx, store.Policy{Name: p.Name, Body: body, Owner: p.Owner, Updated: p.Updated}); err != nil {
		return p, err
	}
	s.policies.put(p)
	s.touchAll()
	return p, nil
}

// DeletePolicy takes a policy away. ErrNotFound: there is none.
func (s *Server) DeletePolicy(ctx context.Context, name string) error {
	s.policies.change.Lock()
	defer s.policies.change.Unlock()
	if err := s.Store.DeletePolicy(ctx, name); err != nil {
		if errors.Is(err, fettle.ErrNotFound) {
			err = fmt.Errorf("there is no policy %s: %w", name, fettle.ErrNotFound)
		}
		return err
	}
	s.policies.drop(name)
	s.touchAll()
	return nil
}

// Asker is who asks, as a policy sees it: user.name, user.role, user.groups.
type Asker struct {
	Name   string
	Role   string
	Groups []string

	Account string // the user behind it; empty: a token that is nobody's
	Token   string // id of the token by which they came; empty: there is none, or it is a session of Account
}

// or gives a, or somebody of whom the name alone is known.
func (a Asker) or(name string) Asker {
	if a.Name == "" {
		a.Name = name
	}
	return a
}

// vars gives what policies know beside the node.
func (q PolicyQuestion) vars() map[string]any {
	groups := make([]any, len(q.User.Groups))
	for i, g := range q.User.Groups {
		groups[i] = g
	}
	inputs := maps.Clone(q.Inputs)
	if inputs == nil {
		inputs = map[string]any{}
	}
	return map[string]any{
		"user": map[string]any{"name": q.User.Name, "role": q.User.Role, "groups": groups}, "action": q.Action, "inputs": inputs,
	}
}
