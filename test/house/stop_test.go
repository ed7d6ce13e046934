//go:build integration

package house

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// grace is how long a part may take to stop in good order, on a machine that has much else to do: a tenth of what the task that runs takes.
const grace = time.Minute

// TestStoppingUnderLoad stops every part while work flows, and with a task running that takes longer than there is time for.
func TestStoppingUnderLoad(t *testing.T) {
	c := newCrowd(t, newPlace(t))
	server := c.open()
	dir := t.TempDir()
	args := c.agent("n1", "--nrpe-config", write(t, 0o644, dir, "nrpe.cfg",
		"include="+c.nrpe(t)+"\ncommand[forever]="+write(t, 0o755, dir, "forever.sh", "#!/bin/sh\necho x >> "+dir+"/forever\nexec sleep 600\n")+"\n"), "--facts-dir", c.factsDir)
	agent := start(t, args...)
	c.alive("n1")
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	t.Cleanup(func() { cancel(); load.Wait() })
	load.Go(func() { c.work(ctx) })
	load.Go(func() { c.publish(ctx, t) })
	var long runItem
	c.must(http.MethodPost, "/runs", map[string]any{"action": "nrpe.check", "inputs": map[string]any{"command": "forever"}, "all": true, "timeout": "10m"}, &long)
	eventually(t, "the long task has begun", func() bool { return read(t, filepath.Join(dir, "forever")) != "" })
	stopped := func(what string, p *process) {
		t.Helper()
		if took := p.stop(); took > grace || p.err != nil {
			t.Errorf("%s took %s to stop and ended with %v\n%s", what, took, p.err, p.log)
		}
	}

	c.busy(t)
	stopped("the agent", agent)
	eventually(t, "the long task has a result", func() bool {
		c.must(http.MethodGet, "/runs/"+long.Run, nil, &long)
		return len(long.Results) == 1
	})
	if r := long.Results[0]; r.Status != 8 {
		t.Errorf("a task that was ended by the stop: %+v", r)
	}
	agent = start(t, args...)
	c.busy(t)
	follow := make(chan struct{})
	go func() { // a page that stays open does not hold the server up
		defer close(follow)
		c.follow(ctx, long.Run)
	}()
	stopped("the server", server)
	<-follow

	server = c.open()
	c.busy(t)
	cancel()
	load.Wait()
	t.Run("a stop of the server makes nobody late", func(t *testing.T) {
		n, _ := c.node("n1")
		if n.Liveness != "alive" {
			t.Errorf("n1 is %s", n.Liveness)
		}
	})
	stopped("the agent", agent)
	stopped("the server", server)
}

// follow reads the events of a run until they end.
func (c *crowd) follow(ctx context.Context, run string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.http+"/api/v1/runs/"+run+"/events", nil)
	if err != nil {
		return
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	for b := make([]byte, 4096); err == nil; {
		_, err = resp.Body.Read(b)
	}
}

func TestDevStops(t *testing.T) {
	p := dev(t, "--identity", "n1")
	if took := p.stop(); took > grace || p.err != nil {
		t.Errorf("it took %s and ended with %v\n%s", took, p.err, p.log)
	}
}

// TestTwoAgentsOfOneName starts a second agent under the name of one that runs: the newer one is the node.
func TestTwoAgentsOfOneName(t *testing.T) {
	p := newPlace(t)
	server := p.open()
	dir := t.TempDir()
	agent := func(name string) *process {
		factsDir, script := filepath.Join(dir, name+".d"), filepath.Join(dir, name+".sh")
		write(t, 0o644, factsDir, "who.json", fmt.Sprintf(`{"who":%q}`, name))
		write(t, 0o755, script, "#!/bin/sh\necho "+name+"\n")
		nrpe := write(t, 0o644, dir, name+".cfg", "command[who]="+script+"\n")
		return start(t, p.agent("n1", "--facts-dir", factsDir, "--nrpe-config", nrpe, "--state", filepath.Join(dir, name))...)
	}
	is := func(name string) func() bool {
		return func() bool { n, _ := p.node("n1"); return n.Facts["who"] == name }
	}
	agent("older")
	eventually(t, "the first is the node", is("older"))
	key, err := os.ReadFile(filepath.Join(dir, "older", "node.key"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, 0o600, dir, "newer", "node.key", string(key)) // without it the identity would be bound to the first one's
	newer := agent("newer")
	eventually(t, "the second is the node", is("newer"))

	t.Run("the newer one answers, whatever the older one tries", func(t *testing.T) {
		superseded := func() bool {
			return strings.Count(get(t, server.ready["http"]+"/metrics", ""), "fettle_broker_superseded_sessions_total 0") == 0
		}
		eventually(t, "the older one has lost its connection", superseded)
		for range 20 {
			run := p.ran("nrpe.check", map[string]any{"command": "who"})
			if len(run.Refused) == 1 && strings.HasPrefix(run.Refused[0].Reason, "contested") {
				return // the older one came back so often that the server knows of the two, and asks neither
			}
			if len(run.Results) != 1 || run.Results[0].Status != 0 || !strings.Contains(run.Results[0].Message, "newer") {
				t.Fatalf("%+v", run)
			}
		}
		if !is("newer")() {
			t.Error("the facts are the older one's")
		}
	})
	t.Run("when the newer one is gone, the older one is the node again", func(t *testing.T) {
		newer.kill()
		eventually(t, "the first is the node", is("older"))
	})
}
