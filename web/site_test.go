package web

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/html"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/api"
	"github.com/fettle-dev/fettle/server/auth"
)

// harmless holds every page of every test to what a page may have: nothing in line, nothing from elsewhere, and the headers that say so.
func (a answer) harmless() {
	a.t.Helper()
	if got := a.Header.Get("Content-Security-Policy"); got != policy {
		a.t.Errorf("the policy is %q", got)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"} {
		if got := a.Header.Get(name); got != want {
			a.t.Errorf("%s is %q", name, got)
		}
	}
	for n := range a.doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "style" || n.Data == "iframe" || n.Data == "object" || n.Data == "img" || n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil) {
			a.t.Errorf("a page has <%s>", n.Data)
		}
		for _, at := range n.Attr {
			value := strings.ToLower(strings.TrimSpace(at.Val))
			switch {
			case strings.HasPrefix(at.Key, "on"), at.Key == "style", strings.HasPrefix(at.Key, "hx-on"), at.Key == "srcdoc":
				a.t.Errorf("a page has the attribute %s=%q", at.Key, at.Val)
			case at.Key == "href" && attr(n, "rel") == "noopener noreferrer external" && (strings.HasPrefix(value, "https://") || strings.HasPrefix(value, "http://")):
				// a runbook
			case (at.Key == "href" || at.Key == "src" || at.Key == "action" || at.Key == "hx-get") && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "#"):
				a.t.Errorf("a page leads elsewhere: %s=%q", at.Key, at.Val)
			}
		}
	}
}

// nasty are texts that a hostile node sends.
func nasty() []string {
	return []string{
		`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `javascript:alert(1)`, `' onmouseover='alert(1)`, `</textarea><script>alert(1)</script>`,
		`{{.}} ${x} </style><style>*{display:none}</style>`, "a\u2028b\u0000c", "</title><base href=//evil.example>", `\"quoted\\`, "line\nbreak\ttab", "\u202eright to left",
	}
}

func TestHostileNodesCannotWritePages(t *testing.T) {
	h := newHouse(t)
	facts := map[string]any{}
	for i, text := range nasty() {
		facts[text] = text
		facts[fmt.Sprintf("plain%d", i)] = text
		facts[fmt.Sprintf("list%d", i)] = []any{text, map[string]any{text: text}}
	}
	h.join(member{id: "evil.acme.net", facts: facts, classes: nasty()[:5], commands: []string{`<b>check</b>`, "check_load"}})
	h.passes()
	for i, text := range nasty() { // what it had stands in its history
		facts[fmt.Sprintf("plain%d", i)] = text + text
	}
	h.join(member{id: "evil.acme.net", facts: facts, classes: nasty()[:5], commands: []string{`<b>check</b>`, "check_load"}})
	h.check("evil.acme.net", "check_load", fettle.CodeWarning, `<script>alert(1)</script>`)

	h.cookie = h.signIn(auth.Operator)
	run := started(t, h, `"nginx" in classes || identity != ""`)
	h.answer("evil.acme.net", fettle.Result{Status: fettle.StatusFailed, Message: nasty()[0], Data: map[string]any{nasty()[1]: nasty()[2], "output": nasty()[4]}})
	for _, text := range nasty()[:4] {
		form := url.Values{"checks": {text}, "where": {"true"}, "for": {"1h"}, "reason": {text}, "zone": {text}, "back": {text}}
		h.do(http.MethodPost, "/silences/preview", form)
		for _, path := range []string{"", "/look", "/view", "/test"} {
			h.do(http.MethodPost, "/define/check"+path, url.Values{"name": {text}, "what": {text}, "filter": {text}, "notes": {text}, "labels": {text}, "rest": {text}, "node": {text}})
			h.do(http.MethodPost, "/define/check"+path, url.Values{"whole": {"1"}, "rest": {text}, "was": {text}, "rev": {text}, "over": {text}})
		}
		h.do(http.MethodPost, "/silences", form)
		h.do(http.MethodPost, "/runs/preview", url.Values{"action": {"shell.run"}, "where": {"nginx"}, "in.command": {text}, "in." + text: {text}, "timeout": {text}})
	}
	pages := []string{run, "/checks", "/now", "/runs", "/silences", "/checks/check_load", "/checks/check_load/nodes/evil.acme.net", "/nodes", "/nodes/evil.acme.net", "/nodes/evil.acme.net?q=alert", "/nodes/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/nowhere/<script>"}
	for i, text := range nasty() {
		path := fettle.Path{text}.String()
		pages = append(pages, "/checks?q="+escape(text)+"&owner="+escape(text), "/checks/"+escape(text), "/checks/check_load?by="+escape(path), "/checks/check_load/map?x="+escape(path)+"&y=plain0",
			"/runs/new?action="+escape(text)+"&where="+escape(text), "/runs/new?action=shell.run&in.command="+escape(text), "/silences/new?checks="+escape(text)+"&back="+escape(text), "/now?silenced="+escape(text),
			where(text), where("nginx", "facet", path), where("", "cols", path+",classes,labels"), "/nodes/evil.acme.net?q="+escape(text),
			fmt.Sprintf("/nodes?cols=plain%d,list%d&facet=plain%d", i, i, i), "/login?next="+escape(text)+"&code="+escape(text), where(`facts.x == "`+text),
			where("facts."+path+" == "+quoteCEL(text), "explain", "1"), where(text, "explain", "1", "as_of", text), where("", "sort", path, "desc", "1"), "/nodes?why="+escape(text),
			"/nodes/evil.acme.net?history="+escape(path), "/nodes/evil.acme.net?where="+escape(text)+"&before=1", "/nodes/evil.acme.net?where="+escape("facts["+quoteCEL(text)+"] == 1"))
	}
	for _, page := range pages {
		a := h.get(page) // h.do looks at what came
		if a.StatusCode >= 500 {
			t.Errorf("%s: %d %s", page, a.StatusCode, a.body)
		}
	}
	t.Run("and its values lead to it all the same", func(t *testing.T) {
		for i, text := range nasty() {
			a := h.get(fmt.Sprintf("/nodes?facet=plain%d", i)).status(http.StatusOK)
			h.get(a.attr(".facet .bars a", "href")).status(http.StatusOK).lists(".nodes a.row", "evil.acme.net")
			b := h.get(where("", "facet", fettle.Path{text}.String())).status(http.StatusOK)
			h.get(b.attr(".facet .bars a", "href")).status(http.StatusOK).lists(".nodes a.row", "evil.acme.net")
		}
	})
}

