//go:build integration

package house

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// verdictItem is a verdict as REST shows it.
type verdictItem struct {
	Status string
	Tally  struct{ Total, OK, Warning, Critical, Unknown, Silent, Stale int }
}

// verdict gives the verdict of a check; ok is false where there is none.
func (p *place) verdict(check string) (v verdictItem, ok bool) {
	_, err := p.call(http.MethodGet, "/verdicts/"+check, nil, &v)
	return v, err == nil
}

// change is a change of a check's state, as REST shows it.
type change struct {
	From, To, Output string
	Hard             bool
}

// changes gives those of a check on one node, the oldest first.
func (p *place) changes(check, node string) []change {
	p.t.Helper()
	var past struct{ Changes []change }
	p.must(http.MethodGet, "/checks/"+check+"/history?limit=10000&node="+node, nil, &past)
	slices.Reverse(past.Changes)
	return past.Changes
}

// apply has the server make checks as text says.
func apply(t *testing.T, server *process, text string) {
	t.Helper()
	ask(t, server, "checks", "apply", "-f", write(t, 0o644, t.TempDir(), "checks.yaml", text)).want(t, 0)
}

// TestADefinitionIsFollowed takes a definition through its life, with a real agent.
func TestADefinitionIsFollowed(t *testing.T) {
	p := newPlace(t, "--beat-interval", "5s")
	server := p.open()
	dir := t.TempDir()
	old, tick, hold := filepath.Join(dir, "old"), filepath.Join(dir, "tick"), filepath.Join(dir, "hold")
	script := write(t, 0o755, dir, "old.sh", "#!/bin/sh\n"+
		"if [ -e "+hold+" ]; then touch "+hold+".begun; while [ -e "+hold+" ]; do sleep 0.05; done; echo too late; exit 2; fi\n"+
		"echo x >> "+old+"\necho fine\n")
	nrpe := write(t, 0o644, dir, "nrpe.cfg", "command[old]="+script+"\ncommand[new]=/bin/sh -c 'echo new; exit 1'\ncommand[tick]=/bin/sh -c 'echo x >> "+tick+"; echo tick'\n")
	start(t, p.agent("n1", "--nrpe-config", nrpe)...)
	p.alive("n1")
	status := func(check, want string) func() bool {
		return func() bool {
			v, ok := p.verdict(check)
			return ok && v.Status == want && v.Tally.Total == 1
		}
	}
	const others = "---\n{name: tick, nrpe: tick, interval: 1s, timeout: 50s}\n"

	t.Run("what is defined is run by the agent", func(t *testing.T) {
		apply(t, server, "{name: gauge, nrpe: old, interval: 1s, timeout: 50s}\n"+others+
			"---\n{name: cores, expression: facts.processors.count > 0, filter: 'true', interval: 1s}\n"+
			"---\n{name: nobody, expression: '\"warning\"', filter: 'true', interval: 1s}\n"+
			"---\n{name: load, action: nrpe.check, inputs: {command: tick}, filter: 'true', interval: 1s, verdict: {critical: 'data.output == \"tick\"', output: 'it says {{data.output}}'}}\n")
		for check, want := range map[string]string{"gauge": "ok", "tick": "ok", "cores": "ok", "nobody": "warning", "load": "critical"} {
			eventually(t, check+" is "+want, status(check, want))
		}
		if all := p.changes("load", "n1"); len(all) != 1 || all[0].Output != "it says tick" || all[0].To != "critical" {
			t.Errorf("what CEL made of an action's data is %+v", all)
		}
	})
	t.Run("a definition that changed has what it meant before no longer counted", func(t *testing.T) {
		write(t, 0o644, dir, "hold", "")
		eventually(t, "the old command runs", func() bool { _, err := os.Stat(hold + ".begun"); return err == nil })
		apply(t, server, "{name: gauge, nrpe: new, interval: 1s, timeout: 50s}\n"+others)
		if err := os.Remove(hold); err != nil { // what it says now is of the old rev, and critical
			t.Fatal(err)
		}
		eventually(t, "gauge is warning", status("gauge", "warning"))
		ran := len(lines(t, old))
		p.ticks(t, tick)
		if again := len(lines(t, old)); again != ran {
			t.Errorf("the old command was run %d more times", again-ran)
		}
		all := p.changes("gauge", "n1")
		if len(all) != 2 || all[0].To != "ok" || all[1].From != "ok" || all[1].To != "warning" {
			t.Errorf("the history is %+v", all)
		}
	})
	t.Run("the state of one that is deleted goes with it", func(t *testing.T) {
		ask(t, server, "checks", "delete", "gauge").want(t, 0)
		if _, there := p.verdict("gauge"); there {
			t.Error("it has a verdict")
		}
		all := p.changes("gauge", "n1")
		if last := all[len(all)-1]; last.From != "warning" || last.To != "" || !last.Hard {
			t.Errorf("the history ends with %+v", last)
		}
		p.ticks(t, tick)
		var node struct{ Checks map[string]any }
		p.must(http.MethodGet, "/nodes/n1", nil, &node)
		if _, there := node.Checks["gauge"]; there || len(node.Checks) != 4 {
			t.Errorf("the node has %v", node.Checks)
		}
		if len(p.changes("gauge", "n1")) != len(all) {
			t.Error("something was folded afterwards")
		}
	})
}

