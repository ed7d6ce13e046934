package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
)

func TestCheckHistory(t *testing.T) {
	h := sickHouse(t)
	h.check("node003", "check_disk", fettle.CodeOK, "DISK OK again")
	t.Run("it lists what changed, what happened together in one row", func(t *testing.T) {
		a := h.get(h.get("/checks/check_disk").linkTo(".props", "what changed")).status(http.StatusOK)
		if text := a.texts(".states tbody tr")[0]; !strings.Contains(text, "node003") || !strings.Contains(text, "DISK OK again") {
			t.Errorf("the newest is %q", text)
		}
		if names := strings.Join(a.texts(".states .names"), " "); !strings.Contains(names, "node[003-004]") {
			t.Errorf("the rows are of %q", names)
		}
		if n := len(query(a.doc, ".spent dt")); n == 0 {
			t.Error("nobody says how long it was how")
		}
		if first := a.texts(".spent-row .what")[0]; first != "node004" {
			t.Errorf("the worst is %s", first)
		}
	})
	t.Run("one node has a strip, and its own changes", func(t *testing.T) {
		a := h.get(h.get("/checks/check_disk/nodes/node003").linkTo(".props", "what changed")).status(http.StatusOK)
		if n := len(query(a.doc, ".strip rect")); n < 2 {
			t.Errorf("%d pieces", n)
		}
		for _, name := range a.texts(".states .names") {
			if name != "node003" {
				t.Errorf("a change of %s", name)
			}
		}
	})
	t.Run("what cannot be asked is said", func(t *testing.T) {
		h.get("/checks/check_disk/history?span=soon").status(http.StatusUnprocessableEntity)
		h.get("/checks/nobody/history").status(http.StatusNotFound)
		h.get("/checks/check_disk/history?span=9000d").status(http.StatusOK).text(".board .notice")
	})
}

func TestStrip(t *testing.T) {
	hour := fettle.Millis(time.Hour.Milliseconds())
	now := fettle.CheckState{Status: fettle.CheckOK, Since: 9 * hour}
	got := strip(now, []server.Transition{{At: 9 * hour, From: fettle.CheckCritical, To: fettle.CheckOK}, {At: 5 * hour, From: fettle.CheckOK, To: fettle.CheckCritical}}, 0, 10*hour)
	var words []string
	for _, p := range got {
		words = append(words, string(p.Status)+" "+p.X+" "+p.W)
	}
	if text := strings.Join(words, ", "); text != "ok 0.00% 50.00%, critical 50.00% 40.00%, ok 90.00% 10.00%" {
		t.Errorf("the strip is %s", text)
	}
	young := strip(fettle.CheckState{Status: fettle.CheckOK, Since: 8 * hour}, nil, 0, 10*hour)
	if len(young) != 2 || !young[0].Unknown || young[1].X != "80.00%" {
		t.Errorf("got %+v", young)
	}
}

func TestPercentOf(t *testing.T) {
	for part, want := range map[float64]string{100: "100.00 %", 99.999: "> 99.99 %", 0.001: "< 0.01 %", 50: "50.00 %", 0: "0.00 %"} {
		if got := percentOf(part); got != want {
			t.Errorf("%v is %s, want %s", part, got, want)
		}
	}
}

func TestRemedyIsFilledIn(t *testing.T) {
	got := plainInputs(map[string]any{"name": "nginx", "line": "{{state.output}}", "n": 3})
	if len(got) != 2 || got["name"] != "nginx" || got["n"] != "3" {
		t.Errorf("got %v", got)
	}
}
