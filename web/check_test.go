package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// sickHouse is a house of twelve nodes, on two of which a disk is full, and load is well.
func sickHouse(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	nodes := manyNodes(12)
	for i := range nodes {
		nodes[i].commands = []string{"check_disk", "check_load"}
		nodes[i].facts = map[string]any{"rack": fmt.Sprintf("r%d", i%3), "role": []string{"web", "db"}[i%2]}
	}
	h.join(nodes...)
	h.counted("check_disk", 12)
	h.counted("check_load", 12)
	for i := range nodes {
		code, line := fettle.CodeOK, "DISK OK"
		if i == 3 || i == 4 {
			code, line = fettle.CodeCritical, "DISK CRITICAL - / 2% free"
		}
		if i == 5 {
			code, line = fettle.CodeWarning, "DISK WARNING - / 8% free"
		}
		h.check(nodes[i].id, "check_load", fettle.CodeOK, "OK")
		h.check(nodes[i].id, "check_disk", code, line)
	}
	return h
}

func TestCheckOnANode(t *testing.T) {
	h := sickHouse(t)
	a := h.get("/checks/check_disk")
	b := h.get(attr(query(a.doc, ".who-says a")[0], "href")).status(http.StatusOK)
	b.wants("h1", "check_disk on node003")
	b.wants(".first pre", "DISK CRITICAL - / 2% free")
	b.lists(".props .mark", "critical")
	h.get(h.get("/nodes/node003").linkTo(".checks", "check_disk")).status(http.StatusOK).wants("h1", "check_disk on node003")
	h.get("/checks/check_disk/nodes/nobody").status(http.StatusNotFound)
	h.get("/checks/nobody/nodes/node003").status(http.StatusNotFound)
	h.get("/checks/check_disk/nodes/%20").status(http.StatusNotFound)
	t.Run("it is asked now", func(t *testing.T) {
		h.do(http.MethodPost, "/checks/check_disk/nodes/node003/ask", url.Values{}).status(http.StatusForbidden)
		h.cookie = h.signIn(auth.Operator)
		done := make(chan answer, 1)
		go func() { done <- h.do(http.MethodPost, "/checks/check_disk/nodes/node003/ask", url.Values{}) }()
		h.answer("node003", fettle.Result{Output: &fettle.CheckOutput{Code: fettle.CodeWarning, Line: "DISK WARNING - / 9% free"}})
		c := (<-done).status(http.StatusOK)
		c.wants(".first pre", "DISK WARNING - / 9% free")
	})
}

func TestPerfdata(t *testing.T) {
	value, most := 812.5, 40960.0
	rows := perfRows([]fettle.Perf{{Label: "/", Value: &value, Unit: "MB", Warn: "90", Max: &most}, {Label: "x"}})
	if rows[0] != (perfRow{Label: "/", Value: "812.5 MB", Warn: "90", Range: "40960"}) || rows[1].Value != "not measured" {
		t.Errorf("got %+v", rows)
	}
}

func TestCheckPage(t *testing.T) {
	h := sickHouse(t)
	t.Run("it says what is wrong, the same gathered, the worst first", func(t *testing.T) {
		a := h.get("/checks/check_disk").status(http.StatusOK)
		a.wants("h1", "check_disk")
		a.lists(".head .mark", "critical")
		a.lists(".big .counted span", "2 critical", "1 warning", "9 ok")
		a.lists(".answers-of .line code", "DISK CRITICAL - / 2% free", "DISK WARNING - / 8% free")
		a.lists(".answers-of .names", "node[003-004]", "node005")
	})
	t.Run("one that is well says so", func(t *testing.T) {
		h.get("/checks/check_load").status(http.StatusOK).wants(".pair .none", "Nothing that anybody knows of.")
	})
	t.Run("htmx gets what changes, and it is the same", func(t *testing.T) {
		whole, piece := h.get("/checks/check_disk"), h.part("/checks/check_disk")
		if len(query(piece.doc, "header")) != 0 || len(query(piece.doc, "#live")) != 1 || !strings.Contains(whole.body, strings.TrimSpace(piece.body)[:200]) {
			t.Error(piece.body)
		}
	})
	t.Run("it leads to the nodes, in the explorer", func(t *testing.T) {
		a := h.get("/checks/check_disk")
		h.get(a.linkTo(".props", "critical")).status(http.StatusOK).lists(".nodes a.row", "node003", "node004")
	})
	t.Run("what nobody has defined is not there", func(t *testing.T) {
		h.get("/checks/check_nothing").status(http.StatusNotFound)
	})
	t.Run("an operator asks the nodes now, a viewer does not", func(t *testing.T) {
		if n := len(query(h.get("/checks/check_disk").doc, ".doings")); n != 0 {
			t.Error("a viewer has buttons")
		}
		h.do(http.MethodPost, "/checks/check_disk/ask", url.Values{}).status(http.StatusForbidden)
		h.cookie = h.signIn(auth.Operator)
		done := make(chan answer, 1)
		go func() { done <- h.do(http.MethodPost, "/checks/check_disk/ask", url.Values{}) }()
		for i := range 12 {
			h.answer(fettle.NodeID(fmt.Sprintf("node%03d", i)), fettle.Result{Output: &fettle.CheckOutput{Code: fettle.CodeOK, Line: "DISK OK"}})
		}
		a := (<-done).status(http.StatusOK)
		a.lists(".big .counted span", "12 ok")
		if !strings.Contains(a.text(".past"), "just now") {
			t.Error(a.body)
		}
	})
}
