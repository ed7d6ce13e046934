package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/store"
)

// maxDescription is the size of a saved filter's description, in bytes.
const maxDescription = 1000

// SavedFilter is a filter that is kept under a name, to be used as @name wherever a filter is.
type SavedFilter = store.SavedFilter

// savedFilters are all there are, in memory: every question may stand on one.
type savedFilters struct {
	change sync.Mutex // held by whoever saves or deletes, so that what he checked still holds when he has written
	mu     sync.RWMutex
	byName map[string]SavedFilter // guarded by mu
}

// loadFilters reads the saved filters from the store. It comes before the checks, which may stand on them.
func (s *Server) loadFilters(ctx context.Context) error {
	all := map[string]SavedFilter{}
	for after := ""; ; {
		page, err := s.Store.SavedFilters(ctx, after, 0)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, f := range page {
			all[f.Name] = f
		}
		after = page[len(page)-1].Name
	}
	s.saved.mu.Lock()
	defer s.saved.mu.Unlock()
	s.saved.byName = all
	return nil
}

func (f *savedFilters) get(name string) (SavedFilter, bool) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	one, ok := f.byName[name]
	return one, ok
}

func (f *savedFilters) names() []string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return slices.Sorted(maps.Keys(f.byName))
}

// text gives the text of a saved filter, as filter.Expand asks for it.
func (f *savedFilters) text(_ context.Context, name string) (fettle.Filter, error) {
	if one, ok := f.get(name); ok {
		return one.Filter, nil
	}
	return "", fmt.Errorf("saved filter %s: %w", name, fettle.ErrNotFound)
}

// SavedFilters lists the saved filters, by name.
func (s *Server) SavedFilters(context.Context) ([]SavedFilter, error) {
	s.saved.mu.RLock()
	defer s.saved.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.saved.byName), func(a, b SavedFilter) int { return cmp.Compare(a.Name, b.Name) }), nil
}

// SavedFilter gives one saved filter. ErrNotFound: there is none of that name.
func (s *Server) SavedFilter(_ context.Context, name string) (SavedFilter, error) {
	if f, ok := s.saved.get(name); ok {
		return f, nil
	}
	return SavedFilter{}, s.noFilter(name)
}

func (s *Server) noFilter(name string) error {
	if near := nearest(name, s.saved.names()); near != "" {
		return fmt.Errorf("there is no saved filter %s, did you mean %s?: %w", name, near, fettle.ErrNotFound)
	}
	return fmt.Errorf("there is no saved filter %s: %w", name, fettle.ErrNotFound)
}

// nearest gives the name that word may have been meant to be; empty: none is near.
func nearest(word string, names []string) string {
	known := make([]fettle.Path, len(names))
	for i, name := range names {
		known[i] = fettle.Path{name}
	}
	if p, ok := filter.Nearest(fettle.Path{word}, known); ok {
		return p[0]
	}
	return ""
}

// ExpandFilter puts the texts of saved filters in the place of their names. ErrInvalid, as a *FilterError: a name that does not exist.
func (s *Server) ExpandFilter(ctx context.Context, text fettle.Filter) (fettle.Filter, error) {
	return s.expandBy(ctx, text, s.saved.text)
}

func (s *Server) expandBy(ctx context.Context, text fettle.Filter, saved filter.Saved) (fettle.Filter, error) {
	out, err := filter.Expand(ctx, text, saved)
	var fault *filter.Error
	if errors.As(err, &fault) && strings.HasPrefix(fault.Word, "@") && fault.Suggestion == "" {
		if near := nearest(fault.Word[1:], s.saved.names()); near != "" {
			fault.Suggestion = "did you mean @" + near + "?"
		}
	}
	return out, err
}

// compile puts saved filters in and compiles the whole, which is in CEL.
func (s *Server) compile(ctx context.Context, text fettle.Filter) (*filter.Program, error) {
	cel, err := s.ExpandFilter(ctx, text)
	if err != nil {
		return nil, err
	}
	return filter.Compile(filter.Node, cel)
}

// FilterChange says what to keep under a name.
type FilterChange struct {
	Name        string
	Filter      fettle.Filter // in CEL; it may stand on other saved filters
	Description string
	Rev         int64  // of the one that was looked at; zero: whatever is there is replaced
	Caller      string // becomes the owner of a new one
	Admin       bool   // may change what is another's
}

