package web

import (
	"net/http"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

func TestMap(t *testing.T) {
	h := sickHouse(t) // node i is in rack i%3, and web or db by i%2; 3 and 4 are critical, 5 a warning
	t.Run("each cell has its worst, its counts, and the way to its nodes", func(t *testing.T) {
		a := h.get("/checks/check_disk/map?x=facts.rack&y=role").status(http.StatusOK)
		a.lists("thead th", `role \ rack`, "r0", "r1", "r2")
		a.lists("tbody th", "db", "web")
		a.lists(".heat td", "critical: 1 of 2", "ok: 2", "warning: 1 of 2", "ok: 2", "critical: 1 of 2", "ok: 2")
		h.get(attr(query(a.doc, ".heat td a")[0], "href")).status(http.StatusOK).lists(".nodes a.row", "node003")
		h.get(attr(query(a.doc, ".heat td a")[1], "href")).status(http.StatusOK).lists(".nodes a.row", "node001", "node007")
	})
	t.Run("without facts it asks for them, and what is no fact is said", func(t *testing.T) {
		if n := len(query(h.get("/checks/check_disk/map").status(http.StatusOK).doc, ".heat")); n != 0 {
			t.Error("there is a map")
		}
		h.get("/checks/check_disk/map?x=a..b&y=role").status(http.StatusUnprocessableEntity)
		h.get("/checks/nobody/map?x=rack&y=role").status(http.StatusNotFound)
		a := h.get("/checks/check_disk/map?x=rack&y=nothing").status(http.StatusOK)
		a.lists("tbody th", noValue)
		h.get(attr(query(a.doc, ".heat td a")[0], "href")).status(http.StatusOK).lists(".nodes a.row", "node003")
	})
	t.Run("it is bounded, and the others stand together", func(t *testing.T) {
		m, err := h.VerdictMap(t.Context(), server.MapQuery{Check: "check_disk", X: "facts.rack", Y: "role", Columns: 1, Rows: 2})
		if err != nil || strings.Join(m.Columns, " ") != "r0 "+server.OtherValues || m.MoreX != 2 || m.MoreY != 0 {
			t.Fatalf("%+v %v", m, err)
		}
		total, bad := 0, 0
		for _, row := range m.Cells {
			for _, c := range row {
				total += c.Total
				bad += c.Critical + c.Warning
			}
		}
		if total != 12 || bad != 3 || m.Bad != 3 {
			t.Errorf("%d nodes, %d bad", total, bad)
		}
	})
}

func TestByFact(t *testing.T) {
	h := sickHouse(t)
	a := h.get("/checks/check_disk?by=facts.rack").status(http.StatusOK)
	a.lists(".split-rows .what", "r0", "r1", "r2")
	a.lists(".split-rows .how", "critical", "critical", "warning")
	h.get(attr(query(a.doc, ".split-rows a")[0], "href")).status(http.StatusOK).lists(".nodes a.row", "node003")
	h.get("/checks/check_disk?by=a..b").status(http.StatusUnprocessableEntity)
	if n := len(query(h.get("/checks/check_disk").doc, ".split-rows")); n != 0 {
		t.Error("it is split, and nobody asked")
	}
}

func TestGroupPage(t *testing.T) {
	h := sickHouse(t)
	if _, err := h.SaveGroup(t.Context(), fettle.Group{
		Name: "shop", Members: []fettle.GroupMember{{Check: "check_disk"}, {Check: "check_load"}}, Runbook: "https://wiki.acme.net/shop", Notes: "the shop", Owner: "dora",
	}, "dora"); err != nil {
		t.Fatal(err)
	}
	h.get("/checks").lists(".vrow a.row", "shop", "check_disk", "check_load")
	h.get("/checks?owner=dora").lists(".vrow a.row", "shop")
	a := h.get("/checks/shop").status(http.StatusOK)
	a.lists(".first .what", "check_disk", "check_load")
	if a.attr("a.runbook", "href") != "https://wiki.acme.net/shop" {
		t.Error(a.body)
	}
	if got := h.get("/now").texts(".item .name"); strings.Join(got, " ") != "shop check_disk" {
		t.Errorf("now: %q", got)
	}
	if _, err := h.SaveGroup(t.Context(), fettle.Group{Name: "bad", Members: []fettle.GroupMember{{Check: "check_disk"}}, Runbook: "javascript:alert(1)"}, "dora"); err == nil {
		if n := len(query(h.get("/checks/bad").doc, "a.runbook")); n != 0 {
			t.Error("a runbook that is no link is one")
		}
	}
}

func TestFactIs(t *testing.T) {
	path, err := fettle.ParsePath("a.b")
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"x": `facts.a.b == "x"`, "8": `facts.a.b == 8 || facts.a.b == "8"`, "true": `facts.a.b == true || facts.a.b == "true"`,
		noValue: `!facts[?"a"][?"b"].hasValue()`, `""`: `facts.a.b == ""`, server.OtherValues: "",
	} {
		if got, _ := factIs(path, value); got != want {
			t.Errorf("%s: %s, want %s", value, got, want)
		}
	}
}
