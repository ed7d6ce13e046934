//go:build integration

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Ansible itself reads the inventory of the example, and runs nothing that a node wrote into a fact.
func TestRealAnsible(t *testing.T) {
	program := os.Getenv("FETTLE_TEST_ANSIBLE")
	if program == "" {
		t.Fatal("FETTLE_TEST_ANSIBLE is not set: test/services/services.sh start ansible")
	}
	owned := filepath.Join(t.TempDir(), "owned")
	w := newTown(t)
	w.publish("web1", webFacts)
	w.publish("evil1", fmt.Sprintf(`{"os":{"family":"Debian"},"note":"{{ lookup('pipe', 'touch %s') }}"}`, owned))
	w.publish("other1", `{"os":{"family":"RedHat"}}`)
	ansible := func(name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(program), name), append([]string{"-i", "../../examples/ansible/fettle.sh"}, args...)...)
		cmd.Env = append(os.Environ(), "FETTLE_CONTEXT="+w.context, "ANSIBLE_HOME="+t.TempDir(), "ANSIBLE_LOCALHOST_WARNING=False", "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
		return string(out)
	}
	graph := ansible("ansible-inventory", "--graph")
	for _, want := range []string{"@environment_production:\n  |  |--web1\n", "@os_family_Debian:\n  |  |--evil1\n  |  |--web1\n", "@os_family_RedHat:\n  |  |--other1\n"} {
		if !strings.Contains(graph, want) {
			t.Errorf("the graph lacks %q:\n%s", want, graph)
		}
	}
	said := ansible("ansible", "os_family_Debian", "-c", "local", "-m", "debug", "-a", "msg='{{ fettle.os.family }} {{ fettle.note | default(fettle.networking.ip) }} {{ fettle_liveness }}'")
	if !strings.Contains(said, `"msg": "Debian 10.0.0.1 alive"`) || !strings.Contains(said, `"msg": "Debian {{ lookup('pipe', 'touch `) {
		t.Errorf("said:\n%s", said)
	}
	ansible("ansible", "evil1", "-c", "local", "-m", "debug", "-a", "var=hostvars[inventory_hostname]")
	if _, err := os.Stat(owned); err == nil {
		t.Error("what a node wrote into a fact was run")
	}
}
