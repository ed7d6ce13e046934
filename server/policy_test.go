package server

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
)

// policed is a fleet of web1 in production, web2 in staging and odd, of which nobody knows the environment.
func policed(t *testing.T) *fleet {
	t.Helper()
	f := newFleet(t, DefaultConfig())
	f.join("web1", `{"env":"prod"}`)
	f.join("web2", `{"env":"staging"}`)
	f.join("odd", `{"role":"web"}`)
	return f
}

func (f *fleet) policy(name string, effect PolicyEffect, actions string, when fettle.Filter) {
	f.t.Helper()
	if _, err := f.SavePolicy(f.t.Context(), Policy{Name: name, Effect: effect, Actions: strings.Fields(actions), When: when, Owner: "root"}); err != nil {
		f.t.Fatal(err)
	}
}

// forbidden runs agent.ping everywhere as user, and gives which nodes were not asked and why.
func (f *fleet) forbidden(user Asker) map[string][]fettle.NodeID {
	f.t.Helper()
	run, err := f.StartRun(f.t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Minute, Caller: user.Name, User: user})
	if err != nil {
		f.t.Fatal(err)
	}
	out, never := map[string][]fettle.NodeID{}, 0
	for _, r := range run.Refused {
		out[r.Reason] = r.Nodes
		never += r.Count
		for _, node := range r.Nodes {
			if slices.ContainsFunc(f.tasks(node), func(task fettle.Task) bool { return task.Run == run.ID }) {
				f.t.Errorf("%s was asked, though %s", node, r.Reason)
			}
		}
	}
	if run.Tally.Never != never || run.Tally.Roster != 3 {
		f.t.Errorf("the tally is %+v, and %d were refused", run.Tally, never)
	}
	return out
}

func TestPolicies(t *testing.T) {
	ann, bob := Asker{Name: "ann", Role: "operator", Groups: []string{"release"}}, Asker{Name: "bob", Role: "admin"}
	release := fettle.Filter(`"release" in user.groups && facts.env != "prod"`)
	for _, row := range []struct {
		promise string
		give    func(f *fleet)
		user    Asker
		want    map[string][]fettle.NodeID
	}{
		{"without a policy roles alone decide", func(*fleet) {}, bob, map[string][]fettle.NodeID{}},
		{"a policy on another action is none", func(f *fleet) { f.policy("release", Allow, "service.*", release) }, bob, map[string][]fettle.NodeID{}},
		{
			"what one allows runs where it is true, and undefined is not true", func(f *fleet) { f.policy("release", Allow, "agent.ping", release) }, ann,
			map[string][]fettle.NodeID{"no policy allows it: release": {"odd", "web1"}},
		},
		{
			"it allows nobody else, administrators neither", func(f *fleet) { f.policy("release", Allow, "agent.*", release) }, bob,
			map[string][]fettle.NodeID{"no policy allows it: release": {"odd", "web1", "web2"}},
		},
		{"one of several that allow is enough", func(f *fleet) {
			f.policy("release", Allow, "agent.ping", release)
			f.policy("admins", Allow, "*", `user.role == "admin"`)
		}, bob, map[string][]fettle.NodeID{}},
		{"one that denies has the last word, and denies what it cannot decide", func(f *fleet) {
			f.policy("all", Allow, "*", "true")
			f.policy("freeze", Deny, "*", `facts.env == "prod"`)
		}, bob, map[string][]fettle.NodeID{"policy freeze denies it": {"web1"}, "policy freeze denies what it cannot decide: facts.env is missing": {"odd"}}},
		{"inputs, the action and the node are seen", func(f *fleet) {
			f.policy("all", Deny, "*", `action == "agent.ping" && size(inputs) == 0 && identity == "web2" && liveness == "alive" && user.name == "bob"`)
		}, bob, map[string][]fettle.NodeID{"policy all denies it": {"web2"}}},
	} {
		t.Run(row.promise, func(t *testing.T) {
			f := policed(t)
			row.give(f)
			if d := cmp.Diff(row.want, f.forbidden(row.user)); d != "" {
				t.Errorf("want -, got +\n%s", d)
			}
		})
	}
}

