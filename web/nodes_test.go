package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestExplorer(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)

	t.Run("without a filter it lists all nodes", func(t *testing.T) {
		a := h.get("/nodes").status(http.StatusOK)
		a.lists(".nodes a.row", "db1.acme.net", "web1.acme.net", "web2.acme.net")
		a.lists(".nodes thead th", "Node", "State", "os.name", "os.release.full", "Seen")
		a.wants(".counts strong", "3")
		a.lists("#n-db1.acme.net")
		if got := a.texts(".nodes td[data-label=os.name]"); strings.Join(got, " ") != "AlmaLinux Debian Debian" {
			t.Errorf("os.name is %q", got)
		}
	})
	t.Run("a filter in CEL, with those of which it cannot be said", func(t *testing.T) {
		a := h.get(where(`facts.environment != "production"`)).status(http.StatusOK)
		a.lists(".nodes a.row", "web2.acme.net")
		a.wants(".undefined", "1 undefined: facts.environment missing")
		a.wants("#where", `facts.environment != "production"`)
		h.get(a.attr(".undefined a", "href")).lists(".nodes a.row", "db1.acme.net")
	})
	t.Run("a filter in the short form, and what it is in CEL", func(t *testing.T) {
		a := h.get(where("nginx environment=production")).status(http.StatusOK)
		a.lists(".nodes a.row", "web1.acme.net")
		if cel := a.text(".cel code"); !strings.Contains(cel, "in classes") || !strings.Contains(cel, "facts.environment") {
			t.Errorf("the translation is %q", cel)
		}
		a.lists(".same code", `fettle find -W 'nginx environment=production'`,
			`curl -sG -H "Authorization: Bearer $FETTLE_TOKEN" http://example.com/api/v1/nodes --data-urlencode 'short=nginx environment=production' --data-urlencode fields=os.name,os.release.full`)
	})
	t.Run("a fault has its line, column and a caret, and a status", func(t *testing.T) {
		a := h.get(where("facts.os.family ==")).status(http.StatusUnprocessableEntity)
		if place := a.text(".fault .small"); !strings.HasPrefix(place, "line 1, column ") {
			t.Errorf("the place is %q", place)
		}
		a.wants(".fault pre", "facts.os.family == ^") // behind the end
		a.wants(".fault .caret", "^")
		h.get(where("facts.os.family = 1")).wants(".fault mark", "=^")
		long := h.get(where(strings.Repeat("facts.a == 1 && ", 40) + "facts.b = 1" + strings.Repeat(" && facts.a == 1", 40)))
		long.wants(".fault mark", "=^")
		if n := len(long.text(".fault pre")); n > 2*nearFault+2 {
			t.Errorf("%d characters are shown", n)
		}
		a.lists(".nodes a.row")
		a.wants("#where", "facts.os.family ==")
	})
	t.Run("for htmx a fault replaces the status only, so that the last good table stays", func(t *testing.T) {
		a := h.part(where("facts.os.family ==")).status(http.StatusOK)
		if a.Header.Get("HX-Retarget") != "#status" || len(query(a.doc, "#results")) != 0 || len(query(a.doc, "#status .fault")) != 1 {
			t.Errorf("%v %s", a.Header, a.body)
		}
	})
	t.Run("for htmx the piece alone, and the URL that leads to it", func(t *testing.T) {
		a := h.part(where("nginx", "cols", "os.name,os.release.full")).status(http.StatusOK)
		a.lists("#explorer a.row", "web1.acme.net", "web2.acme.net")
		if len(query(a.doc, "header")) != 0 || a.Header.Get("HX-Replace-Url") != "/nodes?where=nginx" || a.Header.Get("Vary") != "HX-Request" {
			t.Errorf("%v %s", a.Header, a.body)
		}
	})
	t.Run("htmx that goes back in history gets all of it", func(t *testing.T) {
		if a := h.part(where("nginx"), "HX-History-Restore-Request", "true"); len(query(a.doc, "header")) == 0 {
			t.Error(a.body)
		}
	})
	t.Run("a path that no node has is hinted at", func(t *testing.T) {
		a := h.get(where(`facts.os.famly == "Debian"`)).status(http.StatusOK)
		if hint := a.text(".hint"); !strings.Contains(hint, "facts.os.family") {
			t.Errorf("the hint is %q", hint)
		}
	})
	t.Run("who types a part of a name is led to the nodes", func(t *testing.T) {
		a := h.get(where("web")).status(http.StatusOK)
		a.lists(".nodes a.row")
		h.get(a.attr(".hint a", "href")).lists(".nodes a.row", "web1.acme.net", "web2.acme.net")
	})
	t.Run("a filter that matches nobody says so", func(t *testing.T) {
		a := h.get(where(`facts.os.family == "Plan9"`)).status(http.StatusOK)
		a.wants(".counts strong", "0")
		if !strings.HasPrefix(a.text(".empty"), "No node matches.") {
			t.Error(a.body)
		}
	})
	t.Run("a filter that is not bool, or dear, is a fault and no crash", func(t *testing.T) {
		for _, filter := range []string{"facts.os.family + 1", `"a`, "((((", "facts.x ==", "!!", `facts.a.matches("(")`} {
			if a := h.get(where(filter)); a.StatusCode != http.StatusUnprocessableEntity || len(query(a.doc, ".fault")) != 1 {
				t.Errorf("%q: status %d, %s", filter, a.StatusCode, a.texts("#status"))
			}
		}
	})
}

