//go:build integration

package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Puppet itself compiles a catalogue with the function of the example.
func TestRealPuppet(t *testing.T) {
	program := os.Getenv("FETTLE_TEST_PUPPET")
	if program == "" {
		t.Fatal("FETTLE_TEST_PUPPET is not set: test/services/services.sh start puppet")
	}
	w := newTown(t)
	w.publish("web1", `{"role":"web","networking":{"ip":"192.0.2.1"}}`)
	w.publish("web2", `{"role":"web"}`)
	w.publish("db1", `{"role":"db"}`)
	apply := func(manifest string) (string, error) {
		dir := t.TempDir()
		cmd := exec.CommandContext(t.Context(), program, "apply", "--noop", "--color=false", "--confdir", dir, "--vardir", dir,
			"--modulepath", "../../examples/puppet", "-e", manifest)
		cmd.Env = append(os.Environ(), "FETTLE_CONTEXT="+w.context, "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := apply(`$n = fettle::nodes('facts.role == "web"') notice("nodes ${n}")
		$f = fettle::nodes('facts.role == "web"', ['networking.ip', 'facts.role + "!"']) notice("fields ${f}")
		$none = fettle::nodes('false') notice("none ${none}")`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"nodes [web1, web2]", "web1 => {", "networking.ip => 192.0.2.1", `web2 => {facts.role + "!" => web!}`, "none []"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	if out, err := apply(`notice(fettle::nodes('os.family == "Debian"'))`); err == nil || !strings.Contains(out, "fettle: undeclared") {
		t.Errorf("a wrong filter: %v\n%s", err, out)
	}
}
