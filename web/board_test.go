package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

func TestBoard(t *testing.T) {
	h := newHouse(t)
	nodes := manyNodes(12)
	for i := range nodes {
		nodes[i].commands = []string{"check_disk", "check_load"}
	}
	h.join(nodes...)
	h.counted("check_disk", 12)
	h.counted("check_load", 12)
	for i := range nodes {
		code := fettle.CodeOK
		if i == 3 || i == 4 {
			code = fettle.CodeCritical
		}
		h.check(nodes[i].id, "check_load", fettle.CodeOK, "OK")
		h.check(nodes[i].id, "check_disk", code, "DISK")
	}
	t.Run("the worst stands first, with its counts, its bar and its nodes folded", func(t *testing.T) {
		a := h.get("/checks").status(http.StatusOK)
		a.lists(".vrow a.row", "check_disk", "check_load")
		a.lists(".vrow .how .mark", "critical", "ok")
		a.lists(".vrow .names", "node[003-004]")
		a.lists("#v-check_disk .counted span", "2 critical", "10 ok")
		if said := attr(query(a.doc, "#v-check_disk svg")[0], "aria-label"); said != "2 critical, 10 ok of 12" {
			t.Errorf("the bar says %q", said)
		}
		if len(query(a.doc, "#v-check_disk rect")) != 2 {
			t.Error(a.body)
		}
		a.lists(".statuses .n", "2", "1", "1", "0", "0", "1")
	})
	t.Run("it is narrowed by status and by text, each a link", func(t *testing.T) {
		a := h.get("/checks")
		h.get(a.linkTo(".statuses", "critical")).status(http.StatusOK).lists(".vrow a.row", "check_disk")
		h.get("/checks?q=LOAD").lists(".vrow a.row", "check_load")
		h.get("/checks?status=ok&q=disk").lists(".vrow a.row")
		h.get("/checks?owner=nobody").lists(".vrow a.row")
		h.get("/checks?label=x%3Dy").lists(".vrow a.row")
		h.get("/checks?status=nonsense").lists(".vrow a.row", "check_disk", "check_load")
	})
	t.Run("htmx gets the board alone, and it is the same", func(t *testing.T) {
		whole, piece := h.get("/checks"), h.part("/checks")
		if len(query(piece.doc, "header")) != 0 || piece.Header.Get("HX-Replace-Url") != "/checks" {
			t.Error(piece.body)
		}
		if !strings.Contains(whole.body, strings.TrimSpace(piece.body)) {
			t.Error("the piece differs from what stands in the page")
		}
	})
	t.Run("it shows how to ask the same from a shell", func(t *testing.T) {
		if code := strings.Join(h.get("/checks").texts(".same code"), "\n"); !strings.Contains(code, "/api/v1/verdicts") || !strings.Contains(code, "fettle check") {
			t.Error(code)
		}
	})
}

// manyVerdicts gives two thousand, of which one is bad on ninety thousand nodes.
func manyVerdicts() (verdicts []fettle.Verdict) {
	for i := range 2000 {
		v := fettle.Verdict{Check: fmt.Sprintf("check-%04d", i), Kind: fettle.KindCheck, Status: fettle.CheckOK, Tally: fettle.CheckTally{Total: 100_000, OK: 100_000}}
		if i == 1777 {
			v.Status, v.Tally = fettle.CheckCritical, fettle.CheckTally{Total: 100_000, OK: 10_000, Critical: 90_000}
			ids := make([]fettle.NodeID, 90_000)
			for n := range ids {
				ids[n] = fettle.NodeID(fmt.Sprintf("n%06d-%d.acme.net", n*7%90_000, n%3))
			}
			v.Nodes = map[fettle.CheckStatus][]fettle.NodeID{fettle.CheckCritical: ids}
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

func TestBoardIsBounded(t *testing.T) {
	verdicts := manyVerdicts()
	h := newHouseWith(t, Config{}, func(f Fleet) Fleet { return boarded{f, verdicts} })
	a := h.get("/checks").status(http.StatusOK)
	if rows := a.texts(".vrow a.row"); len(rows) != boardRows || rows[0] != "check-1777" {
		t.Errorf("%d rows, the first is %s", len(rows), rows[0])
	}
	if len(a.body) > 200_000 {
		t.Errorf("the page has %d bytes", len(a.body))
	}
	if left := a.text(".left"); !strings.Contains(left, "1,900 more of 2,000") {
		t.Errorf("it says %q", left)
	}
	if rows := h.get(a.linkTo(".left", "More")).texts(".vrow a.row"); len(rows) != 2*boardRows {
		t.Errorf("%d rows", len(rows))
	}
	last := h.get("/checks?limit=999999")
	if rows := last.texts(".vrow a.row"); len(rows) != boardMost || !strings.Contains(last.text(".left"), "Search") {
		t.Errorf("%d rows", len(rows))
	}
}

func BenchmarkBoard2000Checks(b *testing.B) {
	s, p := &site{cfg: Config{Now: time.Now}}, boardPage{}
	verdicts, abouts := manyVerdicts(), map[string]about{}
	for b.Loop() {
		p = boardPage{Ask: boardAsk{Limit: boardRows}}
		p.fill(s, verdicts, abouts)
	}
	if p.Found != len(verdicts) {
		b.Error(p.Found)
	}
}

// boarded is a fleet whose board is known.
type boarded struct {
	Fleet
	verdicts []fettle.Verdict
}

func (f boarded) Verdicts(context.Context) ([]fettle.Verdict, error) { return f.verdicts, nil }

func TestBars(t *testing.T) {
	b := checkBar(fettle.CheckTally{Total: 10_000, OK: 9_998, Critical: 1, Unknown: 1, Stale: 1, Silent: 1})
	if got := b.Said(); got != "1 critical, 1 stale, 9,998 ok of 10,000" {
		t.Errorf("it says %q", got)
	}
	if b.Parts[0].W != "2.50%" || b.Parts[1].X != "2.50%" || b.Parts[2].W != "95.00%" {
		t.Errorf("the parts are %+v", b.Parts)
	}
	if empty := checkBar(fettle.CheckTally{}); len(empty.Parts) != 0 {
		t.Errorf("nobody has %+v", empty.Parts)
	}
	if got := runBar(fettle.Tally{Roster: 4, OK: 1, Failed: 1, Silent: 1, Never: 1}).Said(); got != "1 failed, 1 silent, 1 never asked, 1 ok of 4" {
		t.Errorf("it says %q", got)
	}
}
