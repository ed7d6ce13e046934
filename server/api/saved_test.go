package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/auth"
)

// fakeFilters keeps filters under names.
type fakeFilters struct {
	mu   sync.Mutex
	kept map[string]server.SavedFilter // guarded by mu
}

func (f *fakeFilters) ExpandFilter(ctx context.Context, text fettle.Filter) (fettle.Filter, error) {
	return filter.Expand(ctx, text, func(ctx context.Context, name string) (fettle.Filter, error) {
		one, err := f.SavedFilter(ctx, name)
		return one.Filter, err
	})
}

func (f *fakeFilters) SavedFilters(context.Context) ([]server.SavedFilter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(maps.Values(f.kept), func(a, b server.SavedFilter) int { return cmp.Compare(a.Name, b.Name) }), nil
}

func (f *fakeFilters) SavedFilter(_ context.Context, name string) (server.SavedFilter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if one, ok := f.kept[name]; ok {
		return one, nil
	}
	return server.SavedFilter{}, fmt.Errorf("saved filter %s: %w", name, fettle.ErrNotFound)
}

func (f *fakeFilters) SaveFilter(_ context.Context, c server.FilterChange) (server.SavedFilter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, known := f.kept[c.Name]
	if known && old.Owner != c.Caller && !c.Admin {
		return old, fmt.Errorf("another's: %w", fettle.ErrDenied)
	}
	next := server.SavedFilter{Name: c.Name, Filter: c.Filter, Description: c.Description, Owner: cmp.Or(old.Owner, c.Caller), Updated: fettle.MillisOf(now), Rev: old.Rev + 1}
	if f.kept == nil {
		f.kept = map[string]server.SavedFilter{}
	}
	f.kept[c.Name] = next
	return next, nil
}

func (f *fakeFilters) DeleteFilter(_ context.Context, name, _ string, _ bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.kept[name]; !ok {
		return fmt.Errorf("saved filter %s: %w", name, fettle.ErrNotFound)
	}
	delete(f.kept, name)
	return nil
}

func TestSavedFilters(t *testing.T) {
	b := newBench(t, Config{})
	put := func(role auth.Role, name, body string) answered {
		return b.ask(role, "PUT", "/api/v1/filters/"+name, body)
	}
	if a := put(auth.Viewer, "web", `{"where":"true"}`); a.status != 403 {
		t.Errorf("a viewer saved: %d %s", a.status, a.body)
	}
	if a := put(auth.Operator, "web", `{"where":"\"web\" in classes","description":"all that serve"}`); a.status != 200 ||
		!strings.Contains(a.body, `"owner":"operator"`) || !strings.Contains(a.body, `"rev":1`) || !strings.Contains(a.body, `"description":"all that serve"`) {
		t.Errorf("saved: %d %s", a.status, a.body)
	}
	if a := put(auth.Operator, "web-prod", `{"short":"@web env=prod"}`); a.status != 200 || !strings.Contains(a.body, `"filter":"@web && facts.env == \"prod\""`) ||
		!strings.Contains(a.body, `"expanded":"(\"web\" in classes) && facts.env == \"prod\""`) {
		t.Errorf("saved in the short form: %d %s", a.status, a.body)
	}
	if a := put(auth.Admin, "web", `{"where":"true"}`); a.status != 200 || !strings.Contains(a.body, `"owner":"operator"`) {
		t.Errorf("an administrator changed it: %d %s", a.status, a.body)
	}
	if a := put(auth.Operator, "x", `{}`); a.status != 422 || !strings.Contains(a.body, "empty") {
		t.Errorf("no filter: %d %s", a.status, a.body)
	}
	if list := b.get("/api/v1/filters"); strings.Count(list, `"name"`) != 2 || strings.Contains(list, "expanded") {
		t.Errorf("list: %s", list)
	}
	if one := b.get("/api/v1/filters/web-prod"); !strings.Contains(one, `"expanded":"(true) && facts.env == \"prod\""`) {
		t.Errorf("one: %s", one)
	}
	for role, want := range map[auth.Role]int{auth.Viewer: 403, auth.Operator: 204} {
		if a := b.ask(role, "DELETE", "/api/v1/filters/web", ""); a.status != want && role != auth.Operator {
			t.Errorf("%s deleted: %d %s", role, a.status, a.body)
		}
	}
	if a := b.ask(auth.Viewer, "GET", "/api/v1/filters/web", ""); a.status != 404 {
		t.Errorf("a deleted filter: %d %s", a.status, a.body)
	}
}
