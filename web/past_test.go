package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

// moved gives a house in which a node has changed, and the moment just before that.
func moved(t *testing.T) (*house, fettle.Millis) {
	t.Helper()
	h := newHouse(t)
	h.join(threeNodes()...)
	h.passes()
	facts := map[string]any{"environment": "testing", "os": map[string]any{"family": "Debian", "name": "Debian", "release": map[string]any{"full": "13.1", "major": "13"}}}
	h.join(member{id: "web2.acme.net", classes: []string{"nginx"}, facts: facts})
	changes, err := h.History(t.Context(), server.HistoryQuery{Node: "web2.acme.net", Path: fettle.Path{"environment"}})
	if err != nil || len(changes) != 1 {
		t.Fatal(changes, err)
	}
	return h, changes[0].At - 1
}

// passes waits until the clock has gone on, so that what follows is later than what was.
func (h *house) passes() {
	h.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for from := time.Now(); time.Since(from) < 5*time.Millisecond; {
		<-tick.C
	}
}

func TestPast(t *testing.T) {
	h, before := moved(t)
	at := momentText(before)

	t.Run("has the facts of then, and says so", func(t *testing.T) {
		h.get(where(`facts.os.release.major == "12"`)).lists(".nodes a.row", "web1.acme.net")
		a := h.get(where(`facts.os.release.major == "12"`, "as_of", at)).status(http.StatusOK)
		a.lists(".nodes a.row", "web1.acme.net", "web2.acme.net")
		a.lists(".nodes td[data-label=os.release.full]", "12.5", "12.5")
		if banner := a.text(".past p"); !strings.HasPrefix(banner, "The past: facts as of "+before.Time().Format("2006-01-02")) {
			t.Errorf("the banner says %q", banner)
		}
		h.get(a.attr(".past a", "href")).status(http.StatusOK).lists(".nodes a.row", "web1.acme.net")
		h.get("/nodes").lists(".past")
	})
	t.Run("has no liveness, and does not follow the present", func(t *testing.T) {
		a := h.get("/nodes?as_of=" + at)
		a.lists(".nodes thead th", "Node", "os.name", "os.release.full")
		a.lists("main .is-alive")
		a.lists("#refresher")
		a.lists("body[data-live]")
		h.get(where(`liveness == "alive"`, "as_of", at)).status(http.StatusUnprocessableEntity).lists(".past a", "Back to now")
	})
	t.Run("counts values of then", func(t *testing.T) {
		h.get("/nodes?facet=environment").lists(".facet .bars a", "production1", "testing1", "missing1")
		a := h.get("/nodes?facet=environment&as_of=" + at).status(http.StatusOK)
		a.lists(".facet .bars a", "production1", "staging1", "missing1")
		h.get(a.linkTo(".facet", "staging")).lists(".nodes a.row", "web2.acme.net")
	})
	t.Run("stays while somebody types, orders and opens a node", func(t *testing.T) {
		a := h.get(where("nginx", "as_of", at))
		if got := a.attr("#results input[name=as_of][form]", "value"); got != at {
			t.Errorf("typing asks about %q", got)
		}
		h.get(a.linkTo(".nodes thead", "os.name")).lists(".past a", "Back to now")
		b := h.get(a.linkTo(".nodes tbody", "web2")).status(http.StatusOK)
		b.lists(".past a", "Back to now")
		b.lists("#checks-title")
		b.lists(".head .mark")
		h.get("/nodes/web2.acme.net?q=environment&as_of="+at).lists(".leaf .value", "staging")
		if got := b.attr("#search input[name=as_of]", "value"); got != at {
			t.Errorf("the search asks about %q", got)
		}
		c := h.get("/nodes/web2.acme.net?q=environment&as_of=" + at)
		h.get(c.linkTo(".leaf", "alike")).lists(".nodes a.row", "web2.acme.net")
		h.get(b.attr(".past a", "href")+"?q=environment").lists(".leaf .value", "testing")
	})
	t.Run("is chosen by a form, and the shell can ask the same", func(t *testing.T) {
		a := h.get(where("nginx", "as_of", at, "sort", "os.name"))
		if a.attr("#as_of", "value") != at || a.attr("#as_of", "type") != "datetime-local" {
			t.Error("the form forgets the moment")
		}
		if got := a.texts(".same code")[0]; got != "fettle find -W nginx --sort os.name --as-of "+stampOf(before) {
			t.Errorf("the command is %q", got)
		}
	})
	t.Run("is not explained", func(t *testing.T) {
		h.get(where("nginx", "as_of", at, "explain", "1")).status(http.StatusOK).wants("#explain .is-critical", "Clauses are counted for the present only.")
	})
	t.Run("that is none has a way back", func(t *testing.T) {
		future := momentText(fettle.MillisOf(time.Now().Add(time.Hour)))
		a := h.get(where("nginx", "as_of", future)).status(http.StatusUnprocessableEntity)
		if said := a.text(".fault .mark"); !strings.Contains(said, "has not come yet") {
			t.Errorf("it says %q", said)
		}
		a.lists(".past a", "Back to now")
		h.get("/nodes?as_of=soon").status(http.StatusUnprocessableEntity)
		early := momentText(fettle.MillisOf(time.Now().Add(-time.Hour)))
		h.get("/nodes/web1.acme.net?as_of=" + early).status(http.StatusNotFound)
		h.get("/nodes?as_of=" + early).status(http.StatusOK).lists(".nodes a.row")
	})
}

