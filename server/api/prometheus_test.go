package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
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
	a := b.ask(auth.Viewer, "GET", "/api/v1/prometheus/sd", "")
	if held := a.header.Get("Fettle-Held"); a.status != 200 || strings.Count(a.body, `"targets"`) != 3 || !strings.Contains(held, "1 targets are left of 3") {
		t.Errorf("%d %q %s", a.status, held, a.body)
	}
	if page := b.ask("", "GET", "/metrics", "").body; !strings.Contains(page, "\nfettle_sd_held_lists 1\n") || !strings.Contains(page, "\nfettle_sd_held_targets 2\n") {
		t.Errorf("the metrics do not say so:\n%s", page)
	}
	if log := b.log.String(); strings.Count(log, "is held") != 1 {
		t.Errorf("the log does not say so, once:\n%s", log)
	}
	if a := b.ask(auth.Operator, "POST", "/api/v1/prometheus/sd/release", ""); a.status != 200 || !strings.Contains(a.body, `"lists":1`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = b.ask(auth.Viewer, "GET", "/api/v1/prometheus/sd", "")
	if a.status != 200 || strings.Count(a.body, `"targets"`) != 1 || a.header.Get("Fettle-Held") != "" {
		t.Errorf("it was released: %d %s", a.status, a.body)
	}
}

func TestScrapePortsAndLabels(t *testing.T) {
	b := newBench(t, Config{})
	if got := b.get(`/api/v1/prometheus/sd?where=identity+==+"db1.acme.net"&labels=family=facts.os.family&port=9200`); !strings.Contains(got, `"family":"RedHat"`) || !strings.Contains(got, "db1.acme.net:9200") {
		t.Error(got)
	}
	sameJSON(t, b.get(`/api/v1/prometheus/sd?port=facts.nothing`), `[]`)
	for _, bad := range []string{"port=0", "port=70000", "label=__x=os.family", "label=1x=os.family", "label=a-b=os.family"} {
		if a := b.ask(auth.Viewer, "GET", "/api/v1/prometheus/sd?"+bad, ""); a.status != 422 && a.status != 400 {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
}

func TestShrinkGuard(t *testing.T) {
	at := now
	guard := func(part float64) *shrinkGuard {
		return newShrinkGuard(part, 10*time.Minute, func() time.Time { return at }, slog.New(slog.DiscardHandler))
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
				before := g.lists["all"].length
				list, why, err := g.pass("all", make([]ScrapeGroup, s.length))
				if want := s.length; err != nil || (why != "") != s.held || !s.held && len(list) != want || s.held && len(list) != before {
					t.Errorf("step %d, %d targets: %d, %q, %v", i, s.length, len(list), why, err)
				}
			}
		})
	}
	t.Run("filters do not meddle with each other", func(t *testing.T) {
		g := guard(0.5)
		if passes(g, "a", 100) != 100 || passes(g, "b", 1) != 1 {
			t.Error("held back")
		}
	})
	t.Run("it can be switched off", func(t *testing.T) {
		g := guard(-1)
		if passes(g, "a", 100) != 100 || passes(g, "a", 0) != 0 {
			t.Error("held back")
		}
	})
	t.Run("it does not grow without end", func(t *testing.T) {
		g := guard(0.5)
		for i := range 2 * maxGuarded {
			at = at.Add(time.Second)
			if passes(g, fmt.Sprint(i), 1) != 1 {
				t.Fatal("held")
			}
		}
		if len(g.lists) > maxGuarded || g.held != len(g.lists) {
			t.Errorf("it remembers %d lists of %d targets", len(g.lists), g.held)
		}
	})
	t.Run("what is too long to be remembered is held back by an error", func(t *testing.T) {
		g := guard(0.5)
		passes(g, "a", maxHeld+1)
		if _, _, err := g.pass("a", nil); !errors.Is(err, fettle.ErrUnavailable) {
			t.Error(err)
		}
	})
}

// passes gives the length of the list that a guard lets pass.
func passes(g *shrinkGuard, question string, length int) int {
	list, _, _ := g.pass(question, make([]ScrapeGroup, length))
	return len(list)
}
