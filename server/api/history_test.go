package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle/server/auth"
)

func TestHistory(t *testing.T) {
	b := newBench(t, Config{})
	for _, row := range []struct {
		path   string
		status int
	}{
		{"/nodes/web1.acme.net/history", http.StatusOK},
		{"/nodes/web1.acme.net/history?path=os.minor", http.StatusOK},
		{"/nodes/nobody/history", http.StatusNotFound},
		{"/nodes/web1.acme.net/history?path=os..minor", http.StatusUnprocessableEntity},
		{"/nodes/web1.acme.net/history?cursor=x", http.StatusUnprocessableEntity},
		{"/nodes/web1.acme.net?as_of=2100-01-01T00:00:00Z", http.StatusOK},
		{"/nodes/web1.acme.net?as_of=1990-01-01T00:00:00Z", http.StatusNotFound},
		{"/nodes?as_of=yesterday", http.StatusUnprocessableEntity},
	} {
		if got := b.ask(auth.Viewer, http.MethodGet, "/api/v1"+row.path, ""); got.status != row.status {
			t.Errorf("%s: %d, want %d: %s", row.path, got.status, row.status, got.body)
		}
	}
}

func TestLoginLink(t *testing.T) {
	b := newBench(t, Config{})
	got := b.ask(auth.Operator, http.MethodPost, "/api/v1/login-links", `{}`)
	if got.status != http.StatusCreated {
		t.Fatalf("%d: %s", got.status, got.body)
	}
	var link LoginLink
	if err := json.Unmarshal([]byte(got.body), &link); err != nil {
		t.Fatal(err)
	}
	secret, err := b.keeper.Redeem(t.Context(), strings.TrimPrefix(link.Path, "/login?code="))
	if err != nil {
		t.Fatal(err)
	}
	person, err := b.keeper.Authenticate(t.Context(), secret)
	if err != nil || person.Role != auth.Operator {
		t.Errorf("%+v, %v", person, err)
	}
}
