package web

import (
	"net/http"
	"strings"
	"testing"
)

func TestSort(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	h.join(member{id: "bare.acme.net", facts: map[string]any{"role": "none"}})
	const cols = "cols=processors.count,classes"

	t.Run("without a wish is by name", func(t *testing.T) {
		a := h.get("/nodes?" + cols)
		if a.attr(".nodes thead th[aria-sort]", "aria-sort") != "ascending" || a.text(".nodes thead th[aria-sort]") != "Node" {
			t.Error(a.texts(".nodes thead th"))
		}
		if n := len(query(a.doc, ".nodes thead a.by")); n != 2 { // classes are no fact
			t.Errorf("%d columns can be ordered by", n)
		}
	})
	t.Run("is by a column's numbers as numbers, and turned round by the same link", func(t *testing.T) {
		a := h.get("/nodes?" + cols + "&facet=os.family")
		a = h.get(a.linkTo(".nodes thead", "processors.count")).status(http.StatusOK)
		a.lists(".nodes a.row", "web2.acme.net", "web1.acme.net", "db1.acme.net", "bare.acme.net")
		if a.attr(".nodes thead th[aria-sort]", "aria-sort") != "ascending" || a.text(".nodes thead th[aria-sort]") != "processors.count" {
			t.Error(a.body)
		}
		a.lists(".facet .bars a", "Debian2", "RedHat1", "missing1")
		a = h.get(a.linkTo(".nodes thead", "processors.count")).status(http.StatusOK)
		a.lists(".nodes a.row", "db1.acme.net", "web1.acme.net", "web2.acme.net", "bare.acme.net") // what lacks it is last all the same
		if got := a.attr(".nodes thead th[aria-sort]", "aria-sort"); got != "descending" {
			t.Errorf("aria-sort is %q", got)
		}
		h.get(a.linkTo(".nodes thead", "Node")).lists(".nodes a.row", "bare.acme.net", "db1.acme.net", "web1.acme.net", "web2.acme.net")
	})
	t.Run("by name can be turned round", func(t *testing.T) {
		a := h.get(h.get("/nodes").linkTo(".nodes thead", "Node")).status(http.StatusOK)
		a.lists(".nodes a.row", "web2.acme.net", "web1.acme.net", "db1.acme.net", "bare.acme.net")
	})
	t.Run("stays when the filter and the columns change", func(t *testing.T) {
		const sorted = "/nodes?where=nginx&sort=processors.count&desc=1&" + cols
		a := h.get(sorted).status(http.StatusOK)
		if a.attr("#results input[name=sort][form]", "form") != "ask" || a.attr("#results input[name=desc][form]", "form") != "ask" {
			t.Error("typing loses the order")
		}
		if got := a.attr(".columns .pick input[name=sort]", "value"); got != "processors.count" {
			t.Errorf("the form has %q", got)
		}
		b := h.get(a.linkTo(".columns", "Remove the column classes"))
		b.lists(".nodes a.row", "web1.acme.net", "web2.acme.net")
		if got := h.part(sorted).Header.Get("HX-Replace-Url"); !strings.Contains(got, "desc=1&sort=processors.count") {
			t.Errorf("the URL is %q", got)
		}
		a.lists(".same code", "fettle find -W nginx --fields processors.count,classes --sort processors.count --desc",
			`curl -sG -H "Authorization: Bearer $FETTLE_TOKEN" http://example.com/api/v1/nodes --data-urlencode short=nginx --data-urlencode fields=processors.count,classes --data-urlencode sort=processors.count --data-urlencode desc=true`)
	})
	t.Run("is offered on a small screen, where the table has no head", func(t *testing.T) {
		a := h.get("/nodes?" + cols)
		h.get(a.linkTo(".order", "processors.count")).lists(".nodes a.row", "web2.acme.net", "web1.acme.net", "db1.acme.net", "bare.acme.net")
	})
	t.Run("by what is no path is refused", func(t *testing.T) {
		h.get("/nodes?sort=a..b").status(http.StatusUnprocessableEntity)
		h.get("/nodes?sort=classes").status(http.StatusOK).lists(".nodes thead th[aria-sort]", "Node")
	})
}

func TestSortGoesOnOverPages(t *testing.T) {
	h := newHouse(t)
	h.join(manyNodes(pageSize + 5)...)
	a := h.get("/nodes?sort=n&desc=1").status(http.StatusOK)
	if first := a.texts(".nodes a.row")[0]; first != "node104" {
		t.Errorf("the first is %s", first)
	}
	h.get(a.attr("#more a", "href")).status(http.StatusOK).lists(".nodes a.row", "node004", "node003", "node002", "node001", "node000")
}
