package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

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
