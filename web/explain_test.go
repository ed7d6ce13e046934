package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

func TestExplain(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	filter := `facts.os.family == "Debian" && (facts.environment == "production" || "mysql::master" in classes)`

	t.Run("is a link beside the filter", func(t *testing.T) {
		a := h.get(where(filter, "cols", "os.name"))
		a.lists("#explain")
		b := h.get(a.linkTo(".counts", "Explain the filter")).status(http.StatusOK)
		b.wants("#explain h2", "The filter, clause by clause")
		b.lists(".nodes thead th", "Node", "State", "os.name", "Seen")
		h.get(b.attr("#explain .close", "href")).status(http.StatusOK).lists("#explain")
		h.get("/nodes").lists(".counts a")
		h.get("/nodes?explain=1").status(http.StatusOK).lists("#explain")
	})
	t.Run("counts each clause, and how it is answered", func(t *testing.T) {
		a := h.get(where(filter, "explain", "1")).status(http.StatusOK)
		a.wants("#explain .cel code", filter)
		a.lists(".clauses tbody th", "all of", `facts.os.family == "Debian"`, "any of", `facts.environment == "production"`, `"mysql::master" in classes`)
		a.lists(".clauses tbody tr", "all of120", `facts.os.family == "Debian"210index over facts.os.family`, "any of210",
			`facts.environment == "production"111index over facts.environment`, `"mysql::master" in classes120index over classes`)
		h.get(a.linkTo(".clauses", "in classes")).lists(".nodes a.row", "db1.acme.net")
	})
	t.Run("says by what the filter is undefined", func(t *testing.T) {
		a := h.get(where(`facts.environment == "production"`, "explain", "1"))
		a.lists("#explain .missing li", "facts.environment missing 1")
		h.get(a.linkTo("#explain .missing", "environment")).lists(".nodes a.row", "db1.acme.net")
	})
	t.Run("leads from a path that no node has to the one that was meant", func(t *testing.T) {
		a := h.get(where(`facts.os.famly == "Debian"`, "explain", "1"))
		a.lists("#explain .nowhere li", "facts.os.famly, perhaps facts.os.family")
		h.get(a.linkTo("#explain .nowhere", "family")).lists(".nodes a.row", "web1.acme.net", "web2.acme.net")
	})
	t.Run("takes the short form apart in CEL", func(t *testing.T) {
		a := h.get(where("nginx environment=staging", "explain", "1"))
		if cel := a.text("#explain .cel code"); !strings.Contains(cel, `"nginx" in classes`) {
			t.Errorf("the filter is %q", cel)
		}
		if n := len(query(a.doc, ".clauses tbody tr")); n != 3 {
			t.Errorf("%d clauses", n)
		}
	})
	t.Run("follows the filter as it is typed", func(t *testing.T) {
		a := h.part(where("nginx", "explain", "1")).status(http.StatusOK)
		a.lists("#explorer .clauses tbody th", `"nginx" in classes`)
		if a.attr("input[name=explain][form]", "form") != "ask" || a.Header.Get("HX-Replace-Url") != "/nodes?explain=1&where=nginx" {
			t.Errorf("%v", a.Header)
		}
	})
	t.Run("of a long filter shows no more than a person reads", func(t *testing.T) {
		a := h.get(where(strings.TrimPrefix(strings.Repeat(` || facts.os.name == "x"`, maxClauses+10), " || "), "explain", "1")).status(http.StatusOK)
		if n := len(query(a.doc, ".clauses tbody tr")); n != maxClauses || !strings.Contains(a.text("#explain"), "more clauses") {
			t.Errorf("%d rows", n)
		}
	})
	t.Run("sends who asks about a node to its page", func(t *testing.T) {
		a := h.get("/nodes?where=nginx&why=DB1.acme.net").status(http.StatusSeeOther)
		if to := a.Header.Get("Location"); to != "/nodes/db1.acme.net?where=nginx" {
			t.Errorf("leads to %q", to)
		}
	})
}

// tired is a fleet that has no time to explain.
type tired struct{ Fleet }

func (tired) Explain(context.Context, fettle.Filter, fettle.NodeID) (server.Explanation, error) {
	return server.Explanation{}, fmt.Errorf("it would take too long: %w", fettle.ErrUnavailable)
}

func TestExplainThatWouldTakeTooLong(t *testing.T) {
	h := newHouseWith(t, Config{}, func(f Fleet) Fleet { return tired{f} })
	h.join(threeNodes()...)
	a := h.get(where("nginx", "explain", "1")).status(http.StatusOK)
	a.wants("#explain .is-critical", "it would take too long")
	a.lists(".nodes a.row", "web1.acme.net", "web2.acme.net")
	h.get("/nodes/web1.acme.net?where=nginx").status(http.StatusOK).wants("#verdict .is-critical", "it would take too long")
}

func TestVerdict(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	of := func(node, filter string) string { return nodeAsk{Name: node, Where: filter}.URL() }

	t.Run("is there only where a filter is", func(t *testing.T) { h.get("/nodes/db1.acme.net").lists("#verdict") })
	t.Run("of a node that is in the filter", func(t *testing.T) {
		a := h.get(of("web1.acme.net", "nginx")).status(http.StatusOK)
		a.wants("#verdict .answer .mark", "It is in the filter.")
		a.lists("#verdict .kept")
		h.get(a.linkTo("#verdict", "The nodes that are")).lists(".nodes a.row", "web1.acme.net", "web2.acme.net")
	})
	t.Run("names the clause that keeps a node out", func(t *testing.T) {
		a := h.get(of("web2.acme.net", `facts.os.family == "Debian" && facts.environment == "production"`)).status(http.StatusOK)
		a.wants("#verdict .answer .mark", "It is not in the filter.")
		a.lists("#verdict .kept code", `facts.environment == "production"`)
		a.lists("#verdict .clauses .mark", "false", "true", "false")
	})
	t.Run("names what a node lacks", func(t *testing.T) {
		a := h.get(of("db1.acme.net", `facts.environment == "production"`)).status(http.StatusOK)
		a.wants("#verdict .answer .mark", "It cannot be said, so it is not.")
		a.lists("#verdict .missing code", "facts.environment")
	})
	t.Run("says what is wrong with a filter", func(t *testing.T) {
		a := h.get(of("db1.acme.net", "facts.os.family ==")).status(http.StatusOK)
		if place := a.text("#verdict .small"); !strings.HasPrefix(place, "line 1") {
			t.Errorf("the place is %q", place)
		}
		if a := h.get(of("db1.acme.net", strings.Repeat("a", maxWhere+1))); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("status %d", a.StatusCode)
		}
	})
	t.Run("stays while facts are searched, and is drawn anew with the state", func(t *testing.T) {
		a := h.get(of("web1.acme.net", "nginx"))
		if a.attr("#search input[name=where]", "value") != "nginx" {
			t.Error("the search loses the filter")
		}
		h.part(a.attr("#refresher", "hx-get"), "HX-Target", "state").wants("#state .answer .mark", "It is in the filter.")
		b := h.part("/nodes/web1.acme.net?q=boot&where=nginx")
		if got := b.Header.Get("HX-Replace-Url"); got != "/nodes/web1.acme.net?q=boot&where=nginx" {
			t.Errorf("the URL is %q", got)
		}
	})
}
