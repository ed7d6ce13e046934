package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// fakeGroups keeps groups by name.
type fakeGroups struct {
	mu   sync.Mutex
	kept map[string]fettle.Group // guarded by mu
}

func (f *fakeGroups) Groups(context.Context) (list []fettle.Group) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.kept {
		list = append(list, g)
	}
	return list
}

func (f *fakeGroups) Group(_ context.Context, name string) (fettle.Group, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g, ok := f.kept[name]; ok {
		return g, nil
	}
	return fettle.Group{}, fmt.Errorf("there is no group %s: %w", name, fettle.ErrNotFound)
}

func (f *fakeGroups) SaveGroup(_ context.Context, g fettle.Group, caller string) (fettle.Group, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.kept == nil {
		f.kept = map[string]fettle.Group{}
	}
	g.Rev, g.Updated, g.UpdatedBy = f.kept[g.Name].Rev+1, fettle.MillisOf(now), caller
	f.kept[g.Name] = g
	return g, nil
}

func (f *fakeGroups) TryGroup(_ context.Context, g fettle.Group, coming []string) (fettle.Group, error) {
	g.Notes = strings.Join(coming, " ")
	return g, nil
}

func (f *fakeGroups) DeleteGroup(ctx context.Context, name, _ string) error {
	if _, err := f.Group(ctx, name); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.kept, name)
	return nil
}

// fakeSilences keeps the silence that was added last.
type fakeSilences struct {
	mu   sync.Mutex
	last server.SilenceView // guarded by mu
}

func (f *fakeSilences) Silences(context.Context, bool) []server.SilenceView {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.ID == "" {
		return nil
	}
	return []server.SilenceView{f.last}
}

func (f *fakeSilences) Silence(_ context.Context, id string) (server.SilenceView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last.ID != id || id == "" {
		return f.last, fmt.Errorf("there is no silence %s: %w", id, fettle.ErrNotFound)
	}
	return f.last, nil
}

func (f *fakeSilences) AddSilence(_ context.Context, one fettle.Silence, caller string) (server.SilenceView, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one.ID, one.Author, one.Created = "s1", caller, fettle.MillisOf(now)
	f.last = server.SilenceView{Silence: one, Phase: server.SilenceHolds, Until: one.Expires, Nodes: 3}
	return f.last, nil
}

func (f *fakeSilences) EndSilence(ctx context.Context, id, caller string) (server.SilenceView, error) {
	v, err := f.Silence(ctx, id)
	v.Phase, v.Ended, v.EndedBy = server.SilenceOver, fettle.MillisOf(now), caller
	return v, err
}

func (f *fakeSilences) PreviewSilence(_ context.Context, one fettle.Silence, _ string) (server.SilencePreview, error) {
	p := server.SilencePreview{Nodes: 2, Undefined: 1}
	p.Now = server.HiddenNow{Count: 1, ByCheck: map[string]int{"c": 1}, States: []fettle.CheckState{{Check: "c", Node: "db1", Status: fettle.CheckCritical, Output: string(one.Filter)}}}
	p.Before.ByCheck = map[string]int{}
	return p, nil
}

func TestGroups(t *testing.T) {
	b := newBench(t, Config{})
	a := b.ask(auth.Operator, "PUT", "/api/v1/groups/shop", `{"fold":"at_least","at_least":1,"members":[{"check":"check_load","filter":"facts.env == 'prod'","rule":{"min_ok":"2"}}],"by":"facts.customer"}`)
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	g, err := b.fleet.Group(t.Context(), "shop")
	if err != nil || g.AtLeast != 1 || g.By != "facts.customer" || g.Members[0].Filter != "facts.env == 'prod'" || g.Members[0].Rule.MinOK != "2" || g.UpdatedBy != "operator" {
		t.Errorf("%+v, %v", g, err)
	}
	sameJSON(t, b.get("/api/v1/groups"), `{"groups":[{"name":"shop","fold":"at_least","at_least":1,"members":[{"check":"check_load","filter":"facts.env == 'prod'","rule":{"min_ok":"2"}}],
		"by":"facts.customer","rev":1,"updated":"`+g.Updated.Time().Format("2006-01-02T15:04:05.999Z07:00")+`","updated_by":"operator"}]}`)
	a = b.ask(auth.Operator, "PUT", "/api/v1/groups/new?dry_run=true&coming=disk,load", `{"members":[{"check":"disk"}]}`)
	if _, err := b.fleet.Group(t.Context(), "new"); err == nil || a.status != http.StatusOK || !strings.Contains(a.body, `"notes":"disk load"`) {
		t.Errorf("a dry run: %d %s, %v", a.status, a.body, err)
	}
	if a := b.ask(auth.Operator, "PUT", "/api/v1/groups/new?coming=disk", `{"members":[{"check":"disk"}]}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("what is coming, saved: %d %s", a.status, a.body)
	}
	if a := b.ask(auth.Operator, "PUT", "/api/v1/groups/shop", `{"members":[]}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("no members: %d %s", a.status, a.body)
	}
	if a := b.ask(auth.Operator, "DELETE", "/api/v1/groups/shop", ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask(auth.Operator, "DELETE", "/api/v1/groups/shop", ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestSilences(t *testing.T) {
	b := newBench(t, Config{})
	a := b.ask(auth.Operator, "POST", "/api/v1/silences", `{"short":"env=prod","checks":["disk_*"],"statuses":["warning"],"reason":" new disks ","for":"2h"}`)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	v := b.fleet.Silences(t.Context(), false)[0]
	if v.Author != "operator" || v.Reason != "new disks" || v.Expires != v.Starts.Add(2*3600e9) || v.Filter == "" || v.Checks[0] != "disk_*" {
		t.Errorf("%+v", v)
	}
	for _, bad := range []string{
		`{"where":"true","reason":"r"}`, `{"reason":"r","for":"2h"}`, `{"where":"true","reason":"r","for":"2h","expires":"2030-01-01T00:00:00Z"}`, `{"where":"true","reason":"r","for":"soon"}`,
		`{"where":"true","reason":"r","for":"2h","statuses":["ok"]}`,
	} {
		if a := b.ask(auth.Operator, "POST", "/api/v1/silences", bad); a.status != http.StatusBadRequest && a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
	if a := b.ask(auth.Viewer, "POST", "/api/v1/silences/preview", `{"where":"true","reason":"","for":"1h"}`); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask(auth.Operator, "DELETE", "/api/v1/silences/s1", ""); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := b.ask(auth.Viewer, "GET", "/api/v1/silences/none", ""); a.status != http.StatusNotFound {
		t.Errorf("%d %s", a.status, a.body)
	}
}
