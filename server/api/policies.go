package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// PolicyBody is what a policy says.
type PolicyBody struct {
	Description string   `json:"description,omitempty" maxLength:"1000"`
	Effect      string   `json:"effect,omitempty" enum:"allow,deny" default:"allow" doc:"deny: nodes for which it is true, or undefined, are not asked; allow: the actions that it names run only where one that allows them is true"`
	Actions     []string `json:"actions" minItems:"1" maxItems:"100" doc:"Patterns of actions" example:"[\"service.*\"]"`
	When        string   `json:"when" minLength:"1" doc:"In CEL over user (name, role, groups), action, inputs, and all that a filter knows of a node" example:"'release' in user.groups && facts.env != 'prod'"`
}

// PolicyInfo is a policy.
type PolicyInfo struct {
	Name string `json:"name"`
	PolicyBody
	Owner   string    `json:"owner" doc:"Who wrote it last"`
	Updated time.Time `json:"updated"`
	Rev     int64     `json:"rev"`
}

// PolicyList is all policies, by name.
type PolicyList struct {
	Policies []PolicyInfo `json:"policies"`
}

// PolicyTest asks what the policies would say.
type PolicyTest struct {
	User   string         `json:"user,omitempty" doc:"Left out: who asks"`
	Role   string         `json:"role,omitempty" enum:"viewer,operator,admin" doc:"Left out: that of the user"`
	Groups *[]string      `json:"groups,omitempty" doc:"Left out: those of the user"`
	Action string         `json:"action" minLength:"1" example:"agent.ping"`
	Inputs map[string]any `json:"inputs,omitempty"`
	Node   string         `json:"node" minLength:"1" maxLength:"253"`
}

// PolicyTruth is what one policy is for the node.
type PolicyTruth struct {
	Name    string   `json:"name"`
	Effect  string   `json:"effect" enum:"allow,deny"`
	Truth   string   `json:"truth" enum:"true,false,undefined"`
	Missing []string `json:"missing" doc:"Why it is undefined"`
}

// PolicyVerdict is what the policies would say.
type PolicyVerdict struct {
	Allowed  bool          `json:"allowed"`
	Reason   string        `json:"reason" doc:"Why it is not; empty: it is"`
	Policies []PolicyTruth `json:"policies" doc:"Those that name the action, by name"`
}

// OnePolicy is the path of one policy.
type OnePolicy struct {
	Name string `path:"name" maxLength:"64" doc:"Letters, digits, and _ - . within" example:"release"`
}

func (a *rest) policyRoutes() {
	handle(a, route{id: "list-policies", method: http.MethodGet, path: "/policies", tag: "policies", need: auth.Viewer, summary: "List policies", text: "By name."}, a.listPolicies)
	handle(a, route{
		id: "save-policy", method: http.MethodPut, path: "/policies/{name}", tag: "policies", need: auth.Admin,
		summary: "Save a policy", text: "In the place of the one of that name. It holds for every run that starts from now on, administrators' too.",
	}, a.savePolicy)
	handle(a, route{
		id: "delete-policy", method: http.MethodDelete, path: "/policies/{name}", tag: "policies", need: auth.Admin, status: http.StatusNoContent,
		summary: "Delete a policy", text: "What it denied is allowed, and what it alone allowed is denied as long as another names the action.",
	}, a.deletePolicy)
	handle(a, route{
		id: "test-policies", method: http.MethodPost, path: "/policies/test", tag: "policies", need: auth.Viewer, reads: true,
		summary: "Test the policies", text: "What each says of a user, an action and a node. Nothing is run.",
	}, a.testPolicies)
}

func policyInfo(p server.Policy) PolicyInfo {
	return PolicyInfo{
		Name: p.Name, Owner: p.Owner, Updated: p.Updated.Time(), Rev: p.Rev,
		PolicyBody: PolicyBody{Description: p.Description, Effect: string(p.Effect), Actions: p.Actions, When: string(p.When)},
	}
}

func (a *rest) listPolicies(ctx context.Context, _ *struct{}) (*output[PolicyList], error) {
	found := a.fleet.Policies(ctx)
	list := PolicyList{Policies: make([]PolicyInfo, len(found))}
	for i, p := range found {
		list.Policies[i] = policyInfo(p)
	}
	return &output[PolicyList]{list}, nil
}

func (a *rest) savePolicy(ctx context.Context, in *struct {
	OnePolicy
	Body PolicyBody
},
) (*output[PolicyInfo], error) {
	tell(ctx, in.Name, audit.Details{"effect": in.Body.Effect, "actions": in.Body.Actions, "when": in.Body.When})
	p, err := a.fleet.SavePolicy(ctx, server.Policy{
		Name: in.Name, Description: in.Body.Description, Effect: server.PolicyEffect(in.Body.Effect), Actions: in.Body.Actions,
		When: fettle.Filter(in.Body.When), Owner: auth.From(ctx).Name,
	})
	if err != nil {
		return nil, err
	}
	return &output[PolicyInfo]{policyInfo(p)}, nil
}

func (a *rest) deletePolicy(ctx context.Context, in *OnePolicy) (*struct{}, error) {
	return nil, a.fleet.DeletePolicy(ctx, in.Name)
}

func (a *rest) testPolicies(ctx context.Context, in *struct{ Body PolicyTest }) (*output[PolicyVerdict], error) {
	user, err := a.asked(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	id, err := fettle.ParseNodeID(in.Body.Node)
	if err != nil {
		return nil, err
	}
	found, err := a.fleet.TestPolicies(ctx, server.PolicyQuestion{User: user, Action: in.Body.Action, Inputs: in.Body.Inputs, Node: id})
	if err != nil {
		return nil, err
	}
	v := PolicyVerdict{Allowed: found.Allowed, Reason: found.Reason, Policies: make([]PolicyTruth, len(found.Policies))}
	for i, p := range found.Policies {
		v.Policies[i] = PolicyTruth{Name: p.Name, Effect: string(p.Effect), Truth: p.Truth, Missing: orNone(p.Missing)}
	}
	return &output[PolicyVerdict]{v}, nil
}

// asked gives whom a test is about. Who is not known has the role and the groups that the test says, and no others.
func (a *rest) asked(ctx context.Context, t PolicyTest) (server.Asker, error) {
	user := asker(ctx)
	if t.User != "" && t.User != user.Name {
		user = server.Asker{Name: t.User}
		if a.cfg.People != nil {
			u, err := a.cfg.People.User(ctx, t.User)
			if err != nil && (!errors.Is(err, fettle.ErrNotFound) || t.Role == "" && t.Groups == nil) {
				return user, err // a name with a slip in it is not to hear that it may
			}
			user.Role, user.Groups = string(u.Role), u.Groups
		}
	}
	if t.Role != "" {
		user.Role = t.Role
	}
	if t.Groups != nil {
		user.Groups = *t.Groups
	}
	return user, nil
}

// asker gives who asks, as policies know them.
func asker(ctx context.Context) server.Asker {
	p := auth.From(ctx)
	user := server.Asker{Name: p.Name, Role: string(p.Role), Groups: p.Groups, Account: p.Account, Token: p.TokenID}
	if p.Session && p.Account != "" {
		user.Token = "" // a session ends, and its user stays
	}
	return user
}
