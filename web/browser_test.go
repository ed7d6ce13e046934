//go:build integration

package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
)

// browser is a real one that looks at a house, offline.
type browser struct {
	ctx  context.Context
	t    *testing.T
	base string

	mu       sync.Mutex
	strays   []string // requests that left for elsewhere; guarded by mu
	troubles []string // exceptions, and what the console says; guarded by mu
}

// open starts a browser before the house's pages. FETTLE_TEST_CHROMIUM is the program; without it the test fails.
func (h *house) open() *browser {
	h.t.Helper()
	program := os.Getenv("FETTLE_TEST_CHROMIUM")
	if program == "" {
		h.t.Fatal("FETTLE_TEST_CHROMIUM is not set: the path of Chromium (Debian: apt-get install chromium)")
	}
	web := httptest.NewServer(h.engine)
	h.t.Cleanup(web.Close)
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"), // any other name fails at once
		chromedp.UserDataDir(h.t.TempDir()), chromedp.WindowSize(1360, 900))
	ctx, stopProgram := chromedp.NewExecAllocator(h.t.Context(), options...)
	ctx, stopTab := chromedp.NewContext(ctx)
	ctx, stopClock := context.WithTimeout(ctx, 3*time.Minute)
	h.t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			h.t.Log("browser:", err)
		}
		stopClock()
		stopTab()
		stopProgram()
	})
	b := &browser{ctx: ctx, t: h.t, base: web.URL}
	b.do()
	b.watch()
	return b
}

// watch notes what must not happen: requests to elsewhere, exceptions, words in the console.
func (b *browser) watch() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		b.t.Fatal(err)
	}
	if err := chromedp.Listen(b.ctx, func(event any) {
		b.mu.Lock()
		defer b.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, b.base+"/") && !strings.HasPrefix(u, "data:") {
				b.strays = append(b.strays, u)
			}
		case *runtime.EventExceptionThrown:
			b.troubles = append(b.troubles, fmt.Sprint(e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
		case *log.EventEntryAdded:
			b.troubles = append(b.troubles, string(e.Entry.Level)+" "+e.Entry.Text+" "+e.Entry.URL)
		}
	}); err != nil {
		b.t.Fatal(err)
	}
}

// step is a part of a test that goes on where the one before it ended.
func (b *browser) step(name string, f func(t *testing.T)) {
	whole := b.t
	defer func() { b.t = whole }()
	if !whole.Run(name, func(t *testing.T) { b.t = t; f(t) }) {
		whole.FailNow()
	}
}

// quiet fails if something happened that must not.
func (b *browser) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.strays) > 0 || len(b.troubles) > 0 {
		b.t.Errorf("requests to elsewhere %q, console %q", b.strays, b.troubles)
	}
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) visit(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.base + path))
}

