package web

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// started has an operator run nettest.ping on all nodes, by the forms, and gives the run's page.
func started(t *testing.T, h *house, filter string) string {
	t.Helper()
	h.cookie = h.signIn(auth.Operator)
	a := h.do(http.MethodPost, "/runs/preview", url.Values{"action": {"shell.run"}, "where": {filter}, "in.command": {"uptime"}}).status(http.StatusOK)
	form := url.Values{}
	for _, n := range query(a.doc, "#start input") {
		form.Add(attr(n, "name"), attr(n, "value"))
	}
	b := h.do(http.MethodPost, "/runs", form).status(http.StatusSeeOther)
	return b.Header.Get("Location")
}

func TestRunning(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	h.cookie = h.signIn(auth.Operator)
	t.Run("a form asks what and of whom, and says the command line", func(t *testing.T) {
		a := h.get("/runs/new?action=shell.run&where=nginx&in.command=uptime").status(http.StatusOK)
		if got := a.attr("#in-command", "value"); got != "uptime" {
			t.Errorf("the form has %q", got)
		}
		if code := a.texts(".same code")[0]; code != "fettle run shell.run command=uptime -W nginx" {
			t.Errorf("it is %s", code)
		}
	})
	t.Run("what cannot be run is said in the form", func(t *testing.T) {
		h.get("/runs/new?action=nobody.knows").status(http.StatusOK).wants(".formed .notice", `There is no action "nobody.knows".`)
		for _, form := range []url.Values{
			{"action": {"shell.run"}, "in.command": {"uptime"}},
			{"action": {"shell.run"}, "where": {"nginx"}},
			{"action": {"shell.run"}, "where": {"facts.os.family =="}, "in.command": {"x"}},
			{"action": {"shell.run"}, "where": {"nginx"}, "in.command": {"x"}, "timeout": {"soon"}},
		} {
			if a := h.do(http.MethodPost, "/runs/preview", form).status(http.StatusUnprocessableEntity); a.text(".formed .notice") == "" {
				t.Error(a.body)
			}
		}
	})
	t.Run("it is looked at before it starts, and exactly those are asked", func(t *testing.T) {
		a := h.do(http.MethodPost, "/runs/preview", url.Values{"action": {"shell.run"}, "where": {"nginx"}, "in.command": {"uptime"}}).status(http.StatusOK)
		a.wants("#preview-title", "This would be asked of 2 nodes")
		a.wants("#preview .names", "web[1-2].acme.net")
		h.do(http.MethodPost, "/runs", url.Values{"action": {"shell.run"}, "in.command": {"uptime"}}).status(http.StatusUnprocessableEntity)
	})
	t.Run("a viewer may do none of it, and is shown no button", func(t *testing.T) {
		h.cookie = h.signIn(auth.Viewer)
		h.do(http.MethodPost, "/runs/preview", url.Values{"action": {"shell.run"}, "where": {"nginx"}, "in.command": {"x"}}).status(http.StatusForbidden)
		h.do(http.MethodPost, "/runs", url.Values{"action": {"shell.run"}, "roster": {"x"}}).status(http.StatusForbidden)
		h.do(http.MethodPost, "/runs/x/cancel", url.Values{}).status(http.StatusForbidden)
		if n := len(query(h.get("/runs").doc, "a.primary")); n != 0 {
			t.Errorf("%d buttons", n)
		}
	})
	t.Run("a form of another site does nothing", func(t *testing.T) {
		h.cookie = h.signIn(auth.Operator)
		h.do(http.MethodPost, "/runs", url.Values{}, "Sec-Fetch-Site", "cross-site").status(http.StatusForbidden)
	})
}

