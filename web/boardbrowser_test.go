//go:build integration

package web

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// illTown gives the town with states: a disk that is full, load on two nodes.
func illTown(h *house) {
	members := town()
	h.join(members...)
	h.counted("check_disk", len(members))
	h.counted("check_load", len(members))
	for i, m := range members {
		disk, load := fettle.CodeOK, fettle.CodeOK
		line := "DISK OK - free space: / 11 GiB (27%)"
		switch {
		case i%13 == 1:
			disk, line = fettle.CodeCritical, "DISK CRITICAL - free space: / 812 MB (2% inode=71%)"
		case i%17 == 2:
			disk, line = fettle.CodeWarning, "DISK WARNING - free space: / 3 GiB (8% inode=71%)"
		}
		if i == 7 || i == 8 {
			load = fettle.CodeWarning
		}
		if i == 40 {
			continue // it has said nothing yet
		}
		h.check(m.id, "check_disk", disk, line)
		h.check(m.id, "check_load", load, "load average: 0.42, 0.38, 0.31")
	}
}

// signedIn opens a browser in which an operator is signed in.
func (h *house) signedIn(role auth.Role) *browser {
	h.t.Helper()
	code, err := h.keeper.LoginLink(h.t.Context(), "ann", role)
	if err != nil {
		h.t.Fatal(err)
	}
	b := h.open()
	b.visit("/login?code=" + code + "&next=/nodes")
	b.until(`document.readyState == "complete" && document.querySelector("#where") != null`)
	return b
}

// sizes are the windows in which pages are looked at.
func (b *browser) sizes(each func(name string)) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(1280, 900))
	each("desk")
	b.do(chromedp.EmulateViewport(360, 780, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
	each("phone")
	b.do(chromedp.EmulateViewport(1280, 900))
}

// look shoots a page in both sizes and both schemes, and holds it to what every page promises.
func (b *browser) look(name, path string) {
	b.t.Helper()
	b.sizes(func(size string) {
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			b.visit(path)
			b.until(`document.readyState == "complete"`)
			b.shoot(name + "-" + size + "-" + scheme)
			b.sound(name + " " + size + " " + scheme)
		}
	})
	b.scheme("light")
}

// scripts lets pages run theirs, or not.
func (b *browser) scripts(run bool) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run}); err != nil {
		b.t.Fatal(err)
	}
}

// sound holds the page to what can be measured: nothing is wider than it, whatever is pressed has a name and room for a finger on a phone, ids
// are there once, and text stands out from what is behind it.
func (b *browser) sound(what string) {
	b.t.Helper()
	faults, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](soundness))
	if err != nil || faults != "" {
		b.t.Errorf("%s: %s %v", what, faults, err)
	}
}

const soundness = `(() => {
  const faults = [];
  const shown = (e) => e.checkVisibility({visibilityProperty: true}) && e.getBoundingClientRect().width > 1;
  const name = (e) => e.outerHTML.replace(/\s+/g, " ").slice(0, 110);
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (wide > 0) faults.push("wider than the window by " + wide);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) != i))) faults.push("id twice: " + id);
  for (const e of document.querySelectorAll("a, button, summary")) {
    if (shown(e) && !(e.textContent.trim() || e.ariaLabel || e.title)) faults.push("no name: " + name(e));
  }
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!e.labels?.length && !e.ariaLabel) faults.push("no label: " + name(e));
  }
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) faults.push("tabindex: " + name(e));
  const levels = [...document.querySelectorAll("main h1, main h2, main h3")].map((e) => +e.nodeName[1]);
  if (levels.filter((l) => l == 1).length != 1) faults.push("h1: " + levels);
  levels.reduce((a, b) => { if (b > a + 1) faults.push("headings jump: " + levels); return b; }, 0);
  if (innerWidth < 500) {
    for (const e of document.querySelectorAll("a, button, summary, select, input:not([type=hidden]):not([type=checkbox]):not([type=radio]), textarea")) {
      if (e.closest("p, .skip, dialog") || !shown(e) || e.matches(".row")) continue;
      if (e.getBoundingClientRect().height < 43.5) faults.push("small: " + name(e) + " " + e.getBoundingClientRect().height);
    }
  }
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  canvas.canvas.width = canvas.canvas.height = 1;
  const rgba = (c) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const lum = ([r, g, b]) => { const f = (v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; }; return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
  const seen = new Set();
  for (const e of document.querySelectorAll("main *, header *")) {
    if (![...e.childNodes].some((n) => n.nodeType == 3 && n.nodeValue.trim()) || !shown(e) || e.closest("svg, .quiet, [disabled]")) continue;
    const style = getComputedStyle(e), key = style.color + e.className + e.nodeName;
    if (seen.has(key)) continue;
    seen.add(key);
    const [a, b] = [lum(rgba(style.color)), lum(behind(e))].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) faults.push("contrast " + ratio.toFixed(2) + ": " + name(e));
  }
  return faults.slice(0, 8).join("\n");
})()`

