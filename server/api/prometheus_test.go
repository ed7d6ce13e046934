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

func TestHeldListsAreTheirOwn(t *testing.T) {
	b := newBench(t, Config{ShrinkTo: 0.9, ShrinkHold: time.Hour})
	all := func(question string, status, targets int, held bool) answered {
		t.Helper()
		a := b.ask(auth.Viewer, "GET", "/api/v1/prometheus/sd?"+question, "")
		if a.status != status || strings.Count(a.body, `"targets"`) != targets || (a.header.Get("Fettle-Held") != "") != held {
			t.Errorf("%s: %d %q %s", question, a.status, a.header.Get("Fettle-Held"), a.body)
		}
		return a
	}
	all("port=9100&where=true", 200, 3, false)
	all("port=9117&where=true", 200, 3, false)
	all("where=true&shrink_to=20", 200, 3, false)
	all("where=true&hold=2h", 200, 3, false)
	b.fleet.nodes.Remove("web1.acme.net")
	if a := all("port=9117&where=true", 200, 3, true); strings.Contains(a.body, ":9100") || !strings.Contains(a.body, ":9117") {
		t.Errorf("the list of another port was given out: %s", a.body)
	}
	all("where=true&shrink_to=20", 200, 2, false)
	all("where=true&hold=2h", 200, 3, true)
	var lists ScrapeLists
	if err := json.Unmarshal([]byte(b.get("/api/v1/prometheus/sd/lists")), &lists); err != nil || len(lists.Lists) != 4 {
		t.Fatalf("%v %+v", err, lists)
	}
	first, last := lists.Lists[0], lists.Lists[3]
	if !first.Held || first.Targets != 3 || first.Now != 2 || first.Where != "true" || first.Until.Sub(*first.Since) != 2*time.Hour && first.Until.Sub(*first.Since) != time.Hour || last.Held {
		t.Errorf("%+v", lists)
	}
	if a := b.ask(auth.Operator, "POST", "/api/v1/prometheus/sd/release?where=false", ""); a.status != 404 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask(auth.Operator, "POST", "/api/v1/prometheus/sd/release?where=true", ""); a.status != 200 || !strings.Contains(a.body, `"lists":2`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	all("port=9117&where=true", 200, 2, false)
	b.get("/api/v1/prometheus/sd?where=true&as_of=2026-11-14T09:00:00Z") // guards nothing
	page := b.ask("", "GET", "/metrics", "").body
	for _, want := range []string{"fettle_sd_held_lists 0", "fettle_sd_holds_total 2", `fettle_sd_holds_ended_total{how="released"} 2`} {
		if !strings.Contains(page, "\n"+want+"\n") {
			t.Errorf("no %s in the metrics", want)
		}
	}
	for _, bad := range []string{"shrink_to=101", "shrink_to=x", "shrink_to=NaN", "hold=0s", "hold=200h", "hold=x"} {
		if a := b.ask(auth.Viewer, "GET", "/api/v1/prometheus/sd?"+bad, ""); a.status != 422 && a.status != 400 {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
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
	guard := func() *shrinkGuard {
		return newShrinkGuard(func() time.Time { return at }, slog.New(slog.DiscardHandler))
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
			g := guard()
			for i, s := range steps {
				at = at.Add(s.after)
				before := g.lists[about("all")].length
				list, why, err := g.pass(about("all"), make([]ScrapeGroup, s.length))
				if want := s.length; err != nil || (why != "") != s.held || !s.held && len(list) != want || s.held && len(list) != before {
					t.Errorf("step %d, %d targets: %d, %q, %v", i, s.length, len(list), why, err)
				}
			}
		})
	}
	t.Run("filters do not meddle with each other", func(t *testing.T) {
		g := guard()
		if passes(g, "a", 100) != 100 || passes(g, "b", 1) != 1 {
			t.Error("held back")
		}
	})
	t.Run("it can be switched off", func(t *testing.T) {
		g := guard()
		q := scrapeQuestion{shrinkRule: shrinkRule{0, time.Hour}}
		if list, _, _ := g.pass(q, make([]ScrapeGroup, 100)); len(list) != 100 {
			t.Error("held back")
		}
		if list, _, _ := g.pass(q, nil); len(list) != 0 {
			t.Error("held back")
		}
	})
	t.Run("it does not grow without end", func(t *testing.T) {
		g := guard()
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
	t.Run("a list that nobody asks for any more is not held for ever", func(t *testing.T) {
		g := guard()
		passes(g, "a", 10)
		passes(g, "a", 1)
		if all := g.all(); len(all) != 1 || !all[0].Held {
			t.Errorf("%+v", all)
		}
		at = at.Add(10 * time.Minute)
		if all := g.all(); len(all) != 1 || all[0].Held || g.release("") != 0 {
			t.Errorf("%+v", all)
		}
	})
	t.Run("what is too long to be remembered is held back by an error", func(t *testing.T) {
		g := guard()
		passes(g, "a", maxHeld+1)
		if _, _, err := g.pass(about("a"), nil); !errors.Is(err, fettle.ErrUnavailable) {
			t.Error(err)
		}
	})
}

// passes gives the length of the list that a guard lets pass.
func passes(g *shrinkGuard, question string, length int) int {
	list, _, _ := g.pass(about(question), make([]ScrapeGroup, length))
	return len(list)
}

// about is the question for the nodes of a filter.
func about(filter string) scrapeQuestion {
	return scrapeQuestion{filter: filter, port: "9100", shrinkRule: shrinkRule{0.5, 10 * time.Minute}}
}
