package server

import (
	"context"
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
)

// PolicyQuestion asks whether somebody may have an action run.
type PolicyQuestion struct {
	User   Asker
	Action string
	Inputs map[string]any // secret ones masked
	Node   fettle.NodeID  // of TestPolicies
}

// PolicyAnswer is what the policies say for one node.
type PolicyAnswer struct {
	Allowed  bool
	Reason   string // empty: no policy names the action, or one allows it
	Policies []PolicyTruth
}

// PolicyTruth is what one policy is for a node.
type PolicyTruth struct {
	Name    string
	Effect  PolicyEffect
	Truth   string   // true, false, undefined
	Missing []string // why it is undefined
}

// judge is the policies on one question, for any node. All nodes are judged at one moment.
type judge struct {
	s        *Server
	now      fettle.Millis
	vars     map[string]any
	policies []Policy                                                               // that name the action, by name
	fits     func(ctx context.Context, id fettle.NodeID, names filter.Names) string // why a node cannot do it; nil: every node can
}

// policyJudge picks the policies that are about a question.
func (s *Server) policyJudge(q PolicyQuestion) (*judge, error) {
	j := &judge{s: s, now: fettle.MillisOf(s.Now()), vars: q.vars(), fits: s.fits(q.Action, q.Inputs)}
	for _, p := range s.policies.all() {
		if p.program == nil {
			return nil, fmt.Errorf("policy %s is not compiled", p.Name)
		}
		if p.names(q.Action) {
			j.policies = append(j.policies, p)
		}
	}
	return j, nil
}

// reason tells why a node is not asked; empty: it is. When ctx ends first the answer is a reason, and the caller looks at ctx.
func (j *judge) reason(ctx context.Context, id fettle.NodeID) string {
	if len(j.policies) == 0 && j.fits == nil {
		return ""
	}
	reason := "the node is not known"
	j.s.Inventory.Look(id, j.now, func(names filter.Names) {
		if reason, _ = j.decide(ctx, names, false); reason == "" && j.fits != nil {
			reason = j.fits(ctx, id, names)
		}
	})
	return reason
}

// decide asks every policy in turn. With all set it goes on after the decision, for who wants to see all of them.
func (j *judge) decide(ctx context.Context, node filter.Names, all bool) (reason string, truths []PolicyTruth) {
	names := askedNames{node, j.vars}
	var allows []string
	allowed := false
	for _, p := range j.policies {
		if p.Effect == Allow && allowed && !all {
			continue
		}
		truth, missing := p.program.Match(ctx, names)
		if all {
			truths = append(truths, truthOf(p, truth, missing))
		}
		switch {
		case p.Effect == Allow:
			allows = append(allows, p.Name)
			allowed = allowed || truth == filter.True
		case truth == filter.True && reason == "":
			reason = "policy " + p.Name + " denies it"
		case truth == filter.Undefined && reason == "":
			reason = "policy " + p.Name + " denies what it cannot decide: " + why(missing)
		}
		if reason != "" && !all {
			return reason, nil
		}
	}
	if reason == "" && len(allows) > 0 && !allowed {
		reason = "no policy allows it: " + strings.Join(allows, ", ")
	}
	return reason, truths
}

// why gives the first reason for which a policy is undefined.
func why(missing []filter.Missing) string {
	if len(missing) == 0 {
		return "it is undefined"
	}
	if missing[0].Path != "" {
		return missing[0].Path + " is missing"
	}
	return missing[0].String()
}

func truthOf(p Policy, truth filter.Truth, missing []filter.Missing) PolicyTruth {
	out := PolicyTruth{Name: p.Name, Effect: p.Effect, Truth: truth.String()}
	for _, m := range missing {
		out.Missing = append(out.Missing, m.String())
	}
	return out
}

// askedNames is a node and what is asked of it.
type askedNames struct {
	filter.Names
	vars map[string]any
}

// Name gives the value of a name of the policies.
func (n askedNames) Name(name string) (any, bool) {
	if v, ok := n.vars[name]; ok {
		return v, true
	}
	return n.Names.Name(name)
}

// TestPolicies tells whether somebody might have an action run on a node, and what each policy says. ErrNotFound: there is no such node.
func (s *Server) TestPolicies(ctx context.Context, q PolicyQuestion) (PolicyAnswer, error) {
	j, err := s.policyJudge(q)
	if err != nil {
		return PolicyAnswer{}, err
	}
	var a PolicyAnswer
	found := s.Inventory.Look(q.Node, j.now, func(names filter.Names) { a.Reason, a.Policies = j.decide(ctx, names, true) })
	if !found {
		return a, fmt.Errorf("there is no node %s: %w", q.Node, fettle.ErrNotFound)
	}
	if err := ctx.Err(); err != nil {
		return a, fmt.Errorf("ask the policies: %w", err)
	}
	a.Allowed = a.Reason == ""
	return a, nil
}

// Refusals gives the nodes that a run would not ask because a policy forbids it, by reason. ErrNotFound: there is no such action; ErrInvalid: the
// inputs.
func (s *Server) Refusals(ctx context.Context, req RunRequest, nodes []fettle.NodeID) ([]fettle.Refusal, error) {
	inputs, _, err := s.checkInputs(req)
	if err != nil {
		return nil, err
	}
	j, err := s.policyJudge(PolicyQuestion{User: req.User.or(req.Caller), Action: req.Action, Inputs: inputs})
	if err != nil {
		return nil, err
	}
	refused := refusals{}
	for _, id := range nodes {
		if why := j.reason(ctx, id); why != "" {
			refused[why] = append(refused[why], id)
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("ask the policies: %w", err)
		}
	}
	return refused.list(), nil
}
