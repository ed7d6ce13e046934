package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// diskCheck is the one check of a fakeFleet.
func diskCheck() fettle.KeptCheck {
	return fettle.KeptCheck{CheckDefinition: fettle.CheckDefinition{Name: "disk", NRPE: "check_disk", Interval: fettle.Span(60e9), Owner: "ann"}, Rev: 3, TaskRev: 2, Updated: 5, Editor: "ann"}
}

func (f *fakeFleet) CheckDefinitions(context.Context) ([]fettle.KeptCheck, error) {
	return []fettle.KeptCheck{diskCheck()}, f.failing()
}

func (f *fakeFleet) CheckDefinition(_ context.Context, name string) (fettle.KeptCheck, error) {
	if name != "disk" {
		return fettle.KeptCheck{}, fmt.Errorf("no check %s is defined: %w", name, fettle.ErrNotFound)
	}
	return diskCheck(), f.failing()
}

func (f *fakeFleet) SaveCheck(_ context.Context, c server.CheckChange) (fettle.KeptCheck, error) {
	f.mu.Lock()
	f.checkChanges = append(f.checkChanges, c)
	f.mu.Unlock()
	return fettle.KeptCheck{CheckDefinition: c.Definition, Rev: 1, TaskRev: 1}, f.failing()
}

func (f *fakeFleet) DeleteCheck(_ context.Context, name string, _ server.Asker, _ bool) error {
	_, err := f.CheckDefinition(context.Background(), name)
	return err
}

func (f *fakeFleet) CheckHistory(_ context.Context, q server.TransitionQuery) ([]server.Transition, error) {
	if q.Before != 0 {
		return nil, f.failing()
	}
	return []server.Transition{
		{Seq: 9, Check: q.Check, Node: "db1", At: 2000, From: "ok", To: "critical", Hard: true, Output: "full", Flap: fettle.FlapBegan},
		{Seq: 7, Check: q.Check, Node: "db1", At: 1000, To: "ok", Hard: true, Output: "fine"},
	}[:min(q.Limit, 2)], f.failing()
}

func (f *fakeFleet) Availability(_ context.Context, q server.AvailabilityQuery) (server.Availability, error) {
	spent := server.Spent{"ok": 3 * time.Hour, "critical": time.Hour, "": time.Minute}
	return server.Availability{From: q.From, Until: fettle.MillisOf(now), All: spent, Nodes: []server.NodeSpent{{Node: "db1", Spent: spent}, {Node: "db2", Spent: server.Spent{}}}}, f.failing()
}

func (f *fakeFleet) TestCheck(_ context.Context, t server.CheckTest) ([]server.TestedNode, int, error) {
	return []server.TestedNode{{Node: "db1", Output: fettle.CheckOutput{Code: 1, Line: t.Change.Definition.Name}, TookMS: 4}}, 12, f.failing()
}

func TestCheckHistory(t *testing.T) {
	b := newBench(t, Config{})
	sameJSON(t, b.get("/api/v1/checks/disk/history?node=db1"), `{"check":"disk","changes":[
		{"node":"db1","at":"1970-01-01T00:00:02Z","from":"ok","to":"critical","hard":true,"flapping":"began","output":"full"},
		{"node":"db1","at":"1970-01-01T00:00:01Z","from":"","to":"ok","hard":true,"output":"fine"}],"next":""}`)
	if got := b.get("/api/v1/checks/disk/history?limit=1"); !strings.Contains(got, `"next":"9"`) {
		t.Errorf("a page of one: %s", got)
	}
	const whole = `"ok":75,"warning":0,"critical":25,"unknown":0,"stale":0,"determined_seconds":14400,"undetermined_seconds":60`
	const none = `"ok":0,"warning":0,"critical":0,"unknown":0,"stale":0,"determined_seconds":0,"undetermined_seconds":0`
	const head = `{"check":"disk","from":"2026-11-21T00:00:00Z","until":"`
	until := now.UTC().Format(time.RFC3339Nano)
	sameJSON(t, b.get("/api/v1/checks/disk/availability?since=2026-11-21T00:00:00Z"), head+until+`",`+whole+`,"count":2}`)
	sameJSON(t, b.get("/api/v1/checks/disk/availability?since=2026-11-21T00:00:00Z&by=node&limit=1"), head+until+`",`+whole+`,"count":2,"nodes":[{"node":"db1",`+whole+`}],"next":"db1"}`)
	sameJSON(t, b.get("/api/v1/checks/disk/availability?since=2026-11-21T00:00:00Z&by=node&cursor=db1"), head+until+`",`+whole+`,"count":2,"nodes":[{"node":"db2",`+none+`}]}`)
	got := b.ask(auth.Operator, http.MethodPost, "/api/v1/checks/test", `{"definition":{"name":"swap","expression":"true","filter":"true"}}`)
	sameJSON(t, got.body, `{"meant":12,"nodes":[{"node":"db1","status":"warning","output":"swap","took_ms":4}]}`)
}

func TestCheckDefinitions(t *testing.T) {
	b := newBench(t, Config{})
	want := func(status int, role auth.Role, method, path, body string) string {
		t.Helper()
		got := b.ask(role, method, path, body)
		if got.status != status {
			t.Errorf("%s %s: %d %s, want %d", method, path, got.status, got.body, status)
		}
		return got.body
	}
	const disk = `{"name":"disk","nrpe":"check_disk","interval":"1m","owner":"ann","rev":3,"task_rev":2,"updated":5,"updated_by":"ann"}`
	sameJSON(t, b.get("/api/v1/checks"), `{"checks":[`+disk+`]}`)
	sameJSON(t, b.get("/api/v1/checks/disk"), disk)
	want(http.StatusNotFound, auth.Viewer, http.MethodGet, "/api/v1/checks/nosuch", "")
	want(http.StatusNoContent, auth.Operator, http.MethodDelete, "/api/v1/checks/disk", "")
	want(http.StatusForbidden, auth.Viewer, http.MethodPut, "/api/v1/checks/load", `{"nrpe":"check_load"}`)
	want(http.StatusUnprocessableEntity, auth.Operator, http.MethodPut, "/api/v1/checks/load", `{"nrpe":"check_load","intervall":"1m"}`)
	if got := want(http.StatusUnprocessableEntity, auth.Operator, http.MethodPut, "/api/v1/checks/load", `{"nrpe":"check_load","interval":"soon"}`); !strings.Contains(got, "interval") {
		t.Errorf("a span that is none: %s", got)
	}
	want(http.StatusUnprocessableEntity, auth.Operator, http.MethodPut, "/api/v1/checks/load", `{"name":"disk","nrpe":"check_load"}`)
	want(http.StatusOK, auth.Operator, http.MethodPut, "/api/v1/checks/load?rev=7&dry_run=true", `{"nrpe":"check_load","args":["-w","1"],"interval":"2h30m","on_change":{"action":"service.restart","when":["critical"]}}`)
	c := b.fleet.checkChanges[len(b.fleet.checkChanges)-1]
	if c.Definition.Name != "load" || c.Definition.Interval.String() != "2h30m" || c.Rev != 7 || !c.DryRun || c.Admin || c.Caller.Role != "operator" || c.Definition.OnChange.When[0] != "critical" {
		t.Errorf("asked %+v", c)
	}
}
