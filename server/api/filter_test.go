package api

import (
	"regexp"
	"testing"

	"github.com/fettle-dev/fettle/server/auth"
)

func TestSpenders(t *testing.T) {
	b := newBench(t, Config{})
	if got := b.get("/api/v1/filter/spenders"); got != `{"spenders":[]}`+"\n" {
		t.Errorf("before any question: %s", got)
	}
	b.get(`/api/v1/nodes?where=facts.env+==+facts.nothing`)
	got := regexp.MustCompile(`"took_ms":[0-9.e-]+`).ReplaceAllString(b.get("/api/v1/filter/spenders"), `"took_ms":0`)
	sameJSON(t, got, `{"spenders":[{"filter":"facts.env == facts.nothing","runs":1,"refused":0,"took_ms":0,"passes":3}]}`)
	if a := b.ask("", "GET", "/api/v1/filter/spenders", ""); a.status != 401 {
		t.Errorf("without a token: %d %s", a.status, a.body)
	}
	if a := b.ask(auth.Viewer, "GET", "/api/v1/filter/spenders", ""); a.status != 200 {
		t.Errorf("a viewer: %d %s", a.status, a.body)
	}
}
