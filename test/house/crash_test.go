//go:build integration

package house

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// rounds is how often each of server and agent is killed; over a broker that is not embedded foreignRounds times.
const (
	rounds        = 10
	foreignRounds = 4
)

// crowd keeps a server busy: it starts runs, each of which appends a number of its own to a file, and publishes facts that count.
type crowd struct {
	*place
	factsDir string
	begun    string // the file of numbers: one that is there twice ran twice
	started  atomic.Int64
	known    atomic.Int64 // the newest fact of which a node said that the server has it
	facts    atomic.Int64 // the newest fact that was written
}

func newCrowd(t *testing.T, p *place) *crowd {
	dir := t.TempDir()
	return &crowd{place: p, factsDir: filepath.Join(dir, "facts.d"), begun: filepath.Join(dir, "begun")}
}

// nrpe writes the NRPE configuration with the command that counts.
func (c *crowd) nrpe(t *testing.T) string {
	dir := filepath.Dir(c.begun)
	script := write(t, 0o755, dir, "count.sh", "#!/bin/sh\necho \"$1\" >> "+c.begun+"\nsleep 0.02\necho \"OK $1\"\n")
	return write(t, 0o644, dir, "nrpe.cfg", "dont_blame_nrpe=1\ncommand[count]="+script+" $ARG1$\n")
}

// work starts runs until ctx ends. What fails, because the server is being killed, is started again with another number.
func (c *crowd) work(ctx context.Context) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		n := c.started.Add(1)
		_, _ = c.call(http.MethodPost, "/runs", map[string]any{
			"action": "nrpe.check", "inputs": map[string]any{"command": "count", "args": []string{strconv.FormatInt(n, 10)}}, "all": true, "timeout": "20s",
		}, nil)
	}
}

// publish writes facts that count, and has them published, until ctx ends.
func (c *crowd) publish(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		n := c.facts.Add(1)
		write(t, 0o644, c.factsDir, "count.json", fmt.Sprintf(`{"count":%d}`, n))
		var run runItem
		if _, err := c.call(http.MethodPost, "/runs", map[string]any{"action": "agent.facts", "all": true, "timeout": "20s"}, &run); err != nil {
			continue
		}
		for ctx.Err() == nil && run.Ended == nil {
			if _, err := c.call(http.MethodGet, "/runs/"+run.Run, nil, &run); err != nil {
				break
			}
		}
		if run.Ended != nil && run.Tally.OK == 1 {
			c.known.Store(n)
		}
	}
}

// busy waits until more has happened than before: tasks and acknowledged facts.
func (c *crowd) busy(t *testing.T) {
	t.Helper()
	tasks, facts := len(lines(t, c.begun)), c.known.Load()
	eventually(t, "tasks and facts flow", func() bool { return len(lines(t, c.begun)) >= tasks+5 && c.known.Load() > facts })
}

// runs lists every run there is.
func (c *crowd) runs(t *testing.T) (all []runItem) {
	t.Helper()
	for cursor := ""; ; {
		var page struct {
			Runs []runItem
			Next string
		}
		c.must(http.MethodGet, "/runs?limit=1000&cursor="+cursor, nil, &page)
		all = append(all, page.Runs...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// account waits until everything has ended, and compares what ran with what the server says. Interrupted tells whether some of it was.
func (c *crowd) account(t *testing.T, interrupted bool) {
	t.Helper()
	var all []runItem
	eventually(t, "all runs have ended", func() bool {
		all = c.runs(t)
		for _, r := range all {
			if r.Ended == nil {
				return false
			}
		}
		return true
	})
	begun := lines(t, c.begun)
	t.Run("no task ran twice", func(t *testing.T) {
		seen := map[string]bool{}
		for _, n := range begun {
			if seen[n] {
				t.Errorf("task %s ran twice", n)
			}
			seen[n] = true
		}
		t.Logf("%d runs, %d tasks begun, %d facts published", len(all), len(begun), c.known.Load())
	})
	t.Run("every task that was begun has a result", func(t *testing.T) {
		byNumber, byStatus := map[string]string{}, map[string]int{}
		for _, r := range all {
			if list, is := r.Inputs["args"].([]any); is && len(list) == 1 {
				byNumber[fmt.Sprint(list[0])] = r.Run
			}
		}
		missing := func() (list []string) {
			for _, n := range begun {
				var run runItem
				if id := byNumber[n]; id == "" {
					list = append(list, "task "+n+", whose run is not known")
				} else if c.must(http.MethodGet, "/runs/"+id, nil, &run); len(run.Results) != 1 {
					list = append(list, fmt.Sprintf("task %s: %+v", n, run))
				} else {
					byStatus[n] = run.Results[0].Status
				}
			}
			return list
		}
		if !within(patience, func() bool { return len(missing()) == 0 }) {
			t.Errorf("begun, and without a result: %s", strings.Join(missing(), "\n"))
		}
		lost := 0
		for n, status := range byStatus {
			if status == 8 {
				lost++
			} else if status != 0 {
				t.Errorf("task %s was begun, and has status %d", n, status)
			}
		}
		if (lost > 0) != interrupted || len(begun) == lost {
			t.Errorf("%d of %d were interrupted", lost, len(begun))
		}
	})
	t.Run("every tally agrees with the results", func(t *testing.T) {
		for _, r := range all {
			var run runItem
			c.must(http.MethodGet, "/runs/"+r.Run, nil, &run)
			y, ok := run.Tally, 0
			for _, one := range run.Results {
				if one.Status == 0 {
					ok++
				}
			}
			if y.OK != ok || y.Failed != len(run.Results)-ok || y.Pending != 0 || y.Roster != y.OK+y.Failed+y.Silent+y.Never {
				t.Errorf("run %s of %v: %+v, and results %+v", r.Run, r.Inputs, y, run.Results)
			}
		}
	})
}

// TestKilledAgainAndAgain kills server and agent in turn while tasks and facts flow. Afterwards nothing that was acknowledged is missing, no
// task ran twice, and every task that was begun has a result.
func TestKilledAgainAndAgain(t *testing.T) { everyBroker(t, killAgainAndAgain) }

func killAgainAndAgain(t *testing.T, p *place) {
	c := newCrowd(t, p)
	rounds := rounds
	if p.broker != nil {
		rounds = foreignRounds
	}
	server := c.open()
	args := c.agent("n1", "--nrpe-config", c.nrpe(t), "--facts-dir", c.factsDir)
	agent := start(t, args...)
	c.alive("n1")

	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	t.Cleanup(func() { cancel(); load.Wait() })
	for range 2 {
		load.Go(func() { c.work(ctx) })
	}
	load.Go(func() { c.publish(ctx, t) })
	for range rounds {
		c.busy(t)
		server.kill()
		server = c.open()
		c.busy(t)
		agent.kill()
		agent = start(t, args...)
	}
	c.busy(t)
	cancel()
	load.Wait()

	agent.kill()
	server.kill() // so that the agent cannot tell the next one again
	c.open()
	var n nodeItem
	there := func() bool {
		n, _ = c.node("n1")
		count, _ := n.Facts["count"].(float64)
		return int64(count) >= c.known.Load() && int64(count) <= c.facts.Load()
	}
	patient := time.Duration(0) // the embedded broker receipts what is committed
	if p.broker != nil {
		patient = patience // and others what they have on disk, for the server to read
	}
	if !there() && !within(patient, there) {
		t.Errorf("facts.count is %v, and %d was acknowledged of %d", n.Facts["count"], c.known.Load(), c.facts.Load())
	}
	start(t, args...)
	c.alive("n1")
	c.account(t, true)
}
