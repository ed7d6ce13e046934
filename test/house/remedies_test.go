//go:build integration

package house

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// remedied is what `fettle remedies -o json` prints, as far as it is looked at.
type remedied struct {
	Remedies []struct {
		ID                         int64
		Phase, Reason, Run, Action string
	}
	Paused []struct{ Check, By, Reason string }
}

// TestARemedyMendsANode has a real agent's check fail, and the action that its definition names mend it: once for each time, across a kill, not while
// a silence holds, and not more often than its limits allow.
func TestARemedyMendsANode(t *testing.T) {
	dir, state := t.TempDir(), t.TempDir()
	broken, done := filepath.Join(dir, "broken"), filepath.Join(dir, "done")
	script := write(t, 0o755, dir, "check.sh", "#!/bin/sh\nif [ -e "+broken+" ]; then echo it is broken; exit 2; fi\necho it is whole\n")
	nrpe := write(t, 0o644, dir, "nrpe.cfg", "command[whole]="+script+"\n")
	check := write(t, 0o644, dir, "whole.yaml", `
name: whole
nrpe: whole
interval: 1s
timeout: 10s
freshness: 1m
flap: {off: true}
on_change:
  action: shell.run
  inputs:
    command: echo "$WHY" >> `+done+`; rm -f `+broken+`
    env: ["WHY={{state.check}} on {{identity}} was {{state.from}} and said {{state.output}}"]
  cooldown: 1s
  per_hour: 4
`)
	begin := func() *process {
		return start(t, "dev", "--state", state, "--http", "127.0.0.1:0", "--stomp", "127.0.0.1:0", "--identity", "web1.acme.net", "--nrpe-config", nrpe, "--beat-interval", "1s")
	}
	server := begin()
	ask(t, server, "checks", "apply", "-f", check).want(t, 0)
	whole := func() {
		t.Helper()
		eventually(t, "the check is ok", func() bool { return ask(t, server, "check", "whole").code == 0 })
	}
	whole()
	snap := func() { t.Helper(); write(t, 0o644, dir, "broken", "") }
	last := func(what string, n int, phase, reason string) {
		t.Helper()
		var list remedied
		ok := within(patience, func() bool {
			a := ask(t, server, "remedies", "--check", "whole", "-o", "json")
			return a.code == 0 && json.Unmarshal([]byte(a.stdout), &list) == nil && len(list.Remedies) == n && list.Remedies[0].Phase == phase && list.Remedies[0].Reason == reason
		})
		if !ok {
			t.Fatalf("%s: %+v; want %d, the last %s (%s)\n%s", what, list, n, phase, reason, server.log)
		}
	}
	runs := func(want int) {
		t.Helper()
		raw, err := os.ReadFile(done)
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Split(strings.TrimSpace(string(raw)), "\n"); len(lines) != want || lines[0] != "whole on web1.acme.net was ok and said it is broken" {
			t.Fatalf("it was run %d times, want %d: %q", len(lines), want, lines)
		}
	}

	snap()
	last("it is mended", 1, "mended", "")
	whole()
	runs(1)
	if past := ask(t, server, "checks", "history", "whole").want(t, 0); !strings.Contains(past.stdout, "mended (1)") {
		t.Errorf("the history does not tell of it:\n%s", past.stdout)
	}
	if one := ask(t, server, "remedies", "show", "1").want(t, 0); !strings.Contains(one.stdout, "action   shell.run") {
		t.Errorf("what is shown of it:\n%s", one.stdout)
	}
	if run := ask(t, server, "runs", "show", "last").want(t, 0); !strings.Contains(run.stdout, "remedy   of whole") {
		t.Errorf("the run does not say whose remedy it is:\n%s", run.stdout)
	}

	ask(t, server, "silence", "add", "--all", "--for", "1h", "--reason", "works").want(t, 0)
	snap()
	last("it is silenced", 2, "skipped", "silenced")
	runs(1)
	silences := ask(t, server, "silence", "list", "-o", "names").want(t, 0)
	ask(t, server, "silence", "end", strings.TrimSpace(silences.stdout)).want(t, 0)

	ask(t, server, "remedies", "pause", "--reason", "a test").want(t, 0)
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	whole()
	snap()
	last("it is paused", 3, "skipped", "paused")
	ask(t, server, "remedies", "pause", "--reason", "again").want(t, 1)
	ask(t, server, "remedies", "resume").want(t, 0)
	runs(1)

	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	whole()
	snap() // and the server is killed as soon as it knows of it
	eventually(t, "the change is known", func() bool {
		past := ask(t, server, "checks", "history", "whole", "-o", "jsonl").stdout
		first, _, _ := strings.Cut(past, "\n")
		return strings.Contains(first, `"to":"critical"`)
	})
	server.kill()
	server = begin()
	eventually(t, "it is mended, or whoever killed it has to", func() bool {
		var list remedied
		a := ask(t, server, "remedies", "-o", "json")
		return json.Unmarshal([]byte(a.stdout), &list) == nil && len(list.Remedies) == 4 && list.Remedies[0].Phase != "waiting" && list.Remedies[0].Phase != "running"
	})
	raw, err := os.ReadFile(done)
	if n := strings.Count(string(raw), "\n"); err != nil || n > 2 {
		t.Fatalf("one change had %d runs, %v", n-1, err)
	}
}