func TestBoardInBrowser(t *testing.T) {
	h := newHouse(t)
	illTown(h)
	dora := server.Asker{Name: "dora", Role: string(auth.Admin)}
	if _, err := h.SaveCheck(t.Context(), server.CheckChange{Caller: dora, Admin: true, Definition: fettle.CheckDefinition{
		Name: "http", NRPE: "check_procs", Filter: "role=web", Owner: "dora", Runbook: "https://wiki.acme.net/http", Labels: map[string]string{"team": "shop", "tier": "1"},
		Notes: "The shop's front.\nWhen it is down for more than ten minutes, call the bridge.",
	}}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.SaveGroup(t.Context(), fettle.Group{
		Name: "shop", Members: []fettle.GroupMember{{Check: "http"}, {Check: "check_disk", Filter: "facts.role == 'web'"}, {Check: "check_load"}}, Owner: "dora", By: "facts.datacenter",
	}, "dora"); err != nil {
		t.Fatal(err)
	}
	h.counted("http", 30)
	for i, m := range town() {
		if m.facts.(map[string]any)["role"] != "web" {
			continue
		}
		code, line := fettle.CodeOK, "HTTP OK: HTTP/1.1 200 OK - 0.012 s response time"
		if i > 40 {
			code, line = fettle.CodeCritical, "connect to address 10.20.3.4 and port 443: Connection refused"
		}
		h.check(m.id, "http", code, line)
	}
	b := h.signedIn(auth.Operator)
	b.look("board", "/checks")
	b.look("check", "/checks/http?by=datacenter")
	b.look("group", "/checks/shop")
	b.look("map", "/checks/check_disk/map?x=datacenter&y=role")
	b.look("silence-form", "/silences/new?checks=http")
	b.look("now", "/now")
	b.look("check-node", "/checks/http/nodes/web42.fra.acme.net")
	b.look("history", "/checks/http/history?span=24h")
	b.look("history-node", "/checks/http/history?span=24h&node=web42.fra.acme.net")
	b.step("without scripts one tap silences, and another takes it back", func(t *testing.T) {
		b.do(chromedp.EmulateViewport(360, 780, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
		b.scripts(false)
		defer b.scripts(true)
		b.visit("/now")
		b.until(`document.querySelectorAll(".item").length == 4`)
		b.do(chromedp.Click(chromedp.CSS("#n-http .quiet-for button[value='1h']")))
		b.until(`document.querySelector(".done") != null && document.querySelector("#n-http") == null`)
		b.do(chromedp.Click(chromedp.CSS(".done button")))
		b.until(`location.pathname == "/now" && document.querySelector("#n-http") != null`)
	})
	b.step("one tap silences", func(t *testing.T) {
		b.visit("/now")
		b.until(`document.readyState == "complete" && document.querySelectorAll(".item").length == 4`)
		b.do(chromedp.Click(chromedp.CSS("#n-http .quiet-for button[value='4h']")))
		b.until(`document.querySelector(".done") != null && document.querySelector("#n-http") == null`)
		b.shoot("now-silenced")
		b.sound("after a silence")
		b.look("silences", "/silences")
	})
	b.look("run-form", "/runs/new?action=shell.run&where=role%3Dweb&in.command=uptime")
	b.step("a run is looked at, started and followed", func(t *testing.T) {
		b.visit("/runs/new?action=shell.run&where=role%3Dweb&in.command=uptime")
		b.until(`document.readyState == "complete" && document.querySelector("#ask-run") != null`)
		b.do(chromedp.Click(chromedp.CSS("#ask-run button")))
		b.until(`document.readyState == "complete" && document.querySelector("#start button") != null`)
		b.shoot("run-preview")
		b.sound("the preview")
		b.do(chromedp.Click(chromedp.CSS("#start button")))
		b.until(`document.readyState == "complete" && document.querySelector("#live .tallybar") != null`)
		n := 0
		for _, m := range town() {
			if m.facts.(map[string]any)["role"] != "web" {
				continue
			}
			r := fettle.Result{Data: map[string]any{"exit_code": 0, "output": "up 41 days"}, TookMS: 12}
			if n++; n%7 == 0 {
				r = fettle.Result{Status: fettle.StatusFailed, Message: "exit code 1", Data: map[string]any{"exit_code": 1, "error_output": "uptime: cannot open /proc/uptime"}}
			}
			if n != 20 {
				h.answer(m.id, r)
			}
		}
		b.until(`document.querySelector(".counted .count-ok b")?.innerText == "25"`)
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.pathname`))
		if err != nil {
			t.Fatal(err)
		}
		b.look("run", at)
		b.visit(at)
		b.until(`document.readyState == "complete"`)
		b.do(chromedp.Click(chromedp.CSS("button.danger")))
		b.until(`document.querySelector(".head .mark")?.innerText == "cancelled"`)
		b.look("runs", "/runs")
	})
	b.do(chromedp.EmulateViewport(1280, 900))
	b.step("keys go through the rows", func(t *testing.T) {
		b.visit("/checks")
		b.until(`document.readyState == "complete" && document.querySelector("#v-check_disk") != null`)
		for _, id := range []string{"v-shop", "v-check_disk", "v-check_load"} {
			b.press("j")
			b.until(`document.activeElement.closest(".vrow")?.id == "` + id + `"`)
		}
	})
	b.step("a row that changes is drawn anew, and nothing else: the focus and the very element stay", func(t *testing.T) {
		b.do(chromedp.Evaluate[chromedp.Void](`window.kept = document.querySelector("#v-check_load"); window.text = kept.querySelector(".counted").innerText; void 0`))
		h.check("web07.ams.acme.net", "check_load", fettle.CodeOK, "load average: 1")
		b.until(`document.querySelector("#v-check_load .count-warning b").innerText == "1"`)
		b.holds(`document.querySelector("#v-check_load") === window.kept && document.activeElement.closest(".vrow") === window.kept && kept.querySelector(".counted").innerText != window.text`)
	})
	b.step("what is typed narrows it", func(t *testing.T) {
		b.slash()
		b.do(chromedp.SendKeys(chromedp.CSS("#q"), "disk"))
		b.until(`document.querySelectorAll(".vrow").length == 1 && document.querySelector("#v-check_disk") != null && location.search == "?q=disk"`)
		b.holds(`document.activeElement.id == "q"`)
	})
	b.quiet()
}