func escape(s string) string { return strings.TrimPrefix(where(s), "/nodes?where=") }

func TestStaticFiles(t *testing.T) {
	h := newHouse(t)
	h.cookie = "" // the sign-in page has them too
	look, err := newLook(embedded)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"base.css", "pages.css", "fettle.js", "theme.js", "icon.svg", "vendor/htmx.min.js"} {
		url, err := look.url(name)
		if err != nil {
			t.Fatal(err)
		}
		a := h.get(url)
		want, err := fs.ReadFile(embedded, "static/"+name)
		if err != nil {
			t.Fatal(err)
		}
		if a.StatusCode != http.StatusOK || a.body != string(want) || !strings.Contains(a.Header.Get("Cache-Control"), "immutable") || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", url, a.StatusCode, a.Header)
		}
		if kind := a.Header.Get("Content-Type"); kind == "" || strings.HasPrefix(kind, "text/html") {
			t.Errorf("%s is %q", url, kind)
		}
		if packed := h.get(url, "Accept-Encoding", "br, gzip"); packed.Header.Get("Content-Encoding") == "gzip" && len(packed.body) >= len(want) {
			t.Errorf("%s does not shrink", url)
		}
	}
	t.Run("every one that a page names is there", func(t *testing.T) {
		h.cookie = h.signIn("viewer")
		page := h.get("/nodes")
		for _, n := range append(query(page.doc, "script"), query(page.doc, "head link")...) {
			h.get(attr(n, "src") + attr(n, "href")).status(http.StatusOK)
		}
	})
	for _, gone := range []string{"/static/0000000000000000/base.css", "/static/x/../doc.go", "/static/x/vendor/swagger-ui-bundle.js", "/static/", "/static/x/"} {
		if a := h.get(gone); a.StatusCode == http.StatusOK {
			t.Errorf("%s: %d", gone, a.StatusCode)
		}
	}
}

func TestNothingStandsInLine(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<script[^>]*>[^<]|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|hx-vals="js:|https?://`)
	names, err := fs.Glob(embedded, "templates/*.html")
	if err != nil || len(names) < 6 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(embedded, name)
		if err != nil {
			t.Fatal(err)
		}
		if found := inline.Find(text); found != nil {
			t.Errorf("%s has %q", name, found)
		}
	}
}

