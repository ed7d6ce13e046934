package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/fettle-dev/fettle/server/auth"
)

// answer is what a page gave, to be asked by selector.
type answer struct {
	*http.Response
	t    *testing.T
	body string
	doc  *html.Node
}

// do sends a request as the person who is signed in.
func (h *house) do(method, target string, form url.Values, header ...string) answer {
	h.t.Helper()
	req := httptest.NewRequestWithContext(h.t.Context(), method, target, strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if h.cookie != "" {
		req.AddCookie(&http.Cookie{Name: auth.CookieName, Value: h.cookie})
	}
	w := httptest.NewRecorder()
	h.engine.ServeHTTP(w, req)
	a := answer{Response: w.Result(), t: h.t, body: w.Body.String()}
	doc, err := html.Parse(strings.NewReader(a.body))
	if err != nil {
		h.t.Fatal(err)
	}
	a.doc = doc
	if strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") && !strings.HasPrefix(target, "/docs") {
		a.harmless()
	}
	return a
}

func (h *house) get(target string, header ...string) answer {
	h.t.Helper()
	return h.do(http.MethodGet, target, nil, header...)
}

// part gets what htmx asks for.
func (h *house) part(target string, header ...string) answer {
	h.t.Helper()
	return h.get(target, append([]string{"HX-Request", "true"}, header...)...)
}

// where gives the explorer's URL for a filter.
func where(filter string, more ...string) string {
	v := url.Values{"where": {filter}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return "/nodes?" + v.Encode()
}

func (a answer) status(want int) answer {
	a.t.Helper()
	if a.StatusCode != want {
		a.t.Fatalf("status is %d, want %d: %s", a.StatusCode, want, a.body)
	}
	return a
}

// texts gives the text of each element that a selector finds.
func (a answer) texts(selector string) []string {
	a.t.Helper()
	out := []string{}
	for _, n := range query(a.doc, selector) {
		out = append(out, text(n))
	}
	return out
}

// text gives the text of the one element that a selector finds.
func (a answer) text(selector string) string {
	a.t.Helper()
	found := a.texts(selector)
	if len(found) != 1 {
		a.t.Fatalf("%q finds %d elements in %s", selector, len(found), a.body)
	}
	return found[0]
}

// attr gives an attribute of the one element that a selector finds.
func (a answer) attr(selector, name string) string {
	a.t.Helper()
	found := query(a.doc, selector)
	if len(found) != 1 {
		a.t.Fatalf("%q finds %d elements in %s", selector, len(found), a.body)
	}
	return attr(found[0], name)
}

// linkTo gives the address of the one link below selector whose text has the words.
func (a answer) linkTo(selector, words string) string {
	a.t.Helper()
	var found []string
	for _, n := range query(a.doc, selector+" a") {
		if strings.Contains(text(n), words) {
			found = append(found, attr(n, "href"))
		}
	}
	if len(found) != 1 {
		a.t.Fatalf("%d links below %q have %q: %s", len(found), selector, words, a.body)
	}
	return found[0]
}

func (a answer) wants(selector, want string) {
	a.t.Helper()
	if got := a.text(selector); got != want {
		a.t.Errorf("%s says %q, want %q", selector, got, want)
	}
}

func (a answer) lists(selector string, want ...string) {
	a.t.Helper()
	if got := a.texts(selector); !slices.Equal(got, want) {
		a.t.Errorf("%s says %q, want %q", selector, got, want)
	}
}
