package web

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
)

// sent gives what a form of a page would send, with changes; the value of a key that is to be left out is "-".
func (a answer) sent(form string, changes ...string) url.Values {
	a.t.Helper()
	v := url.Values{}
	for _, n := range append(query(a.doc, form+" input"), query(a.doc, form+" textarea")...) {
		if attr(n, "name") != "" {
			v.Set(attr(n, "name"), attr(n, "value"))
		}
	}
	for _, n := range query(a.doc, form+" textarea") {
		v.Set(attr(n, "name"), rawText(n))
	}
	for _, n := range query(a.doc, form+" select") {
		for _, o := range query(n, "option[selected]") {
			v.Set(attr(n, "name"), attr(o, "value"))
		}
	}
	for i := 0; i < len(changes); i += 2 {
		v.Set(changes[i], changes[i+1])
	}
	return v
}

// rawText gives the text below n as it is.
func rawText(n *html.Node) string {
	var b strings.Builder
	for kid := range n.Descendants() {
		if kid.Type == html.TextNode {
			b.WriteString(kid.Data)
		}
	}
	return b.String()
}

// made has a check made by its form, and gives the address that it leads to.
func (h *house) made(changes ...string) string {
	h.t.Helper()
	form := h.get("/define/check").status(http.StatusOK).sent("#define", changes...)
	return h.do(http.MethodPost, "/define/check", form).status(http.StatusSeeOther).Header.Get("Location")
}

