package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// fakePolicies keeps policies by name; the one called freeze forbids web1 to everybody.
type fakePolicies struct {
	mu    sync.Mutex
	kept  []server.Policy       // guarded by mu
	asked server.PolicyQuestion // guarded by mu
}

func (f *fakePolicies) Policies(context.Context) []server.Policy {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.kept)
}

func (f *fakePolicies) SavePolicy(_ context.Context, p server.Policy) (server.Policy, error) {
	if _, err := filter.Compile(filter.Policy, p.When); err != nil {
		return p, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p.Rev = int64(len(f.kept)) + 1
	f.kept = append(f.kept, p)
	return p, nil
}

func (f *fakePolicies) DeletePolicy(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.kept)
	f.kept = slices.DeleteFunc(f.kept, func(p server.Policy) bool { return p.Name == name })
	if len(f.kept) == before {
		return fmt.Errorf("there is no policy %s: %w", name, fettle.ErrNotFound)
	}
	return nil
}

func (f *fakePolicies) TestPolicies(_ context.Context, q server.PolicyQuestion) (server.PolicyAnswer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = q
	a := server.PolicyAnswer{Allowed: true}
	for _, p := range f.kept {
		a.Policies = append(a.Policies, server.PolicyTruth{Name: p.Name, Effect: p.Effect, Truth: "undefined", Missing: []string{"facts.env"}})
		a.Allowed, a.Reason = false, "policy "+p.Name+" denies it"
	}
	return a, nil
}

func (f *fakePolicies) Refusals(_ context.Context, _ server.RunRequest, nodes []fettle.NodeID) ([]fettle.Refusal, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.kept) == 0 || !slices.Contains(nodes, "web1.acme.net") {
		return nil, nil
	}
	return []fettle.Refusal{{Reason: "policy freeze denies it", Count: 1, Nodes: []fettle.NodeID{"web1.acme.net"}}}, nil
}

func TestPolicies(t *testing.T) {
	b := newBench(t, Config{})
	const freeze = `{"effect":"deny","actions":["agent.*"],"when":"facts.env == 'prod'"}`
	a := b.ask(auth.Admin, "PUT", "/api/v1/policies/freeze", freeze)
	if a.status != http.StatusOK || !strings.Contains(a.body, `"owner":"admin"`) || !strings.Contains(a.body, `"rev":1`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := b.get("/api/v1/policies"); !strings.Contains(got, `"name":"freeze"`) || !strings.Contains(got, `"when":"facts.env == 'prod'"`) {
		t.Error(got)
	}
	t.Run("a fault in the condition is told with its place", func(t *testing.T) {
		a := b.ask(auth.Admin, "PUT", "/api/v1/policies/bad", `{"actions":["*"],"when":"user.name == "}`)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `"line":1`) || !strings.Contains(a.body, "^") {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
	t.Run("a preview of an action counts what policies forbid", func(t *testing.T) {
		a := b.ask(auth.Viewer, "POST", "/api/v1/rosters", `{"all":true,"action":"agent.ping"}`)
		if a.status != http.StatusCreated || !strings.Contains(a.body, `"refused":[{"reason":"policy freeze denies it","count":1,"nodes":["web1.acme.net"]}]`) {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := b.ask(auth.Viewer, "POST", "/api/v1/rosters", `{"all":true}`); !strings.Contains(a.body, `"refused":[]`) {
			t.Error(a.body)
		}
	})
	t.Run("a test says what each policy is, for another or for who asks", func(t *testing.T) {
		a := b.ask(auth.Viewer, "POST", "/api/v1/policies/test", `{"action":"agent.ping","node":"web1.acme.net","user":"eve","role":"operator","groups":["dba"]}`)
		if a.status != http.StatusOK || !strings.Contains(a.body, `"truth":"undefined","missing":["facts.env"]`) {
			t.Errorf("%d %s", a.status, a.body)
		}
		if u := b.fleet.fakePolicies.asked.User; u.Name != "eve" || u.Role != "operator" || !slices.Equal(u.Groups, []string{"dba"}) {
			t.Errorf("asked for %+v", u)
		}
		b.ask(auth.Viewer, "POST", "/api/v1/policies/test", `{"action":"agent.ping","node":"web1.acme.net"}`)
		if u := b.fleet.fakePolicies.asked.User; u.Name != "viewer" || u.Role != "viewer" {
			t.Errorf("asked for %+v", u)
		}
	})
	if a := b.ask(auth.Admin, "DELETE", "/api/v1/policies/freeze", ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask(auth.Admin, "DELETE", "/api/v1/policies/freeze", ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
}
