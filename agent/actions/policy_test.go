package actions

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

const somePolicy = `
# what may be done here
default: allow
rules:
  - name: administrators
    allow: user.name in ["root", "anna"] && identity == "web1.acme.net"
  - name: no-shell-in-production
    deny: action.startsWith("shell.") && facts.environment == "production"
  - name: only-small-things
    deny: action == "file.push" && size(inputs.content) > 10
  - name: rack-is-known
    deny: action == "agent.restart" && facts.rack == "r1"
`

func policyTable(t *testing.T, text string) (table *Table, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := OpenPolicy(path, false, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	table, err = New(Config{Node: "web1.acme.net", Policy: p, Known: func() Known { return Known{Facts: []byte(`{"environment":"production"}`)} }})
	if err != nil {
		t.Fatal(err)
	}
	return table, path
}

func TestPolicyHasTheLastWord(t *testing.T) {
	table, path := policyTable(t, somePolicy)
	do := func(caller, action string, inputs map[string]any) Outcome {
		return table.Do(t.Context(), Call{Action: action, Inputs: inputs, Caller: caller})
	}
	shell := map[string]any{"command": "echo hello"}
	want(t, do("berta", "agent.ping", nil), fettle.StatusOK, "OK")
	want(t, do("berta", "shell.run", shell), fettle.StatusRefused, "the node's policy forbids it: rule no-shell-in-production")
	want(t, do("anna", "shell.run", shell), fettle.StatusOK, "hello")
	want(t, do("berta", "shell.run", nil), fettle.StatusMissingInput, "shell.run: input command is missing")
	want(t, do("berta", "file.push", map[string]any{"path": path + ".x", "content": "more than ten"}), fettle.StatusRefused, "the node's policy forbids it: rule only-small-things")
	want(t, do("berta", "agent.restart", nil), fettle.StatusRefused, "the node's policy forbids it: rule rack-is-known is undefined: facts.rack")

	if err := os.WriteFile(path, []byte("default: deny\nrules:\n- {name: ping, allow: action == 'agent.ping'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, do("anna", "agent.ping", nil), fettle.StatusOK, "OK")
	want(t, do("anna", "shell.run", shell), fettle.StatusRefused, "the node's policy forbids it: no rule allows it")
	if err := os.WriteFile(path, []byte("default: allow\nrules: [{name: x}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, do("anna", "agent.ping", nil), fettle.StatusRefused, "the node's policy cannot be read: policy "+path+": rule x needs either allow or deny")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want(t, do("anna", "agent.ping", nil), fettle.StatusRefused, "the node's policy cannot be read: policy "+path+": there is no")
}

func TestPolicyThatNeedNotBeThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	p, err := OpenPolicy(path, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	none := func() Known { return Known{} }
	if err := p.allows(t.Context(), Call{Action: "a.b"}, "n", none); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("default: deny"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.allows(t.Context(), Call{Action: "a.b"}, "n", none); !errors.Is(err, fettle.ErrDenied) {
		t.Errorf("it is there now: %v", err)
	}
	if _, err := OpenPolicy(path+"x", false, slog.New(slog.DiscardHandler)); !errors.Is(err, fettle.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestPolicyFaults(t *testing.T) {
	for text, faults := range map[string][]string{
		"":                         {"default has to be allow or deny"},
		"default: maybe":           {"default has to be allow or deny"},
		"default: allow\nrule: []": {`unknown field "rule"`},
		"default: allow\nrules: {": {"invalid"},
		"default: [allow":          {"invalid"},
		"default: deny\nrules: [{allow: 'true'}, {name: a, allow: 'true', deny: 'false'}, {name: b}, {name: b, deny: 'liveness == \"alive\"'}, {name: c, deny: 'actoin == \"a\"'}]": {
			"rule 1 has no name", "rule a needs either", "rule b needs either", "rule b is there twice", "known to the server only", `undeclared name "actoin"`,
		},
	} {
		_, _, err := parsePolicy([]byte(text))
		if !errors.Is(err, fettle.ErrInvalid) {
			t.Errorf("%q: %v", text, err)
			continue
		}
		for _, fault := range faults {
			if !strings.Contains(err.Error(), fault) {
				t.Errorf("%q: %q is missing in: %v", text, fault, err)
			}
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(somePolicy)
	f.Add("default: deny\nrules: [{name: &a x, allow: 'true'}, *a]")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		rules, _, err := parsePolicy([]byte(text))
		for _, r := range rules {
			if err == nil && (r.program == nil || r.name == "") {
				t.Errorf("rule %+v", r)
			}
		}
	})
}

func TestPolicyOfTheExample(t *testing.T) {
	raw, err := os.ReadFile("../../examples/policy/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	table, _ := policyTable(t, string(raw))
	for _, tt := range []struct {
		caller, action string
		inputs         map[string]any
		refused        string
	}{
		{"", "nrpe.check", map[string]any{"command": "check_uptime"}, ""},
		{"anna", "shell.run", map[string]any{"command": "true"}, ""},
		{"carl", "shell.run", map[string]any{"command": "true"}, "no-shell-in-production"},
		{"carl", "file.push", map[string]any{"path": "/etc/passwd", "content": ""}, "only-our-files"},
		{"carl", "service.stop", map[string]any{"name": "mysql"}, "databases-are-not-restarted"},
		{"carl", "agent.ping", nil, ""},
	} {
		out := table.Do(t.Context(), Call{Action: tt.action, Inputs: tt.inputs, Caller: tt.caller})
		if tt.refused == "" && out.Status != fettle.StatusOK || tt.refused != "" && !strings.HasSuffix(out.Message, "rule "+tt.refused) {
			t.Errorf("%s of %q: %v %s", tt.action, tt.caller, out.Status, out.Message)
		}
	}
}
