package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

func TestMembersOfGroups(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	for _, g := range []fettle.Group{
		{Name: "base", Members: []fettle.GroupMember{{Check: "check_load"}, {Check: "check_disk"}}},
		{Name: "shop", Members: []fettle.GroupMember{{Group: "base"}, {Check: "check_disk", Filter: "facts.environment == 'production'"}}},
	} {
		if _, err := h.SaveGroup(t.Context(), g, "dora"); err != nil {
			t.Fatal(err)
		}
	}
	h.counted("check_disk", 1)
	h.check("web1.acme.net", "check_disk", fettle.CodeOK, "DISK OK")
	h.check("web1.acme.net", "check_disk", fettle.CodeCritical, "\x1b[31mDISK CRITICAL\x1b[0m")
	h.cookie = h.signIn(auth.Operator)
	t.Run("one silence for what stands in it, where one can say that", func(t *testing.T) {
		to := h.get("/checks/base").status(http.StatusOK).linkTo(".doings", "Silence")
		form := h.get(to).status(http.StatusOK)
		if got := form.attr("#checks", "value"); got != "check_disk check_load" {
			t.Errorf("it is about %q", got)
		}
		shop := h.get("/checks/shop").status(http.StatusOK)
		if strings.Contains(shop.text(".doings"), "Silence") {
			t.Error("one silence for members about different nodes")
		}
		h.get(shop.linkTo(".waysof", "silence")).status(http.StatusOK).wants("#where-silence", "facts.environment == 'production'")
	})
	t.Run("each member has its map and its history", func(t *testing.T) {
		a := h.get("/checks/base").status(http.StatusOK)
		for _, way := range query(a.doc, ".waysof a") {
			h.get(attr(way, "href")).status(http.StatusOK)
		}
		if ways := a.texts(".waysof a"); len(ways) != 6 {
			t.Errorf("ways are %q", ways)
		}
	})
	t.Run("its history is that of the checks in it, by way of other groups too", func(t *testing.T) {
		a := h.get("/checks/shop/history").status(http.StatusOK)
		a.lists(".spent-row a.row", "check_disk", "check_load")
		if said := a.texts(".states .new"); len(said) == 0 || said[0] != "DISK CRITICAL" {
			t.Errorf("changes are %q", said)
		}
		if of := a.texts(".states .of"); !slices.Contains(of, "check_disk") {
			t.Errorf("checks are %q", of)
		}
	})
}

func TestStandingRuns(t *testing.T) {
	h := newHouse(t)
	h.join(threeNodes()...)
	dora := server.Asker{Name: "dora", Role: string(auth.Admin)}
	if _, err := h.Stand(t.Context(), server.StandingOrder{Name: "uptime", Every: time.Hour, RunRequest: server.RunRequest{
		Action: "shell.run", Inputs: map[string]any{"command": "uptime"}, Selection: server.Selection{Where: "'nginx' in classes"}, Caller: "dora", User: dora,
		Pace: fettle.Pace{Batch: "1", While: `verdict("check_load") == "critical"`, Locks: map[string]int{"shop": 2}, MaxFailed: "0"},
	}}); err != nil {
		t.Fatal(err)
	}
	rows := func() answer { return h.get("/runs").status(http.StatusOK) }
	eventually(t, "its first round is there", func() bool { return len(query(rows().doc, ".vrow.run")) == 1 })
	if len(query(rows().doc, ".standing form")) != 0 {
		t.Error("a viewer has buttons")
	}
	t.Run("a round says by what pace it goes, and what it waits for", func(t *testing.T) {
		a := h.get(rows().attr(".vrow.run a.row", "href")).status(http.StatusOK)
		for _, want := range []string{"1 at a time", `verdict("check_load") == "critical"`, "shop: 2 at once", "when more than 0 fail"} {
			if !strings.Contains(a.text(".second"), want) {
				t.Errorf("%q is not said: %s", want, a.text(".second"))
			}
		}
		self := rows().attr(".vrow.run a.row", "href")
		eventually(t, "it says that the gate is closed", func() bool {
			said := h.get(self).texts("#phase")
			return len(said) == 1 && strings.HasPrefix(said[0], "waiting") && strings.Contains(said[0], "gate")
		})
		if got := rows().text(".vrow.run .places"); !strings.HasPrefix(got, "waiting") {
			t.Errorf("the list says %q", got)
		}
	})
	h.cookie = h.signIn(auth.Operator)
	press := func(words string) {
		t.Helper()
		a := rows()
		for _, f := range query(a.doc, ".standing form") {
			if strings.Contains(text(f), words) {
				h.do(http.MethodPost, attr(f, "action"), url.Values{}).status(http.StatusSeeOther)
				return
			}
		}
		t.Fatalf("there is no button %q: %s", words, a.text(".standing"))
	}
	press("Pause")
	if got := rows().text(".standing .when"); !strings.Contains(got, "paused by ann") {
		t.Errorf("it says %s", got)
	}
	press("Resume")
	press("End uptime for good")
	if len(query(rows().doc, ".standing")) != 0 {
		t.Error("it is there still")
	}
}