func TestRunPage(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	page := started(t, h, "nginx")
	t.Run("while it goes on it is followed, and may be cancelled", func(t *testing.T) {
		a := h.get(page).status(http.StatusOK)
		a.lists(".big .counted span", "2 pending")
		if a.attr("body", "data-live") != page+"/changes" || len(query(a.doc, "form button.danger")) != 1 {
			t.Error(a.body)
		}
	})
	h.answer("web1.acme.net", fettle.Result{Status: fettle.StatusOK, Data: map[string]any{"exit_code": 0, "output": "up 3 days"}})
	h.answer("web2.acme.net", fettle.Result{Status: fettle.StatusFailed, Message: "exit code 3", Data: map[string]any{"exit_code": 3}})
	eventually(t, "the run ends", func() bool { return len(query(h.get(page).doc, "[data-over]")) == 1 })
	t.Run("what failed stands in full, the same is gathered, and who failed may be asked again", func(t *testing.T) {
		a := h.get(page).status(http.StatusOK)
		a.lists(".big .counted span", "1 failed", "1 ok")
		a.lists(".failure a.row", "web2.acme.net")
		if got := a.text(".failure .word code"); got != "exit code 3" {
			t.Errorf("it says %q", got)
		}
		a.lists(".answers-of .names", "web2.acme.net", "web1.acme.net")
		again := h.do(http.MethodPost, page+"/retry", url.Values{}).status(http.StatusSeeOther).Header.Get("Location")
		h.get(again).status(http.StatusOK).lists(".big .counted span", "1 pending")
		h.do(http.MethodPost, again+"/cancel", url.Values{}).status(http.StatusSeeOther)
		h.get("/runs").lists(".vrow a.row", "shell.run", "shell.run")
	})
	t.Run("the results are a table for spreadsheets", func(t *testing.T) {
		a := h.get(page + "/results.csv").status(http.StatusOK)
		lines := strings.Split(strings.TrimSpace(a.body), "\n")
		if len(lines) != 3 || !strings.HasPrefix(lines[0], "node,status,message,took_ms") || !strings.HasPrefix(lines[2], "web2.acme.net,failed,exit code 3,") {
			t.Error(a.body)
		}
	})
	t.Run("a remedy says of which check", func(t *testing.T) {
		run, err := h.StartRun(t.Context(), server.RunRequest{Action: "agent.ping", Selection: server.Selection{All: true}, Caller: "ann", Remedy: "check_load"})
		if err != nil {
			t.Fatal(err)
		}
		h.get("/runs/"+string(run.ID)).status(http.StatusOK).lists(".props dd a", "check_load")
	})
	t.Run("there is no page of a run that is not there", func(t *testing.T) {
		h.get("/runs/0198-none").status(http.StatusNotFound)
	})
}

func TestRunIsFollowed(t *testing.T) {
	h := newHouseWith(t, Config{Refresh: 1}, nil)
	h.join(threeNodes()...)
	page := started(t, h, "nginx")
	web := httptest.NewServer(h.engine)
	defer web.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, web.URL+page+"/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: auth.CookieName, Value: h.cookie})
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	h.answer("web1.acme.net", fettle.Result{})
	h.answer("web2.acme.net", fettle.Result{})
	changes := 0
	for lines := bufio.NewScanner(res.Body); lines.Scan(); { // ends because the run does
		if lines.Text() == "event: changed" {
			changes++
		}
	}
	if changes == 0 {
		t.Error("nothing was told")
	}
	h.get(page + "/changes").status(http.StatusNoContent)
}

func TestSumsOfARun(t *testing.T) {
	action := server.Action{Name: "x.y", Outputs: []plugins.Output{{Name: "ms", Type: "int", Unit: "ms", Display: "round trip"}, {Name: "os", Type: "string"}}, Summaries: []plugins.Summary{
		{Output: "ms", Function: "max"}, {Output: "os", Function: "histogram"},
	}}
	d := &digest{kinds: map[string]*kind{}}
	if d.summaries() != nil {
		t.Error("nothing has a sum")
	}
	for i, os := range []string{"Debian", "Debian", "Alma"} {
		d.take(&fettle.Result{Node: "n", Data: map[string]any{"ms": float64(i + 1), "os": os}}, &action)
	}
	sums := d.summaries()
	if len(sums) != 2 || sums[0].Label != "round trip" || sums[0].Value != "3 ms" || len(sums[1].Bars) != 2 || sums[1].Bars[0] != (sumBar{"Debian", 2, "100.00%"}) {
		t.Errorf("the sums are %+v", sums)
	}
	if answers, _ := d.gathered(); len(answers) != 3 || answers[0].Text != "round trip 1 ms, os Debian" {
		t.Errorf("the answers are %+v", answers)
	}
}

func TestFormulasStayText(t *testing.T) {
	got := harmlessCells([]string{"=1+1", "-5", "-5 apples", "@x", "plain", ""})
	if strings.Join(got, "|") != "'=1+1|-5|'-5 apples|'@x|plain|" {
		t.Errorf("got %q", got)
	}
}