// SaveFilter keeps a filter under a name. What is there already is replaced by its owner or an administrator, and by nobody else: ErrDenied. What
// stands on it follows at once: checks, groups, silences. ErrInvalid: the name, the text, or the text of something else that would stand on it. ErrConflict: it has changed since Rev.
func (s *Server) SaveFilter(ctx context.Context, c FilterChange) (SavedFilter, error) {
	s.saved.change.Lock()
	defer s.saved.change.Unlock()
	next, err := s.changed(c)
	if err != nil {
		return SavedFilter{}, err
	}
	if err := s.tryFilter(ctx, next); err != nil {
		return SavedFilter{}, err
	}
	if next.Rev, err = s.Store.SaveFilter(ctx, next); err != nil {
		return SavedFilter{}, err
	}
	s.saved.mu.Lock()
	s.saved.byName[next.Name] = next
	s.saved.mu.Unlock()
	s.Log.Info("filter saved", "filter", next.Name, "user", c.Caller)
	s.followFilter(ctx, next.Name)
	return next, nil
}

// changed gives a saved filter as c wants it, if whoever asks may.
func (s *Server) changed(c FilterChange) (SavedFilter, error) {
	if err := filter.CheckName(c.Name); err != nil {
		return SavedFilter{}, err
	}
	if len(c.Description) > maxDescription {
		return SavedFilter{}, fmt.Errorf("the description has %d bytes, and %d are allowed: %w", len(c.Description), maxDescription, fettle.ErrInvalid)
	}
	next := SavedFilter{Name: c.Name, Filter: fettle.Filter(strings.TrimSpace(string(c.Filter))), Description: c.Description, Owner: c.Caller, Updated: fettle.MillisOf(s.Now())}
	old, known := s.saved.get(c.Name)
	if !known {
		if c.Rev != 0 {
			return SavedFilter{}, fmt.Errorf("saved filter %s is gone: %w", c.Name, fettle.ErrConflict)
		}
		return next, nil
	}
	if c.Rev != 0 && c.Rev != old.Rev {
		return SavedFilter{}, fmt.Errorf("saved filter %s has changed meanwhile: %w", c.Name, fettle.ErrConflict)
	}
	next.Owner, next.Rev = old.Owner, old.Rev
	return next, mayChange(old, c.Caller, c.Admin)
}

func mayChange(f SavedFilter, caller string, admin bool) error {
	if f.Owner == caller || admin {
		return nil
	}
	return fmt.Errorf("saved filter %s is %s's: %w", f.Name, f.Owner, fettle.ErrDenied)
}

// tryFilter compiles a saved filter, and what stands on it, as they would be.
func (s *Server) tryFilter(ctx context.Context, next SavedFilter) error {
	saved := func(ctx context.Context, name string) (fettle.Filter, error) {
		if name == next.Name {
			return next.Filter, nil
		}
		return s.saved.text(ctx, name)
	}
	text, err := s.expandBy(ctx, next.Filter, saved)
	if err != nil {
		return err
	}
	if _, err := filter.Compile(filter.Node, text); err != nil {
		return err
	}
	return s.tryStanders(ctx, next.Name, saved)
}

// usersOf gives the saved filters that stand on name, directly or by way of others, by name.
func (s *Server) usersOf(name string) (users []string) {
	s.saved.mu.RLock()
	defer s.saved.mu.RUnlock()
	found := map[string]bool{name: true}
	for more := true; more; {
		more = false
		for _, f := range s.saved.byName {
			if found[f.Name] || !slices.ContainsFunc(filter.SavedNames(f.Filter), func(n string) bool { return found[n] }) {
				continue
			}
			found[f.Name], more = true, true
			users = append(users, f.Name)
		}
	}
	slices.Sort(users)
	return users
}

// DeleteFilter takes a saved filter away; its owner or an administrator may. ErrConflict: something stands on it.
func (s *Server) DeleteFilter(ctx context.Context, name, caller string, admin bool) error {
	s.saved.change.Lock()
	defer s.saved.change.Unlock()
	f, known := s.saved.get(name)
	if !known {
		return s.noFilter(name)
	}
	if err := mayChange(f, caller, admin); err != nil {
		return err
	}
	var users []string
	for _, one := range s.standers(name) {
		users = append(users, one.what)
	}
	if users = slices.Compact(users); len(users) > 0 {
		return fmt.Errorf("@%s is used by %s: %w", name, strings.Join(users, ", "), fettle.ErrConflict)
	}
	if err := s.Store.DeleteFilter(ctx, name); err != nil {
		return err
	}
	s.saved.mu.Lock()
	delete(s.saved.byName, name)
	s.saved.mu.Unlock()
	s.Log.Info("filter deleted", "filter", name, "user", caller)
	return nil
}
