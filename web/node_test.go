package web

import (
	"net/http"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
)

func TestNode(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	h.check("web1.acme.net", "check_load", fettle.CodeOK, "OK - load average: 0.10")
	h.check("web1.acme.net", "check_disk", fettle.CodeCritical, "CRITICAL - / is full")

	t.Run("shows what is known", func(t *testing.T) {
		a := h.get("/nodes/web1.acme.net").status(http.StatusOK)
		a.wants("h1", "web1.acme.net")
		a.wants(".head .mark", "alive")
		a.lists(".chips a", "base::ntp", "nginx")
		a.lists(".chips code", "check_disk", "check_load")
		a.lists(".checks tbody th", "check_disk", "check_load") // the bad one first
		a.lists(".checks .mark", "critical", "ok")
		a.lists(".same code", "fettle show web1.acme.net", `curl -sG -H "Authorization: Bearer $FETTLE_TOKEN" http://example.com/api/v1/nodes/web1.acme.net`)
	})
	t.Run("its classes lead to the nodes that have them", func(t *testing.T) {
		a := h.get("/nodes/web1.acme.net")
		h.get(a.linkTo(".chips", "nginx")).lists(".nodes a.row", "web1.acme.net", "web2.acme.net")
	})
	t.Run("its facts are a tree", func(t *testing.T) {
		a := h.get("/nodes/web1.acme.net")
		for _, want := range []string{"environment", "mountpoints", "/boot", "os", "release", "major"} {
			if got := strings.Join(a.texts(".tree .key"), " "); !strings.Contains(got, want) {
				t.Errorf("%s is missing in %s", want, got)
			}
		}
	})
	t.Run("each value leads to the nodes that have it", func(t *testing.T) {
		a := h.get("/nodes/web1.acme.net?q=os.family").status(http.StatusOK)
		a.lists(".leaf .value", "Debian")
		h.get(a.linkTo(".leaf", "alike")).lists(".nodes a.row", "web1.acme.net", "web2.acme.net")
		h.get(a.linkTo(".leaf", "values of")).lists(".facet .bars a", "Debian2", "RedHat1")
		b := h.get("/nodes/web1.acme.net?q=boot")
		h.get(b.linkTo(".leaf", "alike")).lists(".nodes a.row", "web1.acme.net")
		c := h.get("/nodes/db1.acme.net?q=processors")
		h.get(c.linkTo(".leaf", "alike")).lists(".nodes a.row", "db1.acme.net")
	})
	t.Run("a search keeps what has all words in its name or value", func(t *testing.T) {
		a := h.get("/nodes/web1.acme.net?q=GIB+boot").status(http.StatusOK)
		a.lists(".leaf .value", "1 GiB")
		a.lists(".tree mark", "boot", "GiB")
		if len(query(a.doc, ".tree details")) != len(query(a.doc, ".tree details[open]")) {
			t.Error("what was found is folded away")
		}
		b := h.part("/nodes/web1.acme.net?q=nowhere").status(http.StatusOK)
		if len(query(b.doc, "#facts .empty")) != 1 || len(query(b.doc, "header")) != 0 || b.Header.Get("HX-Replace-Url") != "/nodes/web1.acme.net?q=nowhere" {
			t.Error(b.body)
		}
	})
	t.Run("what changes by itself is drawn anew without the facts", func(t *testing.T) {
		a := h.part("/nodes/web1.acme.net", "HX-Target", "state").status(http.StatusOK)
		if len(query(a.doc, "#state")) != 1 || len(query(a.doc, "#facts")) != 0 || a.Header.Get("HX-Replace-Url") != "" {
			t.Error(a.body)
		}
	})
	t.Run("one that is not there is not found, and near names are", func(t *testing.T) {
		a := h.get("/nodes/web3.acme.net").status(http.StatusNotFound)
		a.lists(".near a", "web1.acme.net", "web2.acme.net")
		h.get("/nodes/dba1").status(http.StatusNotFound).lists(".near a", "db1.acme.net")
		h.get("/nodes/" + strings.Repeat("x", 300)).status(http.StatusNotFound)
		h.get("/nodes/%3Cscript%3E").status(http.StatusNotFound)
	})
}

func TestNaturalOrder(t *testing.T) {
	order := []string{"", "a", "eth0", "eth1", "eth2", "eth02", "eth10", "eth10a", "eth10b", "lo"}
	for i, a := range order {
		for j, b := range order {
			if got := natural(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("natural(%q, %q) is %d", a, b, got)
			}
		}
	}
}

func TestDistance(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"web1", "web2", 1}, {"web1", "web12", 1}, {"kitten", "sitting", 3}} {
		if got := distance(row.a, row.b); got != row.want {
			t.Errorf("distance(%q, %q) is %d, want %d", row.a, row.b, got, row.want)
		}
	}
}
