package web

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// crowd is a fleet that is larger than a page can show, and that writes whatever it likes.
type crowd struct {
	Fleet
	verdicts []fettle.Verdict
	groups   []fettle.Group
	results  []fettle.Result
}

const crowdNodes = 10_000

// crowded gives a fleet of 200 checks and 10 groups, whose last check fails on ten thousand nodes with the longest names, each in its own words.
func crowded(f Fleet) *crowd {
	c := &crowd{Fleet: f}
	ids := make([]fettle.NodeID, crowdNodes)
	for i := range ids {
		name := fmt.Sprintf("node%05d.%s", i, strings.Repeat("deep.", 60))
		ids[i] = fettle.NodeID(name[:249] + ".net")
	}
	for i := range 200 {
		v := fettle.Verdict{Kind: fettle.KindCheck, Check: fmt.Sprintf("check_%03d", i), Status: fettle.CheckOK, Tally: fettle.CheckTally{Total: crowdNodes, OK: crowdNodes}}
		if i >= 150 {
			v.Status, v.Tally = fettle.CheckCritical, fettle.CheckTally{Total: crowdNodes, Critical: crowdNodes}
			v.Nodes, v.Output = map[fettle.CheckStatus][]fettle.NodeID{fettle.CheckCritical: ids}, map[fettle.NodeID]string{}
		}
		if i == 199 {
			for k, id := range ids {
				v.Output[id] = fmt.Sprintf("\x1b[31m<script>alert(%d)</script>\x1b[0m %s", k%97, strings.Repeat("x", 2000))
			}
		}
		c.verdicts = append(c.verdicts, v)
	}
	for i := range 10 {
		g := fettle.Group{Name: fmt.Sprintf("group_%02d", i)}
		v := fettle.Verdict{Kind: fettle.KindGroup, Check: g.Name, Status: fettle.CheckCritical, Tally: fettle.CheckTally{Total: 20, Critical: 20}}
		for k := range 20 {
			name := fmt.Sprintf("check_%03d", i*20+k)
			g.Members = append(g.Members, fettle.GroupMember{Check: name})
			v.Members = append(v.Members, fettle.VerdictMember{Name: name, Status: fettle.CheckCritical, Tally: c.verdicts[i*20+k].Tally})
		}
		c.groups, c.verdicts = append(c.groups, g), append(c.verdicts, v)
	}
	for i, id := range ids {
		r := fettle.Result{Node: id, Action: "shell.run", Status: fettle.StatusFailed, Message: "\x1b[1mno\x1b[0m <img src=x>", Data: map[string]any{"error_output": strings.Repeat("<b>y</b>", 500)}}
		if i%2 == 0 {
			r = fettle.Result{Node: id, Action: "shell.run", Data: map[string]any{"output": fmt.Sprint("\x1b[32mup ", i%300)}}
		}
		c.results = append(c.results, r)
	}
	return c
}

func (c *crowd) Verdicts(context.Context) ([]fettle.Verdict, error) { return c.verdicts, nil }

func (c *crowd) Groups(context.Context) []fettle.Group { return c.groups }

func (c *crowd) Verdict(ctx context.Context, q server.VerdictQuery) (fettle.Verdict, error) {
	for _, v := range c.verdicts {
		if v.Check == q.Check {
			v.Nodes, v.Output = maps.Clone(v.Nodes), maps.Clone(v.Output)
			return v, nil
		}
	}
	return c.Fleet.Verdict(ctx, q)
}

func (c *crowd) CheckDefinitions(context.Context) (list []fettle.KeptCheck, err error) {
	for _, v := range c.verdicts[:200] {
		list = append(list, fettle.KeptCheck{CheckDefinition: fettle.CheckDefinition{Name: v.Check, NRPE: v.Check, Notes: strings.Repeat("<i>note</i> ", 300)}})
	}
	return list, nil
}

func (c *crowd) RunByID(_ context.Context, id fettle.RunID) (fettle.Run, error) {
	return fettle.Run{ID: id, Action: "shell.run", State: fettle.RunEnded, Ended: 1, Created: 1, Tally: fettle.Tally{Roster: crowdNodes, OK: crowdNodes / 2, Failed: crowdNodes / 2}}, nil
}

func (c *crowd) RunResults(_ context.Context, _ fettle.RunID, limit int, cursor string) ([]fettle.Result, string, error) {
	from := 0
	if cursor != "" {
		if err := json.Unmarshal([]byte(cursor), &from); err != nil {
			return nil, "", err
		}
	}
	to := min(from+limit, len(c.results))
	if to == len(c.results) {
		return c.results[from:to], "", nil
	}
	return c.results[from:to], fmt.Sprint(to), nil
}

func TestPagesOfCrowds(t *testing.T) {
	h := newHouseWith(t, Config{}, func(f Fleet) Fleet { return crowded(f) })
	h.cookie = h.signIn(auth.Operator)
	for _, c := range []struct {
		path string
		most int // KiB
	}{
		{"/checks", 200},
		{"/checks?limit=1000", 400},
		{"/checks?status=critical", 160},
		{"/checks/check_199", 500},
		{"/checks/check_150", 60},
		{"/checks/group_09", 60},
		{"/now", 50},
		{"/runs/0192f7a0-0000-7000-8000-000000000001", 500},
	} {
		h.get(c.path).status(http.StatusOK) // which lets no script stand
		began := time.Now()
		a := h.get(c.path)
		took := time.Since(began)
		t.Logf("%s: %d bytes in %s", c.path, len(a.body), took.Round(time.Millisecond))
		if len(a.body) > c.most<<10 {
			t.Errorf("%s has %d KiB, and %d are allowed", c.path, len(a.body)>>10, c.most)
		}
		if strings.Contains(a.body, "\x1b") || strings.Contains(a.body, "[31m") {
			t.Errorf("%s has what a terminal alone understands", c.path)
		}
	}
}
