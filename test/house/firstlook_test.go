//go:build integration

package house

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFirstLook(t *testing.T) {
	p := dev(t, "--identity", "first.example.net")

	t.Run("a filter finds the machine", func(t *testing.T) {
		a := ask(t, p, "find", `facts.kernel == "Linux"`, "-o", "names").want(t, 0)
		if a.stdout != "first.example.net\n" {
			t.Errorf("got %q", a.stdout)
		}
	})
	t.Run("nobody matches", func(t *testing.T) {
		a := ask(t, p, "find", `facts.kernel == "Plan9"`).want(t, 4)
		if a.stdout != "" {
			t.Errorf("stdout: %q", a.stdout)
		}
	})
	t.Run("what is undefined is counted", func(t *testing.T) {
		type found struct {
			Matched, Undefined int
			UndefinedBy        map[string]int `json:"undefined_by"`
		}
		got := into[found](t, ask(t, p, "find", `facts.nosuch == 1`, "-o", "json").want(t, 4))
		if got.Matched != 0 || got.Undefined != 1 || got.UndefinedBy["facts.nosuch"] != 1 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("facts are counted", func(t *testing.T) {
		type values struct {
			Path   string
			Values []struct {
				Value any
				Count int
			}
		}
		got := into[values](t, ask(t, p, "facts", "kernel", "-o", "json").want(t, 0))
		if got.Path != "kernel" || len(got.Values) != 1 || got.Values[0].Value != "Linux" || got.Values[0].Count != 1 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a node is shown", func(t *testing.T) {
		type node struct {
			Identity, Liveness string
			Facts              map[string]any
		}
		got := into[node](t, ask(t, p, "show", "first.example.net", "-o", "json").want(t, 0))
		if got.Identity != "first.example.net" || got.Liveness != "alive" || got.Facts["kernel"] != "Linux" {
			t.Errorf("got %s %s %v", got.Identity, got.Liveness, got.Facts["kernel"])
		}
	})
	t.Run("a check has a verdict", func(t *testing.T) {
		a := ask(t, p, "check", "check_uptime")
		if a.code > 2 || !strings.HasPrefix(a.stdout, "check_uptime: OK: ") {
			t.Errorf("exit %d, %q", a.code, a.stdout)
		}
	})
	t.Run("a ping is answered", func(t *testing.T) {
		a := ask(t, p, "ping", "--all").want(t, 0)
		if !strings.Contains(a.stdout, "first.example.net") {
			t.Errorf("got %q", a.stdout)
		}
	})
	t.Run("it stops when asked", func(t *testing.T) {
		if took := p.stop(); p.err != nil {
			t.Errorf("it ended after %s with %v\n%s", took, p.err, p.log)
		}
	})
}

func TestNRPEConfigOfANode(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "nrpe.cfg")
	text := "command[check_hello]=/bin/echo 'HELLO OK - all is well|a=1;2;3'\ncommand[check_broken]=/bin/sh -c 'echo BROKEN; exit 2'\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := dev(t, "--identity", "n1", "--nrpe-config", config)

	type verdict struct {
		Check, Status string
		Tally         struct{ Total, OK, Warning, Critical, Unknown int }
		Nodes         map[string][]string
	}
	t.Run("a command that is well", func(t *testing.T) {
		v := into[verdict](t, ask(t, p, "check", "check_hello", "-o", "json").want(t, 0))
		if v.Status != "ok" || v.Tally.Total != 1 || v.Tally.OK != 1 {
			t.Errorf("got %+v", v)
		}
	})
	t.Run("a command that is not", func(t *testing.T) {
		v := into[verdict](t, ask(t, p, "check", "check_broken", "-o", "json").want(t, 2))
		if v.Status != "critical" || len(v.Nodes["critical"]) != 1 {
			t.Errorf("got %+v", v)
		}
	})
	t.Run("a command that nobody has", func(t *testing.T) {
		a := ask(t, p, "check", "check_nothing")
		if a.code != 3 || !strings.Contains(a.stdout, "unknown check") {
			t.Errorf("exit %d, %q %q", a.code, a.stdout, a.stderr)
		}
	})
	t.Run("the plugin says it as Nagios wants it", func(t *testing.T) {
		env := []string{"FETTLE_CONTEXT=" + p.ready["context"]}
		a := command(t, env, pluginBin, "--check", "check_broken").want(t, 2)
		if !strings.HasPrefix(a.stdout, "check_broken: OK: 0 WARNING: 0 CRITICAL: 1 UNKNOWN: 0|total=1 ok=0 warn=0 crit=1 unknown=0 checktime=") ||
			!strings.Contains(a.stdout, "\nCRITICAL:\n") || !strings.Contains(a.stdout, "n1") {
			t.Errorf("got %q", a.stdout)
		}
		command(t, env, pluginBin, "--check", "check_hello").want(t, 0)
	})
	t.Run("a server that is away is unknown", func(t *testing.T) {
		a := command(t, nil, pluginBin, "--check", "check_hello", "--url", "http://127.0.0.1:1", "--token", "x", "--timeout", "2s").want(t, 3)
		if !strings.HasPrefix(a.stdout, "check_hello: UNKNOWN") || a.stderr != "" {
			t.Errorf("stdout %q, stderr %q", a.stdout, a.stderr)
		}
	})
	t.Run("a command line that is wrong is unknown", func(t *testing.T) {
		a := command(t, nil, pluginBin, "--nonsense").want(t, 3)
		if !strings.Contains(a.stdout, "UNKNOWN") {
			t.Errorf("stdout %q", a.stdout)
		}
	})
}