// until waits for a condition of the page, in JavaScript. A page that is being left has none.
func (b *browser) until(condition string) {
	b.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](condition))
		if err == nil && ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			shown, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.querySelector("main")?.innerText.slice(0, 1500)`))
			b.t.Fatalf("not in time: %s: %v\n%s", condition, err, shown)
		}
	}
}

// holds fails when a condition of the page does not hold now.
func (b *browser) holds(condition string) {
	b.t.Helper()
	ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](condition))
	if err != nil || !ok {
		b.t.Errorf("does not hold: %s (%v)", condition, err)
	}
}

func (b *browser) press(keys string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(keys))
}

// slash presses "/" in the page's script: a key of the debugging protocol types its letter even where the page has taken the key.
func (b *browser) slash() {
	b.t.Helper()
	b.do(chromedp.Evaluate[chromedp.Void](`void document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "/", bubbles: true, cancelable: true}))`))
}

// shoot keeps a picture where FETTLE_TEST_SHOTS says; elsewhere nobody would look at it.
func (b *browser) shoot(name string) {
	b.t.Helper()
	dir := os.Getenv("FETTLE_TEST_SHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// scheme has the browser want light or dark pages.
func (b *browser) scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// rows is the number of nodes in the table, in JavaScript.
const rows = `document.querySelectorAll(".nodes a.row").length`

func TestPagesInBrowser(t *testing.T) {
	h := newHouse(t)
	h.join(town()...)
	h.check("web01.fra.acme.net", "check_load", fettle.CodeOK, "OK - load average: 0.42, 0.38, 0.31")
	h.check("web01.fra.acme.net", "check_disk", fettle.CodeCritical, "DISK CRITICAL - free space: / 812 MB (2% inode=71%)")
	code, err := h.keeper.LoginLink(t.Context(), "ann", auth.Operator)
	if err != nil {
		t.Fatal(err)
	}
	b := h.open()

	// Each step goes on where the one before it ended, as a person does.
	b.visit("/nodes?where=role%3Dweb")
	b.until(`document.querySelector("h1").innerText == "Sign in"`)
	b.shoot("login")
	b.mu.Lock()
	b.troubles = nil // the 401 of the page that wanted somebody to be signed in stands in the console
	b.mu.Unlock()
	b.visit("/login?code=" + code + "&next=/nodes")
	b.until(rows + ` == 60`)
	b.shoot("nodes-light")

	b.step("the table follows the filter as it is typed", func(t *testing.T) {
		b.press(kb.Escape) // an empty box has the focus from the start
		b.slash()
		b.do(chromedp.SendKeys(chromedp.CSS("#where"), `facts.os.family == "Debian" && facts.environment != "production"`))
		b.until(rows + ` > 0 && ` + rows + ` < 30 && document.querySelector(".undefined") != null`)
		b.holds(`new URL(location.href).searchParams.get("where").startsWith("facts.os.family")`)
		b.holds(`document.activeElement.id == "where"`)
		b.until(`document.querySelector("#announce").textContent.includes("undefined")`)
		b.shoot("typed-light")
	})
	b.step("a fault has a caret, and the last good table stays", func(t *testing.T) {
		b.do(chromedp.SendKeys(chromedp.CSS("#where"), ` && facts.os.`))
		b.until(`document.querySelector(".fault pre .caret")?.getBoundingClientRect().top > document.querySelector(".fault mark").getBoundingClientRect().top`)
		b.holds(rows + ` > 0`)
		b.holds(`getComputedStyle(document.querySelector(".found")).opacity < 1`)
		b.shoot("fault-light")
		b.do(chromedp.SendKeys(chromedp.CSS("#where"), strings.Repeat(kb.Backspace, len(` && facts.os.`))))
		b.until(`document.querySelector(".fault") == null && ` + rows + ` > 0`)
	})
	b.step("the short form, and its translation", func(t *testing.T) {
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#where").select()`), chromedp.SendKeys(chromedp.CSS("#where"), `role=web nginx`))
		b.until(`document.querySelector(".cel code")?.innerText.includes("in classes") && ` + rows + ` > 0`)
	})
	b.step("a facet narrows the filter", func(t *testing.T) {
		b.press(kb.Enter)
		b.until(`document.readyState == "complete" && document.activeElement == document.body`) // Enter has loaded the page anew
		b.do(chromedp.Click(chromedp.CSS(`.split a[href*="facet=environment"]`)))
		b.until(`document.querySelectorAll(".facet .bars a").length >= 3`)
		b.shoot("facet-light")
		b.do(chromedp.Click(chromedp.CSS(`.facet .bars li:first-child a`)))
		b.until(`document.querySelector("#where").value == "role=web nginx environment=production"`)
	})
	b.step("an open page follows the inventory, and keeps the focus", func(t *testing.T) {
		b.do(chromedp.Click(chromedp.CSS(`.facet .close`)))
		b.until(`document.querySelector(".facet") == null`)
		b.do(chromedp.Focus(chromedp.CSS("#n-web01\\.fra\\.acme\\.net")))
		before, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](rows))
		if err != nil {
			t.Fatal(err)
		}
		h.join(member{id: "web99.new.acme.net", facts: map[string]any{"environment": "production", "role": "web"}, classes: []string{"nginx"}})
		b.until(fmt.Sprintf("%s == %d", rows, before+1))
		b.holds(`document.activeElement.id == "n-web01.fra.acme.net"`)
	})
	b.step("what is being typed beside the table is not drawn over", func(t *testing.T) {
		b.do(chromedp.SendKeys(chromedp.CSS("#facet"), "dat"), chromedp.Evaluate[chromedp.Void](`void (() => {
			window.probe = new EventSource("/changes");
			window.probe.addEventListener("changed", () => setTimeout(() => { window.heard = 1; window.probe.close() }, 2500)); // the page's own stream may rest
		})()`))
		b.until(`window.probe?.readyState == 1`)
		h.join(member{id: "web98.new.acme.net", facts: map[string]any{"environment": "production", "role": "web"}, classes: []string{"nginx"}})
		b.until(`window.heard > 0`)
		b.holds(`document.querySelector("#facet").value == "dat" && document.getElementById("n-web98.new.acme.net") == null`)
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#facet").value = ""; document.activeElement.blur()`))
		h.join(member{id: "web97.new.acme.net", facts: map[string]any{"environment": "production", "role": "web"}, classes: []string{"nginx"}})
		b.until(`document.getElementById("n-web97.new.acme.net") != null && document.getElementById("n-web98.new.acme.net") != null`)
	})
	b.step("keys lead to a node", func(t *testing.T) {
		b.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
		b.press("j")
		b.press("j")
		b.press("k")
		b.holds(`document.activeElement == document.querySelector(".nodes a.row")`)
		b.press("?")
		b.until(`document.querySelector("#help").open`)
		b.shoot("keys-light")
		b.press(kb.Escape)
		b.until(`!document.querySelector("#help").open`)
		b.visit("/nodes/web01.fra.acme.net")
		b.until(`document.querySelector("h1").innerText == "web01.fra.acme.net"`)
		b.shoot("node-light")
	})
	b.step("facts are searched", func(t *testing.T) {
		b.slash()
		b.do(chromedp.SendKeys(chromedp.CSS("#q"), "eth0 ip"))
		b.until(`document.querySelectorAll(".leaf").length > 0 && document.querySelectorAll(".leaf").length < 6`)
		b.holds(`location.search == "?q=eth0+ip" || location.search == "?q=eth0%20ip"`)
		b.holds(`document.querySelector(".tree mark").innerText == "eth0"`)
		b.shoot("search-light")
	})
	b.step("a filter is explained while it is typed", func(t *testing.T) {
		b.visit(where(`facts.os.family == "Debian" && (facts.environment == "production" || facts.rol == "db")`, "explain", "1"))
		b.until(`document.querySelectorAll(".clauses tbody tr").length == 5`)
		b.shoot("explain-light")
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("#where").select()`), chromedp.SendKeys(chromedp.CSS("#where"), `role=web nginx`))
		b.until(`document.querySelectorAll(".clauses tbody tr").length == 3 && new URL(location.href).searchParams.get("explain") == "1"`)
		b.do(chromedp.SendKeys(chromedp.CSS("#why"), "db03.fra.acme.net"+kb.Enter))
		b.until(`document.querySelector("#verdict .kept code") != null`)
		b.shoot("verdict-light")
	})
	b.step("rows are ordered by a click", func(t *testing.T) {
		b.visit("/nodes?cols=processors.count,role")
		b.do(chromedp.Click(chromedp.CSS(`.nodes thead a.by[href*="sort=processors"]`)))
		b.until(`document.querySelector("th[aria-sort]").innerText.trim() == "processors.count"`)
		b.do(chromedp.Click(chromedp.CSS(`.nodes thead a.by[href*="sort=processors"]`)))
		b.until(`document.querySelector("th[aria-sort]").ariaSort == "descending" && document.querySelector(".nodes td.number").innerText == "16"`)
		b.shoot("sort-light")
	})
	b.step("what changed, and what was before", func(t *testing.T) {
		changed := town()[1]
		facts := changed.facts.(map[string]any)
		facts["kernelrelease"], facts["motd"], facts["datacenter"] = "6.1.0-22-amd64", "back soon", "muc"
		h.join(changed)
		b.visit("/nodes/" + string(changed.id) + "#history")
		b.until(`document.querySelectorAll("#history tbody tr").length == 3`)
		b.shoot("history-light")
		b.do(chromedp.Click(chromedp.CSS(`#history tbody tr:first-child .at a`)))
		b.until(`document.querySelector(".past") != null && document.querySelector("#checks-title") == null`)
		b.shoot("past-node-light")
		b.visit("/nodes?as_of=" + momentText(fettle.MillisOf(time.Now())))
		b.until(`document.querySelector(".past") != null && ` + rows + ` == 63`)
		b.shoot("past-light")
	})
	b.step("dark, by the system and by hand", func(t *testing.T) {
		b.scheme("dark")
		b.shoot("search-dark")
		b.visit("/nodes?facet=environment")
		b.until(rows + ` == 63`)
		b.shoot("nodes-dark")
		b.holds(`matchMedia("(prefers-color-scheme: dark)").matches`)
		dark := `getComputedStyle(document.body).backgroundColor`
		before, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](dark))
		if err != nil {
			t.Fatal(err)
		}
		b.do(chromedp.Click(chromedp.CSS("#theme")))
		b.holds(fmt.Sprintf(`%s != %q && localStorage.getItem("theme") == "light"`, dark, before))
		b.visit("/nodes/web01.fra.acme.net")
		b.holds(fmt.Sprintf(`%s != %q`, dark, before))
		b.do(chromedp.Evaluate[chromedp.Void](`localStorage.clear()`))
		b.visit("/nodes/web01.fra.acme.net")
		b.shoot("node-dark")
		b.visit("/nodes?where=facts.os.family+%3D%3D")
		b.until(`document.querySelector(".fault") != null`)
		b.shoot("fault-dark")
		b.mu.Lock()
		b.troubles = slices.DeleteFunc(b.troubles, func(s string) bool { return strings.Contains(s, "422") }) // the page's own status
		b.mu.Unlock()
	})
	b.step("on a phone nothing is wider than the page, and a finger finds its place", func(t *testing.T) {
		b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)))
		for name, path := range map[string]string{
			"nodes": "/nodes?facet=environment", "node": "/nodes/web01.fra.acme.net", "missing": "/nodes/web77", "search": "/nodes/web01.fra.acme.net?q=eth0",
			"explain": where(`facts.os.family == "Debian" && (facts.environment == "production" || facts.rol == "db")`, "explain", "1"),
			"history": "/nodes/" + string(town()[1].id) + "#history", "past": "/nodes?sort=role&as_of=" + momentText(fettle.MillisOf(time.Now())),
			"verdict": "/nodes/web01.fra.acme.net?where=nginx+role%3Ddb",
			"typed":   "/nodes?where=" + `facts.os.family+%3D%3D+"Debian"+%26%26+facts.environment+!%3D+"production"`,
		} {
			for _, scheme := range []string{"light", "dark"} {
				b.scheme(scheme)
				b.visit(path)
				b.until(`document.readyState == "complete"`)
				b.shoot("phone-" + name + "-" + scheme)
			}
			b.holds(`document.documentElement.scrollWidth <= 390`)
			small, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("a, button, summary, input:not([type=hidden]), textarea")]
				.filter((e) => !e.closest("p, .skip, dialog") && e.checkVisibility() && e.getBoundingClientRect().width > 1)
				.filter((e) => e.getBoundingClientRect().height < 43.5)
				.map((e) => e.outerHTML.slice(0, 120) + " " + e.getBoundingClientRect().height).slice(0, 8).join("\n")`))
			if err != nil || small != "" {
				t.Errorf("%s: too small for a finger: %s %v", name, small, err)
			}
		}
		b.mu.Lock()
		b.troubles = slices.DeleteFunc(b.troubles, func(s string) bool { return strings.Contains(s, "404") })
		b.mu.Unlock()
	})
	b.quiet()
}
