package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle/server/auth"
)

// TestWhoMaySend holds every form there is to who may send it, those of tomorrow too.
func TestWhoMaySend(t *testing.T) {
	h := newHouse(t)
	secret, _, err := h.keeper.Issue(t.Context(), auth.Order{Name: "reader", Role: auth.Admin, Scopes: []string{auth.ScopeRead}})
	if err != nil {
		t.Fatal(err)
	}
	viewer, operator, admin := h.signIn(auth.Viewer), h.signIn(auth.Operator), h.signIn(auth.Admin)
	rules := map[string]bool{"/broker/connections/:who/end": true, "/broker/letters/replay": true, "/broker/letters/delete": true} // administrators alone
	forms := 0
	for _, r := range h.engine.Routes() {
		if r.Method != http.MethodPost || strings.HasPrefix(r.Path, "/api/") || strings.HasPrefix(r.Path, "/login") || r.Path == "/logout" {
			continue
		}
		forms++
		path := strings.NewReplacer(":name", "x", ":id", "x", ":identity", "x", ":who", "x").Replace(r.Path)
		for who, c := range map[string]struct {
			cookie string
			want   int
			header []string
		}{
			"nobody": {"", http.StatusUnauthorized, nil}, "a viewer": {viewer, http.StatusForbidden, nil}, "a token that reads": {secret, http.StatusForbidden, nil},
			"an operator from another site": {operator, http.StatusForbidden, []string{"Sec-Fetch-Site", "cross-site"}},
		} {
			h.cookie = c.cookie
			if a := h.do(http.MethodPost, path, url.Values{}, c.header...); a.StatusCode != c.want {
				t.Errorf("POST %s by %s: %d, want %d", path, who, a.StatusCode, c.want)
			}
		}
		h.cookie = operator
		a := h.do(http.MethodPost, path, url.Values{})
		if rules[r.Path] {
			if a.StatusCode != http.StatusForbidden {
				t.Errorf("POST %s by an operator: %d", path, a.StatusCode)
			}
			h.cookie = admin
			a = h.do(http.MethodPost, path, url.Values{})
		}
		if a.StatusCode == http.StatusForbidden || a.StatusCode >= 500 {
			t.Errorf("POST %s by who may: %d %s", path, a.StatusCode, a.body)
		}
	}
	if forms < 20 {
		t.Errorf("%d forms", forms)
	}
}
