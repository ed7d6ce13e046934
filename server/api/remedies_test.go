package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/server/remedy"
)

// fakeRemedies has one remedy, and notes what it was asked.
type fakeRemedies struct {
	asked remedy.Query
	pause *remedy.Pause
}

var restart = remedy.One{
	Seq: 7, Transition: 70, Check: "http", Node: "web1.acme.net", At: 1_763_700_000_000, From: fettle.CheckOK, To: fettle.CheckCritical, Output: "refused",
	Action: "service.restart", Caller: "ann", Phase: fettle.RemedySkipped, Kind: "silenced", Why: "bob: works",
}

func (f *fakeRemedies) List(_ context.Context, q remedy.Query) ([]remedy.One, error) {
	f.asked = q
	return []remedy.One{restart}, nil
}

func (f *fakeRemedies) Get(_ context.Context, id int64) (remedy.One, error) {
	if id != restart.Seq {
		return remedy.One{}, fmt.Errorf("there is no remedy %d: %w", id, fettle.ErrNotFound)
	}
	return restart, nil
}

func (f *fakeRemedies) Of(context.Context, []int64) (map[int64]remedy.One, error) { return nil, nil }

func (f *fakeRemedies) Pause(_ context.Context, p remedy.Pause) (remedy.Pause, error) {
	if p.Reason == "" {
		return p, &fettle.Fault{Key: "reason", Reason: "it is missing"}
	}
	if f.pause != nil {
		return p, fmt.Errorf("they are paused already: %w", fettle.ErrConflict)
	}
	p.At = 1_763_700_000_000
	f.pause = &p
	return p, nil
}

func (f *fakeRemedies) Resume(context.Context, string, string) (remedy.Pause, error) {
	if f.pause == nil {
		return remedy.Pause{}, fmt.Errorf("they are not paused: %w", fettle.ErrConflict)
	}
	p := *f.pause
	f.pause = nil
	return p, nil
}

func (f *fakeRemedies) Pauses() []remedy.Pause {
	if f.pause == nil {
		return nil
	}
	return []remedy.Pause{*f.pause}
}

func TestRemedies(t *testing.T) {
	f := &fakeRemedies{}
	b := newBench(t, Config{Remedies: f})
	const one = `{"id":7,"check":"http","node":"web1.acme.net","at":"2025-11-21T04:40:00Z","from":"ok","to":"critical","output":"refused","action":"service.restart",
		"owner":"ann","phase":"skipped","reason":"silenced","why":"bob: works"}`
	const paused = `{"check":"http","by":"operator","reason":"works","at":"2025-11-21T04:40:00Z"}`

	sameJSON(t, b.get("/api/v1/remedies"), `{"remedies":[`+one+`],"paused":[],"next":""}`)
	sameJSON(t, b.get("/api/v1/remedies/7"), one)
	a := b.get("/api/v1/remedies?check=http&node=WEB1.acme.net&phase=skipped&since=2025-11-20T00:00:00Z&limit=1&cursor=9")
	if q := f.asked; q.Check != "http" || q.Node != "web1.acme.net" || len(q.Phases) != 1 || q.Phases[0] != fettle.RemedySkipped || q.Since == 0 || q.Limit != 1 || q.Before != 9 {
		t.Errorf("it was asked %+v", q)
	}
	if !strings.Contains(a, `"next":"7"`) {
		t.Errorf("a page that is full has a next one: %s", a)
	}
	for _, bad := range []string{"phase=bogus", "node=a%20b", "since=lately", "limit=0", "limit=1001", "cursor=seven"} {
		if a := b.ask(auth.Viewer, "GET", "/api/v1/remedies?"+bad, ""); a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
	steps := []struct {
		role       auth.Role
		path, body string
		want       int
	}{
		{auth.Viewer, "pause", `{"reason":"works"}`, http.StatusForbidden},
		{auth.Operator, "resume", `{"check":"http"}`, http.StatusConflict},
		{auth.Operator, "pause", `{"check":"http"}`, http.StatusUnprocessableEntity},
		{auth.Operator, "pause", `{"check":"http","reason":"works"}`, http.StatusOK},
		{auth.Operator, "pause", `{"check":"http","reason":"again"}`, http.StatusConflict},
	}
	for _, s := range steps {
		if a := b.ask(s.role, "POST", "/api/v1/remedies/"+s.path, s.body); a.status != s.want {
			t.Errorf("%s %s: %d, want %d: %s", s.path, s.body, a.status, s.want, a.body)
		}
	}
	sameJSON(t, b.get("/api/v1/remedies"), `{"remedies":[`+one+`],"paused":[`+paused+`],"next":""}`)
	resumed := b.ask(auth.Operator, "POST", "/api/v1/remedies/resume", `{"check":"http"}`)
	if resumed.status != http.StatusOK {
		t.Fatalf("%d %s", resumed.status, resumed.body)
	}
	sameJSON(t, resumed.body, paused)
	if a := b.ask(auth.Viewer, "GET", "/api/v1/remedies/8", ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAServerWithoutRemedies(t *testing.T) {
	b := newBench(t, Config{})
	sameJSON(t, b.get("/api/v1/remedies"), `{"remedies":[],"paused":[],"next":""}`)
	for path, want := range map[string]int{"pause": http.StatusServiceUnavailable, "resume": http.StatusServiceUnavailable} {
		if a := b.ask(auth.Operator, "POST", "/api/v1/remedies/"+path, `{"reason":"works"}`); a.status != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}
