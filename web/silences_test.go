package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

func TestSilences(t *testing.T) {
	h := sickHouse(t)
	h.cookie = h.signIn(auth.Operator)
	form := url.Values{"checks": {"check_disk"}, "where": {"role=web"}, "for": {"4h"}, "reason": {"disks are being swapped"}}
	t.Run("the form of a check is filled in", func(t *testing.T) {
		a := h.get(h.get("/checks/check_disk").linkTo(".doings", "Silence")).status(http.StatusOK)
		if a.attr("#checks", "value") != "check_disk" || a.text("#where-silence") != "true" {
			t.Error(a.body)
		}
	})
	t.Run("it is looked at first", func(t *testing.T) {
		a := h.do(http.MethodPost, "/silences/preview", form).status(http.StatusOK)
		a.wants("#preview-title", "It would hide 1 bad state now")
		if got := h.get("/silences").texts(".vrow"); len(got) != 0 {
			t.Errorf("it holds already: %q", got)
		}
		b := h.do(http.MethodPost, "/silences", hidden(a, "#keep")).status(http.StatusSeeOther)
		if b.Header.Get("Location") != "/silences" {
			t.Errorf("it leads to %q", b.Header.Get("Location"))
		}
	})
	t.Run("what it hides stands beside the counts, and the page says by whom", func(t *testing.T) {
		eventually(t, "the silence holds", func() bool {
			return strings.Contains(strings.Join(h.get("/checks/check_disk").texts(".big .counted span"), " "), "1 silenced")
		})
		a := h.get("/checks/check_disk")
		if text := strings.Join(a.texts(".second p"), " "); !strings.Contains(text, "1 silenced by ann") || !strings.Contains(text, "disks are being swapped") {
			t.Error(text)
		}
	})
	t.Run("it is listed, and ended early", func(t *testing.T) {
		a := h.get("/silences").status(http.StatusOK)
		a.lists("h2", "In force", "Keys")
		end := attr(query(a.doc, ".silence form")[0], "action")
		h.do(http.MethodPost, end, url.Values{}).status(http.StatusSeeOther)
		h.do(http.MethodPost, end, url.Values{}).status(http.StatusConflict)
		h.get("/silences").lists(".silence")
		if n := len(h.get("/silences?over=1").texts(".silence")); n != 1 {
			t.Errorf("%d are over", n)
		}
	})
	t.Run("one that comes again waits", func(t *testing.T) {
		again := url.Values{"checks": {"check_*"}, "for": {"30d"}, "reason": {"patching"}, "cron": {fmt.Sprintf("0 %d * * *", (time.Now().UTC().Hour()+12)%24)}, "duration": {"2h"}, "zone": {"Africa/Abidjan"}}
		h.do(http.MethodPost, "/silences", again).status(http.StatusSeeOther)
		if text := strings.Join(h.get("/silences").texts(".silence"), " "); !strings.Contains(text, "patching") || !strings.Contains(text, "Africa/Abidjan") {
			t.Error(text)
		}
	})
	t.Run("what it cannot be is said in the form, and nothing that was typed is lost", func(t *testing.T) {
		for _, bad := range []url.Values{
			{"checks": {"x"}, "for": {"4h"}}, {"reason": {"r"}, "for": {"soon"}}, {"reason": {"r"}, "for": {"1h"}, "where": {"facts.os.family =="}}, {"reason": {"r"}, "for": {"1h"}, "cron": {"x"}, "duration": {"1h"}},
		} {
			a := h.do(http.MethodPost, "/silences", bad).status(http.StatusUnprocessableEntity)
			if a.text(".formed .notice") == "" || a.attr("#reason", "value") != bad.Get("reason") {
				t.Error(a.body)
			}
		}
	})
	t.Run("a viewer silences nothing", func(t *testing.T) {
		h.cookie = h.signIn(auth.Viewer)
		h.do(http.MethodPost, "/silences", form).status(http.StatusForbidden)
		h.do(http.MethodPost, "/silences/x/end", url.Values{}).status(http.StatusForbidden)
		h.do(http.MethodPost, "/now/silence", url.Values{"check": {"check_disk"}, "for": {"1h"}}).status(http.StatusForbidden)
		if n := len(query(h.get("/silences").doc, "main form")) + len(query(h.get("/now").doc, "form")); n != 0 {
			t.Errorf("%d forms", n)
		}
	})
}

// hidden gives the fields of a form as they are.
func hidden(a answer, form string) url.Values {
	out := url.Values{}
	for _, n := range query(a.doc, form+" input") {
		out.Add(attr(n, "name"), attr(n, "value"))
	}
	return out
}

