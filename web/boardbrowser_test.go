//go:build integration

package web

import (
	"testing"

	"github.com/chromedp/chromedp"

	fettle "github.com/fettle-dev/fettle"
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
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
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
	b := h.signedIn(auth.Operator)
	b.look("board", "/checks")
	b.look("check", "/checks/check_disk")
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
	b.step("keys go through the rows", func(t *testing.T) {
		b.visit("/checks")
		b.until(`document.readyState == "complete" && document.querySelector("#v-check_disk") != null`)
		b.press("j")
		b.until(`document.activeElement.closest(".vrow")?.id == "v-check_disk"`)
		b.press("j")
		b.until(`document.activeElement.closest(".vrow")?.id == "v-check_load"`)
	})
	b.step("a row that changes is drawn anew, and nothing else: the focus and the very element stay", func(t *testing.T) {
		b.do(chromedp.Evaluate[chromedp.Void](`window.kept = document.querySelector("#v-check_load"); window.text = kept.querySelector(".counted").innerText; void 0`))
		h.check("db03.fra.acme.net", "check_load", fettle.CodeCritical, "load average: 99")
		b.until(`document.querySelector("#v-check_load .mark").innerText == "critical"`)
		b.holds(`document.querySelector("#v-check_load") === window.kept && document.activeElement.closest(".vrow") === window.kept && kept.querySelector(".counted").innerText != window.text`)
	})
	b.step("what is typed narrows it", func(t *testing.T) {
		b.slash()
		b.do(chromedp.SendKeys(chromedp.CSS("#q"), "disk"))
		b.until(`document.querySelectorAll(".vrow").length == 1 && location.search == "?q=disk"`)
		b.holds(`document.activeElement.id == "q"`)
	})
	b.quiet()
}
