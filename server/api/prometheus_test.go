package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

func TestScrapeTargets(t *testing.T) {
	b := newBench(t, Config{})
	t.Run("each node is a target with its labels", func(t *testing.T) {
		sameJSON(t, b.get(`/api/v1/prometheus/sd?where=identity+==+"db1.acme.net"&port=9117&label=os.family,tags,os,nothing,facts.env`), `[{"targets":["db1.acme.net:9117"],"labels":{
			"__meta_fettle_identity":"db1.acme.net","__meta_fettle_liveness":"alive","__meta_fettle_classes":",base,mysql::master,","__meta_fettle_pools":",linux,",
			"__meta_fettle_label_rack_no":"r1","__meta_fettle_fact_os_family":"RedHat","__meta_fettle_fact_tags":",a,b,","__meta_fettle_fact_env":"test"}}]`)
	})
	t.Run("an address may be a fact, and is the identity where that is missing", func(t *testing.T) {
		var groups []ScrapeGroup
		if err := json.Unmarshal([]byte(b.get("/api/v1/prometheus/sd?address=networking.ip")), &groups); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range groups {
			got = append(got, g.Targets...)
		}
		if want := "db1.acme.net:9100 10.0.0.1:9100 [fe80::2]:9100"; strings.Join(got, " ") != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("nobody is an empty list, not null", func(t *testing.T) {
		sameJSON(t, b.get(`/api/v1/prometheus/sd?where=identity+==+"nobody"`), `[]`)
	})
	t.Run("an empty list of a server that has just started is held back, any other is not", func(t *testing.T) {
		b.fleet.settling = true
		defer func() { b.fleet.settling = false }()
		if a := b.ask(auth.Viewer, "GET", `/api/v1/prometheus/sd?where=identity+==+"nobody"`, ""); a.status != 503 || a.problem(t).Kind != "unavailable" {
			t.Errorf("%d %s", a.status, a.body)
		}
		b.get(`/api/v1/prometheus/sd?where=identity+==+"db1.acme.net"`)
	})
	t.Run("while the inventory is not loaded there is an error, and no empty list", func(t *testing.T) {
		b.fleet.unready = fmt.Errorf("the inventory is being loaded: %w", fettle.ErrUnavailable)
		if a := b.ask(auth.Viewer, "GET", "/api/v1/prometheus/sd", ""); a.status != 503 || a.problem(t).Kind != "unavailable" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestShrinking(t *testing.T) {
	b := newBench(t, Config{})
	b.get("/api/v1/prometheus/sd")
	for _, id := range []fettle.NodeID{"web1.acme.net", "web2.acme.net"} {
		b.fleet.nodes.Remove(id)
	}
	if a := b.ask(auth.Viewer, "GET", "/api/v1/prometheus/sd", ""); a.status != 503 || !strings.Contains(a.problem(t).Detail, "1 targets are left of 3") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestShrinkGuard(t *testing.T) {
	at := now
	guard := func(part float64) *shrinkGuard {
		return newShrinkGuard(part, 10*time.Minute, func() time.Time { return at })
	}
	type step struct {
		after  time.Duration
		length int
		held   bool
	}
	for name, steps := range map[string][]step{
		"a list may grow":                            {{0, 10, false}, {0, 1000, false}},
		"a list may begin empty":                     {{0, 0, false}, {0, 10, false}},
		"a list may lose some":                       {{0, 10, false}, {0, 5, false}, {0, 3, false}},
		"a list that loses most is held back":        {{0, 10, false}, {time.Minute, 4, true}, {time.Minute, 0, true}},
		"what comes back is given out":               {{0, 10, false}, {time.Minute, 0, true}, {time.Minute, 9, false}, {20 * time.Minute, 0, true}},
		"what stays away is meant":                   {{0, 10, false}, {time.Minute, 1, true}, {9 * time.Minute, 1, true}, {time.Minute, 1, false}, {time.Minute, 1, false}},
		"what is given out is what is compared with": {{0, 10, false}, {0, 6, false}, {0, 3, false}, {0, 2, false}, {0, 0, true}},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(0.5)
			for i, s := range steps {
				at = at.Add(s.after)
				if err := g.check("all", s.length); (err != nil) != s.held || err != nil && !errors.Is(err, fettle.ErrUnavailable) {
					t.Errorf("step %d, %d targets: %v", i, s.length, err)
				}
			}
		})
	}
	t.Run("filters do not meddle with each other", func(t *testing.T) {
		g := guard(0.5)
		if g.check("a", 100) != nil || g.check("b", 1) != nil {
			t.Error("held back")
		}
	})
	t.Run("it can be switched off", func(t *testing.T) {
		g := guard(-1)
		if g.check("a", 100) != nil || g.check("a", 0) != nil {
			t.Error("held back")
		}
	})
	t.Run("it does not grow without end", func(t *testing.T) {
		g := guard(0.5)
		for i := range 2 * maxGuarded {
			at = at.Add(time.Second)
			if err := g.check(fmt.Sprint(i), 1); err != nil {
				t.Fatal(err)
			}
		}
		if len(g.lists) > maxGuarded {
			t.Errorf("it remembers %d lists", len(g.lists))
		}
	})
}
