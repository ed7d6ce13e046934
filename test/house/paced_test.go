//go:build integration

package house

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
)

// pacedRun is a run as REST tells of it, with what its pace makes of it.
type pacedRun struct {
	runItem
	Phase, Stopped, Standing string
	WaitingFor               string `json:"waiting_for"`
	RetryOf                  string `json:"retry_of"`
	Batch, Batches           int
}

func (p *place) paced(run string) (r pacedRun) {
	p.t.Helper()
	p.must(http.MethodGet, "/runs/"+run, nil, &r)
	return r
}

// exact waits for the end of a run, and compares its tally with the results that are kept.
func (p *place) exact(t *testing.T, run string, ok, failed int) pacedRun {
	t.Helper()
	eventually(t, "run "+run+" ends", func() bool { return p.paced(run).Ended != nil })
	r := p.paced(run)
	seen, well := map[string]bool{}, 0
	for _, one := range r.Results {
		if seen[one.Node] {
			t.Errorf("%s answered twice", one.Node)
		}
		if seen[one.Node] = true; one.Status == 0 {
			well++
		}
	}
	y := r.Tally
	if y.OK != ok || y.Failed != failed || y.OK != well || y.Failed != len(r.Results)-well || y.Pending != 0 || y.Roster != y.OK+y.Failed+y.Silent+y.Never {
		t.Errorf("the tally is %+v with %d results, want %d ok and %d failed; %+v", y, len(r.Results), ok, failed, r)
	}
	return r
}

// TestAPacedRunIsTakenUpAgain kills the server in the middle of a run that goes batch by batch, and an agent in the middle of its action: the run goes
// on, nothing is done twice, and the tally is exact.
func TestAPacedRunIsTakenUpAgain(t *testing.T) {
	p := newPlace(t)
	server := p.open()
	begun := filepath.Join(t.TempDir(), "begun")
	script := write(t, 0o755, t.TempDir(), "slow.sh", "#!/bin/sh\necho \"$1\" >> "+begun+"\nsleep \"$2\"\necho OK\n")
	nrpe := write(t, 0o644, t.TempDir(), "nrpe.cfg", "dont_blame_nrpe=1\ncommand[slow]="+script+" $ARG1$ $ARG2$\n")
	const crowd = 30
	start(t, "emulate", "--nodes", fmt.Sprint(crowd), "--server", "stomp://"+p.stomp, "--secret-file", p.secret(), "--beat-interval", "1s")
	args := p.agent("n1", "--nrpe-config", nrpe)
	agent := start(t, args...)
	p.alive("n1")

	t.Run("the server is killed between batches, again and again", func(t *testing.T) {
		a := ask(t, server, "run", "agent.ping", "--all", "--batch", "3", "--batch-sleep", "50ms", "--timeout", "60s", "--detach", "-o", "json").want(t, 0)
		run := into[runItem](t, a).Run // nobody watches it any more
		for kills := 1; kills <= 3; kills++ {
			eventually(t, "the run goes on", func() bool { return p.paced(run).Tally.OK >= 6*kills })
			server.kill()
			server = p.open()
			if r := p.paced(run); r.Ended != nil {
				t.Fatalf("it had ended before the server was killed for the %d. time: %+v", kills, r)
			}
		}
		p.exact(t, run, crowd+1, 0)
	})
	t.Run("an agent is killed in the middle of its action", func(t *testing.T) {
		var run runItem
		p.must(http.MethodPost, "/runs", map[string]any{
			"action": "nrpe.check", "inputs": map[string]any{"command": "slow", "args": []string{"once", "600"}}, "where": `identity == "n1"`, "timeout": "60s",
			"pace": map[string]any{"concurrency": 1, "locks": map[string]int{"slow": 1}},
		}, &run)
		eventually(t, "the action goes", func() bool { return len(lines(t, begun)) == 1 })
		var waits runItem
		p.must(http.MethodPost, "/runs", map[string]any{
			"action": "nrpe.check", "inputs": map[string]any{"command": "slow", "args": []string{"next", "0"}}, "where": `identity == "n1"`, "timeout": "60s",
			"pace": map[string]any{"locks": map[string]int{"slow": 1}},
		}, &waits)
		server.kill() // the lock holds, whoever comes and goes
		server = p.open()
		eventually(t, "the other run waits for the lock", func() bool { return p.paced(waits.Run).WaitingFor != "" })
		agent.kill()
		agent = start(t, args...)
		r := p.exact(t, run.Run, 0, 1)
		if len(r.Results) != 1 || r.Results[0].Status != 8 {
			t.Errorf("what became of the action is not known, and the result is %+v", r.Results)
		}
		p.exact(t, waits.Run, 1, 0)
		if got := lines(t, begun); len(got) != 2 || got[0] != "once" || got[1] != "next" {
			t.Errorf("begun: %v", got)
		}
		var again pacedRun
		p.must(http.MethodPost, "/runs/"+run.Run+"/retry", nil, &again)
		if again.RetryOf != run.Run || again.Tally.Roster != 1 {
			t.Errorf("the retry is %+v", again)
		}
		p.must(http.MethodPost, "/runs/"+again.Run+"/cancel", nil, nil)
	})
	t.Run("a standing run goes on with the next server", func(t *testing.T) {
		p.must(http.MethodPost, "/standing", map[string]any{
			"name": "ping", "action": "agent.ping", "all": true, "timeout": "10s", "loop": "1s", "pace": map[string]any{"concurrency": 8},
		}, nil)
		var st struct {
			Rounds int
			Last   string
		}
		rounds := func(n int) {
			eventually(t, fmt.Sprintf("%d rounds", n), func() bool { p.must(http.MethodGet, "/standing/ping", nil, &st); return st.Rounds >= n })
		}
		rounds(2)
		server.kill()
		server = p.open()
		rounds(4)
		p.must(http.MethodPost, "/standing/ping/pause", nil, nil)
		last := p.paced(st.Last)
		if last.Standing != "ping" || last.Tally.Roster == 0 {
			t.Errorf("the last round is %+v", last)
		}
		p.must(http.MethodDelete, "/standing/ping", nil, nil)
		eventually(t, "the last round ends", func() bool { return p.paced(st.Last).Ended != nil })
	})
	if took := server.stop(); took > patience {
		t.Errorf("the server took %s to stop", took)
	}
}