func TestHistory(t *testing.T) {
	h, before := moved(t)
	t.Run("lists what changed, with what was before", func(t *testing.T) {
		a := h.get("/nodes/web2.acme.net").status(http.StatusOK)
		a.lists("#history tbody th", "environment", "motd", "os.release.full", "os.release.major", "processors.count")
		a.lists("#history .old", "staging", "empty", "12.5", "12", "4")
		a.lists("#history .new", "testing", "—", "13.1", "13", "—")
		h.get("/nodes/web1.acme.net").lists("#history tbody tr")
	})
	t.Run("leads to the history of one fact, and back", func(t *testing.T) {
		a := h.get("/nodes/web2.acme.net")
		b := h.get(strings.TrimSuffix(a.linkTo("#history", "os.release.full"), "#history")).status(http.StatusOK)
		b.lists("#history tbody th", "os.release.full")
		b.wants("#history h2", "History of os.release.full")
		if n := len(query(h.get(strings.TrimSuffix(b.linkTo("#history", "Of all facts"), "#history")).doc, "#history tbody tr")); n != 5 {
			t.Errorf("%d changes of all facts", n)
		}
		h.get("/nodes/web2.acme.net?history=os").lists("#history tbody th", "os.release.full", "os.release.major")
		c := h.get("/nodes/web2.acme.net?q=environment")
		h.get(strings.TrimSuffix(c.linkTo(".leaf", "history"), "#history")).lists("#history .old", "staging")
	})
	t.Run("leads to the node as it was then", func(t *testing.T) {
		a := h.get("/nodes/web2.acme.net?history=environment&q=environment")
		to, err := url.Parse(a.attr("#history .at a", "href"))
		if err != nil {
			t.Fatal(err)
		}
		if got := to.Query().Get("as_of"); got != momentText(before+1) {
			t.Errorf("leads to %q", got)
		}
		h.get(to.String()).status(http.StatusOK).lists(".leaf .value", "testing")
	})
	t.Run("refuses what is no path and no page", func(t *testing.T) {
		h.get("/nodes/web2.acme.net?history=a..b").status(http.StatusUnprocessableEntity)
		h.get("/nodes/web2.acme.net?before=x").status(http.StatusUnprocessableEntity)
	})
}

func TestLongHistory(t *testing.T) {
	h := newHouse(t)
	for round := range 2 {
		facts := map[string]any{}
		for i := range maxChanges + 5 {
			facts[fmt.Sprintf("f%03d", i)] = round
		}
		h.join(member{id: "busy", facts: facts})
		h.passes()
	}
	a := h.get("/nodes/busy").status(http.StatusOK)
	if n := len(query(a.doc, "#history tbody tr")); n != maxChanges {
		t.Fatalf("%d changes", n)
	}
	b := h.get(strings.TrimSuffix(a.linkTo("#history", "Older"), "#history")).status(http.StatusOK)
	if n := len(query(b.doc, "#history tbody tr")); n != 5 {
		t.Errorf("%d older changes", n)
	}
	c := h.get(strings.TrimSuffix(b.linkTo("#history", "The newest"), "#history"))
	if first := a.texts("#history tbody th")[0]; c.texts("#history tbody th")[0] != first {
		t.Errorf("the newest is not %s", first)
	}
}

func TestMoments(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "2026-11-14T09:00": "2026-11-14T09:00", "2026-11-14 09:00": "2026-11-14T09:00", "2026-11-14": "2026-11-14T00:00", "2026-11-14T09:00:05": "2026-11-14T09:00:05",
		"2026-11-14T09:00:00.25": "2026-11-14T09:00:00.25", "2026-11-14T09:00:00+02:00": "2026-11-14T07:00",
	} {
		at, err := parseMoment(text)
		if got := momentText(at); err != nil || got != want {
			t.Errorf("%q is %q, want %q (%v)", text, got, want, err)
		}
	}
	for _, text := range []string{"soon", "1970-01-01", "1960-01-01T00:00", "2026-13-01", "9999-12-31T23:59:59-10:00", strings.Repeat("2", 1000)} {
		if at, err := parseMoment(text); err == nil {
			t.Errorf("%.30q is %s", text, at.Time())
		}
	}
}