func TestColumns(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	t.Run("are chosen by the URL", func(t *testing.T) {
		a := h.get(`/nodes?cols=` + url.QueryEscape(`processors.count,classes,mountpoints."/boot".size`)).status(http.StatusOK)
		a.lists(".nodes thead th", "Node", "State", "processors.count", "classes", `mountpoints."/boot".size`, "Seen")
		a.lists(".nodes td[data-label=processors.count]", "32", "8", "4")
		a.lists(".nodes td[data-label=classes]", "mysql::master", "base::ntp nginx", "nginx")
		if got := strings.Join(a.texts(`.nodes td[data-label=mountpoints."/boot".size]`), "|"); got != "—|1 GiB|—" {
			t.Errorf("sizes are %s", got)
		}
		a.lists(".same code", `fettle find --fields 'processors.count,classes,mountpoints."/boot".size'`,
			`curl -sG -H "Authorization: Bearer $FETTLE_TOKEN" http://example.com/api/v1/nodes --data-urlencode 'fields=processors.count,classes,mountpoints."/boot".size'`)
	})
	t.Run("are added by a form, and taken out by a link", func(t *testing.T) {
		a := h.get("/nodes?where=nginx&add=facts.processors.count").status(http.StatusSeeOther)
		to := a.Header.Get("Location")
		a = h.get(to).status(http.StatusOK)
		a.lists(".nodes thead th", "Node", "State", "os.name", "os.release.full", "processors.count", "Seen")
		a = h.get(a.linkTo(".columns", "Remove the column os.name")).status(http.StatusOK)
		a.lists(".nodes thead th", "Node", "State", "os.release.full", "processors.count", "Seen")
		a.wants("#where", "nginx")
	})
	t.Run("may have any key", func(t *testing.T) {
		path := fettle.Path{`a "b", c\`, "d e"}.String()
		a := h.get(where("", "cols", path+",os.name")).status(http.StatusOK)
		a.lists(".nodes thead th", "Node", "State", path, "os.name", "Seen")
		h.get(a.linkTo(".columns", "Remove the column os.name")).lists(".nodes thead th", "Node", "State", path, "Seen")
	})
	t.Run("may all be taken out", func(t *testing.T) {
		a := h.get("/nodes?cols=os.name").status(http.StatusOK)
		h.get(a.linkTo(".columns", "Remove")).lists(".nodes thead th", "Node", "State", "Seen")
	})
	t.Run("that cannot be are refused", func(t *testing.T) {
		for _, bad := range []string{`/nodes?cols=a..b`, `/nodes?facet=a..b`, `/nodes?cols=` + strings.Repeat("a,b,c,d", 40), `/nodes?where=` + strings.Repeat("a", maxWhere+1)} {
			a := h.get(bad)
			if len(bad) < 1000 && a.StatusCode != http.StatusUnprocessableEntity && !strings.Contains(bad, "a,b") {
				t.Errorf("%s: %d", bad, a.StatusCode)
			}
			if len(bad) > 10_000 && a.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("a long one: %d", a.StatusCode)
			}
		}
	})
}

func TestPages(t *testing.T) {
	h := newHouse(t)
	h.join(manyNodes(pageSize + 5)...)
	first := h.get("/nodes").status(http.StatusOK)
	if n := len(query(first.doc, ".nodes a.row")); n != pageSize {
		t.Fatalf("%d rows", n)
	}
	more := first.attr("#more a", "href")
	t.Run("the next one by a plain link", func(t *testing.T) {
		a := h.get(more).status(http.StatusOK)
		a.lists(".nodes a.row", "node100", "node101", "node102", "node103", "node104")
		a.lists("#more")
		h.get(a.attr(".earlier a", "href")).status(http.StatusOK).lists("#n-node000", "node000")
	})
	t.Run("the next rows by htmx", func(t *testing.T) {
		req := h.part(more).status(http.StatusOK)
		if !strings.HasPrefix(strings.TrimSpace(req.body), "<tbody>") || strings.Count(req.body, "<tr>") != 5 {
			t.Errorf("got %s", req.body)
		}
	})
	t.Run("what was drawn is drawn again", func(t *testing.T) {
		a := h.part("/nodes?limit=105").status(http.StatusOK)
		if n := len(query(a.doc, "a.row")); n != 105 {
			t.Errorf("%d rows", n)
		}
		a.lists("#more")
	})
	t.Run("a cursor that nobody gave is refused", func(t *testing.T) {
		if a := h.get("/nodes?cursor=%21%21"); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("status %d", a.StatusCode)
		}
	})
}

func TestFacets(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	t.Run("count the values of a fact, each a link that narrows", func(t *testing.T) {
		a := h.get("/nodes?facet=os.family").status(http.StatusOK)
		a.lists(".facet .bars a", "Debian2", "RedHat1")
		b := h.get(a.linkTo(".facet", "Debian")).status(http.StatusOK)
		b.wants("#where", `facts.os.family == "Debian"`)
		b.lists(".nodes a.row", "web1.acme.net", "web2.acme.net")
		b.lists(".facet [aria-current]", "Debian× 2")
		c := h.get(b.linkTo(".facet", "Debian")).status(http.StatusOK)
		c.wants("#where", "")
		c.wants(".counts strong", "3")
	})
	t.Run("over the nodes that match, those that lack it as well", func(t *testing.T) {
		a := h.get("/nodes?facet=environment").status(http.StatusOK)
		a.lists(".facet .bars a", "production1", "staging1", "missing1")
		h.get(a.linkTo(".facet", "missing")).lists(".nodes a.row", "db1.acme.net")
		h.get(where("nginx", "facet", "environment")).lists(".facet .bars a", "production1", "staging1")
	})
	t.Run("keep the short form short", func(t *testing.T) {
		a := h.get(where("nginx", "facet", "environment"))
		b := h.get(a.linkTo(".facet", "staging")).status(http.StatusOK)
		b.wants("#where", "nginx environment=staging")
		b.lists(".nodes a.row", "web2.acme.net")
	})
	t.Run("of a path with odd keys, and of values that no word can be", func(t *testing.T) {
		a := h.get("/nodes?facet=" + url.QueryEscape(`mountpoints."/boot".size`)).status(http.StatusOK)
		h.get(a.linkTo(".facet", "1 GiB")).lists(".nodes a.row", "web1.acme.net")
		h.get(a.linkTo(".facet", "missing")).lists(".nodes a.row", "db1.acme.net", "web2.acme.net")
		b := h.get("/nodes?facet=motd").status(http.StatusOK)
		h.get(b.linkTo(".facet", "empty")).lists(".nodes a.row", "web2.acme.net")
	})
	t.Run("are offered: what splits the fleet", func(t *testing.T) {
		a := h.get("/nodes")
		if got := a.texts(".split .bars .path"); len(got) == 0 || got[0] != "environment" {
			t.Errorf("offered are %q", got)
		}
		a.lists(".side .bars .is-alive", "alive")
		h.get(a.linkTo(".side", "silent")).wants(".counts strong", "0")
	})
}