func defining(t *testing.T) (*house, *audit.Log) {
	t.Helper()
	db, err := store.Open(t.Context(), store.Config{DSN: storetest.SQLite(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.Open(filepath.Join(t.TempDir(), "audit.log"), db, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = log.Close()
		_ = db.Close()
	})
	h := newHouseWith(t, Config{Audit: log}, nil)
	h.cookie = h.signIn(auth.Operator)
	return h, log
}

func TestDefiningChecks(t *testing.T) {
	h, log := defining(t)
	h.join(threeNodes()...)
	t.Run("fields and YAML make one definition", func(t *testing.T) {
		to := h.made("name", "load", "what", "check_load", "filter", "nginx", "interval", "5m", "attempts", "3", "labels", "team=web, tier=1", "notes", "Two lines:\nthis is \"one\".",
			"runbook", "https://wiki.acme.net/load", "rest", "args: [-w, 10%]\nflap: {low: 10, high: 40}\n")
		if to != "/checks/load" {
			t.Errorf("it leads to %s", to)
		}
		kept, err := h.CheckDefinition(t.Context(), "load")
		if err != nil {
			t.Fatal(err)
		}
		if kept.NRPE != "check_load" || kept.Attempts != 3 || len(kept.Args) != 2 || kept.Flap.High != 40 || kept.Labels["tier"] != "1" || kept.Notes != "Two lines:\nthis is \"one\"." || kept.Owner != "ann" {
			t.Errorf("kept is %+v", kept.CheckDefinition)
		}
		entries, err := log.Entries(t.Context(), audit.Query{})
		if err != nil || len(entries) != 1 || entries[0].Action != "check.save" || entries[0].Subject != "load" || entries[0].Caller != "ann" {
			t.Errorf("the audit log has %+v %v", entries, err)
		}
	})
	t.Run("what is edited comes back as it is, in fields and as YAML", func(t *testing.T) {
		before, _ := h.CheckDefinition(t.Context(), "load")
		page := h.get("/checks/load/edit").status(http.StatusOK)
		if got := page.attr("#f-labels", "value"); got != "team=web, tier=1" {
			t.Errorf("labels are %q", got)
		}
		whole := h.do(http.MethodPost, "/define/check/view", page.sent("#define", "as", "yaml")).status(http.StatusOK)
		if text := whole.sent("#define").Get("rest"); !strings.HasPrefix(text, "name: load\n") || !strings.Contains(text, "attempts: 3") {
			t.Errorf("YAML is %s", text)
		}
		back := h.do(http.MethodPost, "/define/check/view", whole.sent("#define", "as", "fields")).status(http.StatusOK)
		h.do(http.MethodPost, "/define/check", back.sent("#define")).status(http.StatusSeeOther)
		if after, _ := h.CheckDefinition(t.Context(), "load"); after.Rev != before.Rev {
			t.Errorf("nothing was changed, and rev %d is %d", before.Rev, after.Rev)
		}
	})
	t.Run("a fault stands where it is, and what was written stays", func(t *testing.T) {
		page := h.get("/checks/load/edit")
		a := h.do(http.MethodPost, "/define/check", page.sent("#define", "interval", "fife", "attempts", "many", "filter", "facts.os.family ==", "rest", "args: [-w, 10%]\nflapp: {low: 10}\n")).status(http.StatusUnprocessableEntity)
		if got := a.text("#e-interval"); !strings.Contains(got, `"fife" is not a span`) {
			t.Errorf("interval: %s", got)
		}
		if got := a.text("#e-attempts"); !strings.Contains(got, "no whole number") {
			t.Errorf("attempts: %s", got)
		}
		a.lists("#rest-faults .mark", "line 2: flapp: there is no such key, did you mean flap?")
		a.lists("#rest-faults code", "flapp: {low: 10}")
		if got := a.attr("#f-interval", "value"); got != "fife" || a.attr("#f-interval", "aria-describedby") != "e-interval" {
			t.Errorf("the field has %q", got)
		}
		b := h.do(http.MethodPost, "/define/check", page.sent("#define", "filter", "facts.os.family ==")).status(http.StatusUnprocessableEntity)
		b.text("#e-filter")
		c := h.do(http.MethodPost, "/define/check", page.sent("#define", "depends_on", "load")).status(http.StatusUnprocessableEntity)
		c.text("#e-depends_on")
		d := h.do(http.MethodPost, "/define/check", page.sent("#define", "name", "other")).status(http.StatusUnprocessableEntity)
		d.text("#e-name")
		h.do(http.MethodPost, "/define/check", page.sent("#define", "rest", "---\nname: two\nexpression: \"true\"\nfilter: \"true\"\n")).status(http.StatusUnprocessableEntity)
		h.do(http.MethodPost, "/define/check", page.sent("#define", "rest", "\x00: [")).status(http.StatusUnprocessableEntity)
		h.do(http.MethodPost, "/define/check", page.sent("#define", "rest", strings.Repeat("#", 300<<10))).status(http.StatusUnprocessableEntity)
	})
	t.Run("a remedy that cannot be is one fault, and says by which key", func(t *testing.T) {
		page := h.get("/checks/load/edit")
		a := h.do(http.MethodPost, "/define/check", page.sent("#define", "rest", "on_change:\n  action: no.such\n")).status(http.StatusUnprocessableEntity)
		if got := a.text("#rest-faults .mark"); !strings.HasPrefix(got, `line 1: on_change.action: action "no.such"`) || len(query(a.doc, "#rest-faults .mark")) != 1 {
			t.Errorf("it says %s", got)
		}
	})
	t.Run("a look says what would change, and changes nothing", func(t *testing.T) {
		page := h.get("/checks/load/edit")
		a := h.do(http.MethodPost, "/define/check/look", page.sent("#define", "attempts", "5")).status(http.StatusOK)
		a.lists("#looked .gone", "- attempts: 3")
		a.lists("#looked .added", "+ attempts: 5")
		if !strings.Contains(a.text("#looked"), "It is about 2 nodes.") {
			t.Errorf("it says %s", a.text("#looked"))
		}
		if kept, _ := h.CheckDefinition(t.Context(), "load"); kept.Attempts != 3 {
			t.Error("it was saved")
		}
	})
	t.Run("a change to what has changed meanwhile is a conflict that is seen, and saves nothing", func(t *testing.T) {
		page := h.get("/checks/load/edit")
		kept, _ := h.CheckDefinition(t.Context(), "load")
		theirs := kept.CheckDefinition
		theirs.Attempts = 7
		if _, err := h.SaveCheck(t.Context(), server.CheckChange{Definition: theirs, Caller: server.Asker{Name: "dora", Role: string(auth.Admin)}, Admin: true}); err != nil {
			t.Fatal(err)
		}
		a := h.do(http.MethodPost, "/define/check", page.sent("#define", "notes", "mine")).status(http.StatusConflict)
		if got := a.text("#conflict h2"); !strings.HasPrefix(got, "dora changed it while you wrote") {
			t.Errorf("it says %q", got)
		}
		a.lists("#conflict .gone", "- attempts: 7", "- notes: |-", "- Two lines:", "- this is \"one\".")
		if got := a.sent("#define").Get("notes"); got != "mine" {
			t.Errorf("what was written is %q", got)
		}
		if now, _ := h.CheckDefinition(t.Context(), "load"); now.Attempts != 7 || now.Notes == "mine" {
			t.Errorf("kept is %+v", now.CheckDefinition)
		}
		h.do(http.MethodPost, "/checks/load/delete", url.Values{"rev": {page.attr(`#define input[name=rev]`, "value")}}).status(http.StatusConflict)
		over := a.attr(`#conflict button[name=over]`, "value")
		h.do(http.MethodPost, "/define/check", a.sent("#define", "over", over)).status(http.StatusSeeOther)
		if now, _ := h.CheckDefinition(t.Context(), "load"); now.Notes != "mine" {
			t.Errorf("kept is %+v", now.CheckDefinition)
		}
	})
	t.Run("a new one replaces nothing", func(t *testing.T) {
		form := h.get("/define/check").sent("#define", "name", "load", "what", "check_disk")
		a := h.do(http.MethodPost, "/define/check", form).status(http.StatusConflict)
		if got := a.text(".formed .notice"); got != "there is a check load already" {
			t.Errorf("it says %q", got)
		}
	})
	t.Run("what the server's configuration defines is shown, and not changed", func(t *testing.T) {
		a := h.get("/checks/check_disk/edit").status(http.StatusOK)
		if len(query(a.doc, "#define")) != 0 || !strings.Contains(a.text("pre.said-long"), "nrpe: check_disk") {
			t.Errorf("the page is %s", a.body)
		}
	})
	t.Run("it is deleted as it was looked at", func(t *testing.T) {
		page := h.get("/checks/load/edit")
		h.do(http.MethodPost, "/checks/load/delete", page.sent(`form[action=/checks/load/delete]`)).status(http.StatusSeeOther)
		h.get("/checks/load").status(http.StatusNotFound)
		gone := h.do(http.MethodPost, "/define/check", page.sent("#define")).status(http.StatusConflict)
		gone.wants("#conflict h2", "It was deleted while you wrote")
		h.do(http.MethodPost, "/define/check", gone.sent("#define", "over", "new")).status(http.StatusSeeOther)
	})
}

func TestTestingChecks(t *testing.T) {
	h, _ := defining(t)
	h.join(threeNodes()...)
	form := h.get("/define/check").sent("#define", "name", "cores", "asks", "expression", "what", "facts.processors.count > 4", "filter", "true", "node", "WEB2.acme.net")
	a := h.do(http.MethodPost, "/define/check/test", form).status(http.StatusOK)
	a.wants("#tested h2", "On web2.acme.net it would be critical")
	if _, err := h.CheckDefinition(t.Context(), "cores"); err == nil {
		t.Error("it was kept")
	}
	form.Set("node", "web77")
	h.do(http.MethodPost, "/define/check/test", form).status(http.StatusOK).wants(".formed .notice", "There is no node web77.")
	t.Run("a node answers, and what it says is shown without what a terminal alone understands", func(t *testing.T) {
		form := h.get("/define/check").sent("#define", "name", "odd", "what", "check_load", "filter", "nginx", "node", "web1.acme.net")
		done := make(chan answer, 1)
		go func() { done <- h.do(http.MethodPost, "/define/check/test", form) }()
		h.answer("web1.acme.net", fettle.Result{Output: &fettle.CheckOutput{
			Code: fettle.CodeWarning, Line: "\x1b[31mWARNING\x1b[0m <b>load</b>", Long: "\x1b]0;title\x07one\ntwo", Perfdata: []fettle.Perf{{Label: "load1", Value: new(3.0)}},
		}})
		b := <-done
		b.status(http.StatusOK).wants("#tested h2", "On web1.acme.net it would be warning")
		b.wants("#tested pre", "WARNING <b>load</b> one two")
		b.lists("#tested .perf tbody th", "load1")
	})
}