func TestPolicyIsKept(t *testing.T) {
	f := policed(t)
	f.policy("freeze", Deny, "*", `facts.env == "prod"`)
	f.policy("freeze", Deny, "agent.ping", `facts.env == "prod"`)
	f.policy("gone", Deny, "*", "true")
	if err := f.DeletePolicy(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if err := f.DeletePolicy(t.Context(), "gone"); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	f.stop()
	f = openFleet(t, DefaultConfig(), f.dsn, f.clock)
	all := f.Policies(t.Context())
	if len(all) != 1 || all[0].Name != "freeze" || all[0].Rev != 2 || all[0].Owner != "root" || !slices.Equal(all[0].Actions, []string{"agent.ping"}) {
		t.Fatalf("kept is %+v", all)
	}
	want := map[string][]fettle.NodeID{"policy freeze denies it": {"web1"}, "policy freeze denies what it cannot decide: facts.env is missing": {"odd"}}
	if d := cmp.Diff(want, f.forbidden(Asker{Name: "bob"})); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
}

func TestPolicyFaults(t *testing.T) {
	f := newFleet(t, DefaultConfig())
	f.save("web", "classes.exists(c, c == 'nginx')")
	for why, p := range map[string]Policy{
		"no name":             {Actions: []string{"*"}, When: "true"},
		"another effect":      {Name: "p", Effect: "maybe", Actions: []string{"*"}, When: "true"},
		"no action":           {Name: "p", When: "true"},
		"no pattern":          {Name: "p", Actions: []string{"service.["}, When: "true"},
		"no condition":        {Name: "p", Actions: []string{"*"}},
		"not CEL":             {Name: "p", Actions: []string{"*"}, When: "user.name =="},
		"an unknown name":     {Name: "p", Actions: []string{"*"}, When: "users.name == 'ann'"},
		"neither true or not": {Name: "p", Actions: []string{"*"}, When: "'ann'"},
		"a saved filter":      {Name: "p", Actions: []string{"*"}, When: "@web"},
		"no end of cost":      {Name: "p", Actions: []string{"*"}, When: "[1,2,3].all(a, [1,2,3].all(b, [1,2,3].all(c, [1,2,3].all(d, true))))"},
	} {
		if _, err := f.SavePolicy(t.Context(), p); !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%s: %v", why, err)
		}
	}
	_, err := f.SavePolicy(t.Context(), Policy{Name: "p", Actions: []string{"*"}, When: "user.name =="})
	if err == nil || !strings.Contains(err.Error(), "^") {
		t.Errorf("a fault has no caret: %v", err)
	}
	if len(f.Policies(t.Context())) != 0 {
		t.Error("a policy with a fault was kept")
	}
}

func TestPolicyTest(t *testing.T) {
	f := policed(t)
	f.policy("freeze", Deny, "*", `facts.env == "prod"`)
	f.policy("release", Allow, "agent.ping", `"release" in user.groups`)
	got, err := f.TestPolicies(t.Context(), PolicyQuestion{User: Asker{Name: "ann"}, Action: "agent.ping", Node: "odd"})
	if err != nil {
		t.Fatal(err)
	}
	want := PolicyAnswer{
		Reason: "policy freeze denies what it cannot decide: facts.env is missing",
		Policies: []PolicyTruth{
			{Name: "freeze", Effect: Deny, Truth: "undefined", Missing: []string{"facts.env"}}, {Name: "release", Effect: Allow, Truth: "false"},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("want -, got +\n%s", d)
	}
	if _, err := f.TestPolicies(t.Context(), PolicyQuestion{Action: "agent.ping", Node: "nobody"}); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	refused, err := f.Refusals(t.Context(), RunRequest{Action: "agent.ping", User: Asker{Name: "ann", Groups: []string{"release"}}}, []fettle.NodeID{"web1", "web2"})
	if err != nil || len(refused) != 1 || refused[0].Count != 1 || refused[0].Nodes[0] != "web1" {
		t.Errorf("a preview says %+v, %v", refused, err)
	}
}

func TestRunIsPutDown(t *testing.T) {
	f := policed(t)
	log, err := audit.Open(filepath.Join(t.TempDir(), "audit.log"), f.Store, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	f.Audit = log
	f.policy("freeze", Deny, "*", `facts.env == "prod"`)
	run, err := f.StartRun(t.Context(), RunRequest{Action: "agent.ping", Selection: Selection{Where: `has(facts.env)`}, Timeout: time.Minute, Caller: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.CancelRun(t.Context(), run.ID, "bob"); err != nil {
		t.Fatal(err)
	}
	entries, err := log.Entries(t.Context(), audit.Query{Action: "run"})
	if err != nil || len(entries) != 2 || entries[0].Action != "run.cancel" || entries[0].Caller != "bob" {
		t.Fatalf("put down is %+v, %v", entries, err)
	}
	want := `{"action":"agent.ping","filter":"has(facts.env)","inputs":{},"refused":{"policy freeze denies it":1},"roster":2,"undefined":0}`
	if e := entries[1]; e.Action != "run.start" || e.Caller != "ann" || e.Subject != string(run.ID) || string(e.Details) != want {
		t.Errorf("got %+v %s", e, e.Details)
	}
}