// ticks waits until a check that appends to a file was run twice more: one that was asked before it has had its turn.
func (p *place) ticks(t *testing.T, file string) {
	t.Helper()
	before := len(lines(t, file))
	eventually(t, "two turns have passed", func() bool { return len(lines(t, file)) >= before+2 })
}

// TestAServerThatIsAwayMissesNoChange has a node keep a check while the server is away for more than five intervals. The state changes with every
// second result, and each says its number.
func TestAServerThatIsAwayMissesNoChange(t *testing.T) {
	p := newPlace(t, "--beat-interval", "5s")
	server := p.open()
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	script := write(t, 0o755, dir, "gauge.sh", "#!/bin/sh\nn=$(($(wc -l < "+made+")))\ncode=$((n / 2 % 3))\necho $n:$code >> "+made+"\necho number $n\nexit $code\n")
	write(t, 0o644, dir, "made", "")
	nrpe := write(t, 0o644, dir, "nrpe.cfg", "command[gauge]="+script+"\n")
	start(t, p.agent("n1", "--nrpe-config", nrpe)...)
	p.alive("n1")
	apply(t, server, "{name: gauge, nrpe: gauge, interval: 1s, timeout: 50s, flap: {off: true}}\n")
	eventually(t, "three results are made", func() bool { return len(lines(t, made)) >= 3 })

	server.stop()
	gone := len(lines(t, made))
	eventually(t, "the agent goes on", func() bool { return len(lines(t, made)) >= gone+6 })
	back := len(lines(t, made))
	p.open()

	known := func() int { return len(p.changes("gauge", "n1")) }
	eventually(t, "what was made meanwhile has arrived", func() bool {
		v, ok := p.verdict("gauge")
		if !ok || v.Tally.Unknown > 0 || v.Tally.Total != 1 {
			t.Fatalf("nobody was away but the server, and the verdict is %+v", v)
		}
		return known() > back/2
	})
	want := []string{"ok", "warning", "critical"}
	for i, c := range p.changes("gauge", "n1") { // the change i came with number 2 i
		if c.To != want[i%3] || c.Output != fmt.Sprint("number ", 2*i) || i > 0 && c.From != want[(i-1)%3] {
			t.Errorf("change %d is %+v, want to %s by number %d", i, c, want[i%3], 2*i)
		}
	}
	if text := strings.Join(lines(t, made), " "); t.Failed() {
		t.Logf("made were %s; the server was away from %d to %d", text, gone, back)
	}
}
