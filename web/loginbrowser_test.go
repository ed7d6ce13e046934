//go:build integration

package web

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/fettle-dev/fettle/server/auth"
)

// forgive forgets what the console has said: an answer 401 or 403 stands in it, and is what a step wanted.
func (b *browser) forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubles = nil
}

// TestSigningInByNameInBrowser goes from the login page to the explorer and out again, at the width of a desk and at that of a phone.
func TestSigningInByNameInBrowser(t *testing.T) {
	h := newHouse(t)
	h.join(town()...)
	h.user("dora", auth.Operator)
	b := h.open()
	for _, screen := range []struct {
		name  string
		shape chromedp.Action[chromedp.Void]
		fits  string
	}{
		{"desk", chromedp.EmulateViewport(1360, 900), `document.documentElement.scrollWidth <= 1360`},
		{"phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2)), `document.documentElement.scrollWidth <= 390`},
	} {
		b.do(screen.shape)
		b.step(screen.name+": the form is there, and has the focus", func(t *testing.T) {
			b.visit("/nodes?where=role%3Dweb")
			b.until(`document.querySelector("h1").innerText == "Sign in" && document.activeElement.id == "name"`)
			b.holds(screen.fits)
			b.holds(`[...document.querySelectorAll("#by-name input:not([type=hidden]), #by-name button")].every(e => { let r = e.getBoundingClientRect(); return r.left >= 0 && r.right <= innerWidth && r.height >= 24 })`)
		})
		b.step(screen.name+": a wrong password says so, and the name stays", func(t *testing.T) {
			b.do(chromedp.SendKeys(chromedp.CSS("#name"), "dora"), chromedp.SendKeys(chromedp.CSS("#password"), "wrong"+kb.Enter))
			b.until(`document.querySelector(".narrow .notice[role=alert]")?.innerText.includes("the name or the password is wrong")`)
			b.holds(`document.querySelector("#name").value == "dora" && document.querySelector("#password").value == ""`)
			b.until(`document.activeElement.id == "password"`)
			b.holds(screen.fits)
			b.shoot("login-wrong-" + screen.name)
		})
		b.step(screen.name+": the right one leads to what was wanted", func(t *testing.T) {
			b.do(chromedp.SendKeys(chromedp.CSS("#password"), phrase), chromedp.Click(chromedp.CSS("#by-name button")))
			b.until(rows + ` == 30 && document.querySelector(".who .name").textContent == "dora"`)
			b.holds(`new URL(location.href).searchParams.get("where") == "role=web"`)
			b.holds(screen.fits)
			b.forgive()
		})
		b.step(screen.name+": signing out ends it", func(t *testing.T) {
			b.quiet()
			b.do(chromedp.Click(chromedp.CSS(".who summary")), chromedp.Click(chromedp.CSS(".who .menu button")))
			b.until(`document.querySelector("h1").innerText == "Sign in"`)
			b.visit("/nodes")
			b.until(`document.querySelector("h1").innerText == "Sign in" && document.querySelector(".nodes") == null`)
			b.forgive()
		})
	}
	b.quiet()
}
