//go:build integration

package web

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/wire"
)

func TestDefiningInBrowser(t *testing.T) {
	h := newHouseWith(t, Config{Broker: &exchange{nodes: 250}}, nil)
	illTown(h)
	for _, body := range []string{"not json", "\xff\x00", strings.Repeat("long ", 4000)} {
		done := make(chan error, 1)
		h.Collect(server.Incoming{Destination: wire.Destinations{}.Facts(), Message: wire.Message{Body: []byte(body)}, Sender: "web01.fra.acme.net", Done: func(err error) { done <- err }})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	b := h.signedIn(auth.Admin)
	type_ := func(id, text string) {
		b.do(chromedp.Focus(chromedp.CSS(id)), chromedp.Evaluate[chromedp.Void](`void document.activeElement.select()`), chromedp.SendKeys(chromedp.CSS(id), text))
	}
	b.step("a check is written, looked at and made by keyboard alone", func(t *testing.T) {
		b.visit("/define/check")
		b.until(`document.querySelector("#define") != null`)
		type_("#f-name", "cores")
		b.do(chromedp.Evaluate[chromedp.Void](`void (document.querySelector("#f-asks").value = "expression")`))
		type_("#f-what", "facts.processors.count > 2")
		type_("#f-filter", "role=web")
		type_("#f-interval", "fife"+kb.Enter)
		b.until(`document.querySelector("#e-interval") != null && document.querySelector("#f-what").value == "facts.processors.count > 2"`)
		b.shoot("define-fault")
		b.sound("a form with a fault")
		type_("#f-interval", "5m"+kb.Enter)
		b.until(`document.querySelector("#looked")?.innerText.includes("It is about 30 nodes.")`)
		b.do(chromedp.Focus(chromedp.CSS("#define .primary")))
		b.press(kb.Enter)
		b.until(`location.pathname == "/checks/cores"`)
	})
	b.look("define", "/checks/cores/edit")
	b.look("define-yaml", "/checks/cores/edit?whole=1")
	b.step("one node says what it would be, and somebody else's change is not lost", func(t *testing.T) {
		b.visit("/checks/cores/edit")
		b.until(`document.querySelector("#define") != null`)
		type_("#node", "web01.fra.acme.net")
		b.do(chromedp.Click(chromedp.CSS(`button[formaction="/define/check/test"]`)))
		b.until(`document.querySelector("#tested") != null`)
		b.shoot("define-tested")
		b.sound("a tested check")
		kept, err := h.CheckDefinition(t.Context(), "cores")
		if err != nil {
			t.Fatal(err)
		}
		theirs := kept.CheckDefinition
		theirs.Attempts, theirs.Filter = 3, "role=db"
		if _, err := h.SaveCheck(t.Context(), server.CheckChange{Definition: theirs, Caller: server.Asker{Name: "dora", Role: string(auth.Admin)}, Admin: true}); err != nil {
			t.Fatal(err)
		}
		type_("#f-notes", "mine")
		b.do(chromedp.Click(chromedp.CSS("#define .primary")))
		b.until(`document.querySelector("#conflict") != null && document.querySelector("#f-notes").value == "mine"`)
		b.sizes(func(size string) { b.shoot("define-conflict-" + size); b.sound("a conflict " + size) })
		b.do(chromedp.Click(chromedp.CSS(`#conflict button[name=over]`)))
		b.until(`location.pathname == "/checks/cores"`)
	})
	b.step("it is deleted without scripts", func(t *testing.T) {
		b.scripts(false)
		defer b.scripts(true)
		b.visit("/checks/cores/edit")
		b.do(chromedp.Click(chromedp.CSS(`details.more > summary`)), chromedp.Click(chromedp.CSS(`details.more .danger`)))
		b.until(`location.pathname == "/checks"`)
	})
	if _, err := h.SaveGroup(t.Context(), fettle.Group{Name: "base", Members: []fettle.GroupMember{{Check: "check_load"}, {Check: "check_disk", Filter: "facts.role == 'web'"}}}, "dora"); err != nil {
		t.Fatal(err)
	}
	b.look("members", "/checks/base")
	b.look("members-history", "/checks/base/history?span=24h")
	b.look("broker", "/broker")
	b.look("connections", "/broker/connections")
	b.look("destinations", "/broker/destinations?sort=name")
	b.look("letters", "/broker/letters")
	b.look("letter", "/broker/letters/1")
	b.step("a page whose stream is cut goes on when it is back", func(t *testing.T) {
		b.do(chromedp.EmulateViewport(1280, 900))
		b.visit("/checks")
		b.until(`document.querySelector("#v-check_load") != null`)
		b.do(chromedp.Evaluate[chromedp.Void](`void (() => { const real = EventSource.prototype.close; window.streams = 0; const old = window.EventSource;
			window.EventSource = class extends old { constructor(...a) { super(...a); window.streams++; } }; document.dispatchEvent(new Event("visibilitychange")); dispatchEvent(new Event("pagehide")); dispatchEvent(new Event("pageshow")); })()`))
		b.until(`window.streams == 1`)
		h.check("web07.ams.acme.net", "check_load", fettle.CodeCritical, "load average: 91")
		b.until(`document.querySelector("#v-check_load .count-critical b")?.innerText == "1"`)
	})
	b.mu.Lock() // a page's own status, of a form with a fault or in conflict
	b.troubles = slices.DeleteFunc(b.troubles, func(s string) bool { return strings.Contains(s, "422") || strings.Contains(s, "409") })
	b.mu.Unlock()
	b.quiet()
}