func TestBrokenTemplateStopsTheServer(t *testing.T) {
	broken := fstest.MapFS{"static/x.css": {Data: []byte("x")}}
	for _, name := range append(append([]string{}, shared...), pageFiles...) {
		broken["templates/"+name] = &fstest.MapFile{Data: []byte(`{{define "x"}}`)}
	}
	h := newHouse(t)
	if err := Mount(api.NewEngine(nil), Config{Files: broken}, h.Server, h.keeper, nil); err == nil || !strings.Contains(err.Error(), "templates") {
		t.Errorf("got %v", err)
	}
}

func TestFilesInDevelopment(t *testing.T) {
	files := fstest.MapFS{}
	if err := fs.WalkDir(embedded, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(name, "vendor/swagger") {
			return err
		}
		text, err := fs.ReadFile(embedded, name)
		files[name] = &fstest.MapFile{Data: text}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	h := newHouseWith(t, Config{Files: files}, nil)
	h.get("/nodes").status(http.StatusOK)
	files["templates/error.html"] = &fstest.MapFile{Data: []byte(`{{define "main"}}<p class="new">{{.Detail}}</p>{{end}}`)}
	if got := h.get("/nowhere").status(http.StatusNotFound).text(".new"); got != "there is no page at /nowhere" {
		t.Errorf("the page says %q", got)
	}
}

// ill is a fleet of which something is broken.
type ill struct {
	Fleet
	ready, find error
}

func (f ill) Ready(context.Context) error { return f.ready }

func (f ill) FactPaths(ctx context.Context, sel server.Selection) ([]server.PathInfo, error) {
	if f.find != nil {
		return nil, f.find
	}
	return f.Fleet.FactPaths(ctx, sel)
}

func TestErrors(t *testing.T) {
	t.Run("a path where nothing is", func(t *testing.T) {
		a := newHouse(t).get("/nowhere").status(http.StatusNotFound)
		a.wants("h1", "Not found")
		if id := a.text(".small code"); id == "" || id != a.Header.Get("X-Request-Id") {
			t.Errorf("the request's id is %q", id)
		}
	})
	t.Run("below /api/ it is REST that answers", func(t *testing.T) {
		a := newHouse(t).get("/api/v1/nowhere").status(http.StatusNotFound)
		if a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("got %v", a.Header)
		}
	})
	t.Run("a fault of ours shows its id and nothing else", func(t *testing.T) {
		h := newHouseWith(t, Config{}, func(f Fleet) Fleet { return ill{Fleet: f, find: fmt.Errorf("secret of the store")} })
		a := h.get("/nodes").status(http.StatusInternalServerError)
		if strings.Contains(a.body, "secret") || a.text(".small code") == "" {
			t.Error(a.body)
		}
	})
	t.Run("what is not available says so, to htmx in a word", func(t *testing.T) {
		h := newHouseWith(t, Config{}, func(f Fleet) Fleet {
			return ill{Fleet: f, find: fmt.Errorf("the store is away: %w", fettle.ErrUnavailable)}
		})
		h.get("/nodes").status(http.StatusServiceUnavailable).wants(".said", "the store is away")
		a := h.part("/nodes").status(http.StatusServiceUnavailable)
		if len(query(a.doc, "header")) != 0 || a.text(".said") != "the store is away" {
			t.Error(a.body)
		}
	})
	t.Run("a server that is not ready is told on every page", func(t *testing.T) {
		h := newHouseWith(t, Config{}, func(f Fleet) Fleet {
			return ill{Fleet: f, ready: fmt.Errorf("the inventory is being loaded: %w", fettle.ErrUnavailable)}
		})
		a := h.get("/nodes").status(http.StatusOK)
		if notice := a.texts("p.notice")[0]; notice != "The server is not ready: the inventory is being loaded." {
			t.Errorf("the notice is %q", notice)
		}
	})
	t.Run("the documentation of REST has its files", func(t *testing.T) {
		h := newHouse(t)
		h.get("/docs").status(http.StatusOK)
		h.get("/docs/swagger-ui-bundle.js").status(http.StatusOK)
	})
	t.Run("HEAD is answered without a body", func(t *testing.T) {
		h := newHouse(t)
		web := httptest.NewServer(h.engine)
		defer web.Close()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, web.URL+"/nodes", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%v %v", res.Status, err)
		}
	})
}