func TestNow(t *testing.T) {
	h := sickHouse(t)
	h.cookie = h.signIn(auth.Operator)
	t.Run("it says what is wrong, since when, how many and where, and needs no script", func(t *testing.T) {
		a := h.get("/now").status(http.StatusOK)
		a.lists(".item .name", "check_disk")
		a.lists(".item .counted span", "2 critical", "1 warning", "9 ok")
		a.lists(".item .names", "node[003-004]", "node005")
		a.wants(".item .says", "DISK CRITICAL - / 2% free")
		for _, n := range query(a.doc, "script") {
			if !has(n, "defer") {
				t.Error("a script stands in the way")
			}
		}
	})
	t.Run("all that it loads is below 50 KB", func(t *testing.T) {
		a := h.get("/now")
		total := len(a.body)
		for _, n := range append(query(a.doc, "script"), query(a.doc, "head link")...) {
			total += len(h.get(attr(n, "src") + attr(n, "href")).body)
		}
		if total > 50_000 {
			t.Errorf("it is %d bytes", total)
		}
	})
	t.Run("one tap silences those nodes, and another takes it back", func(t *testing.T) {
		form := hidden(h.get("/now"), ".quiet-for")
		form.Set("for", "4h")
		to := h.do(http.MethodPost, "/now/silence", form).status(http.StatusSeeOther).Header.Get("Location")
		eventually(t, "it is silenced", func() bool { return len(h.get(to).texts(".item")) == 0 })
		a := h.get(to).status(http.StatusOK)
		if text := a.text(".done p"); !strings.Contains(text, "check_disk is silenced until") {
			t.Error(text)
		}
		h.check("node007", "check_disk", fettle.CodeCritical, "DISK CRITICAL")
		eventually(t, "what becomes bad elsewhere is told", func() bool { return strings.Contains(strings.Join(h.get("/now").texts(".names"), ""), "node007") })
		undo := attr(query(a.doc, ".done form")[0], "action")
		back := h.do(http.MethodPost, undo, hidden(a, ".done")).status(http.StatusSeeOther).Header.Get("Location")
		if back != "/now" {
			t.Errorf("it leads to %q", back)
		}
		eventually(t, "it is told again", func() bool { return len(h.get("/now").texts(".item .names")) == 2 })
	})
	t.Run("nothing that is not defined is silenced", func(t *testing.T) {
		h.do(http.MethodPost, "/now/silence", url.Values{"check": {"nobody"}, "for": {"1h"}}).status(http.StatusNotFound)
		h.do(http.MethodPost, "/now/silence", url.Values{"check": {"check_disk"}, "for": {"-1h"}}).status(http.StatusUnprocessableEntity)
	})
}

func TestMorning(t *testing.T) {
	vienna := time.FixedZone("CET", 3600)
	for _, c := range []struct{ now, want string }{
		{"2026-11-21T03:12:00", "2026-11-21T08:00:00"}, {"2026-11-21T07:45:00", "2026-11-22T08:00:00"}, {"2026-11-21T22:00:00", "2026-11-22T08:00:00"},
	} {
		now, err := time.ParseInLocation("2006-01-02T15:04:05", c.now, vienna)
		if err != nil {
			t.Fatal(err)
		}
		if got := morning(now).Format("2006-01-02T15:04:05"); got != c.want {
			t.Errorf("after %s the morning is %s, want %s", c.now, got, c.want)
		}
	}
}

func TestBadNodesOfASilence(t *testing.T) {
	few := fettle.Verdict{Nodes: map[fettle.CheckStatus][]fettle.NodeID{"critical": {"b"}, "warning": {"a"}}}
	if got := badNodes(few); got != `identity in ["a", "b"]` {
		t.Errorf("got %s", got)
	}
	many := fettle.Verdict{Nodes: map[fettle.CheckStatus][]fettle.NodeID{"critical": make([]fettle.NodeID, namedQuiet+1)}}
	if got := badNodes(many); got != everyNode {
		t.Errorf("got %s", got)
	}
}

func TestCommandOfASilence(t *testing.T) {
	now := time.Date(2026, 11, 21, 3, 12, 0, 0, time.UTC)
	for _, c := range []struct {
		form silenceForm
		want string
	}{
		{silenceForm{Where: everyNode, Checks: "disk_*, load", For: untilMorning, Reason: "it's known"}, `fettle silence add --all --check 'disk_*' --check load --until 2026-11-21T08:00 --reason 'it'\''s known'`},
		{silenceForm{Where: "role=web", Statuses: []string{"warning"}, For: "7d", Cron: "0 2 * * 6", Duration: "2h"}, `fettle silence add -W role=web --status warning --for 7d --cron '0 2 * * 6' --duration 2h`},
		{silenceForm{Where: `facts.role == "web"`, For: "1h"}, `fettle silence add 'facts.role == "web"' --for 1h`},
	} {
		if got := c.form.command(now); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
