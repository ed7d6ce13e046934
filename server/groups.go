package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/store"
)

// maxGroups bounds the groups of a server.
const maxGroups = 1000

// groupBook is all groups, in memory.
type groupBook struct {
	change sync.Mutex // held by whoever saves or deletes
	mu     sync.RWMutex
	byName map[string]fettle.Group // guarded by mu
}

func (b *groupBook) init() { b.byName = map[string]fettle.Group{} }

func (b *groupBook) get(name string) (fettle.Group, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	g, ok := b.byName[name]
	return g, ok
}

func (b *groupBook) all() []fettle.Group {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.SortedFunc(maps.Values(b.byName), func(x, y fettle.Group) int { return cmp.Compare(x.Name, y.Name) })
}

// loadGroups reads the groups from the store, and puts them on the board. It comes after the checks. One that this program does not understand has
// no verdict, and the log says why.
func (s *Server) loadGroups(ctx context.Context, at fettle.Millis) error {
	for after := ""; ; {
		page, err := s.Store.Groups(ctx, after, 0)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, row := range page {
			g := fettle.Group{}
			err := json.Unmarshal(row.Body, &g)
			if err == nil {
				g.Name, g.Rev = row.Name, row.Rev
				err = s.putGroup(ctx, g, at)
			}
			if err != nil {
				s.Log.Error("a group has no verdict", "group", row.Name, "err", err)
			}
		}
		after = page[len(page)-1].Name
	}
	return s.cutForGroups(ctx)
}

// Groups lists the groups, by name.
func (s *Server) Groups(context.Context) []fettle.Group { return s.groups.all() }

// Group gives one group. ErrNotFound: there is none of that name.
func (s *Server) Group(_ context.Context, name string) (fettle.Group, error) {
	if g, ok := s.groups.get(name); ok {
		return g, nil
	}
	names := []string{}
	for _, g := range s.groups.all() {
		names = append(names, g.Name)
	}
	if near := nearest(name, names); near != "" {
		return fettle.Group{}, fmt.Errorf("there is no group %s, did you mean %s?: %w", name, near, fettle.ErrNotFound)
	}
	return fettle.Group{}, fmt.Errorf("there is no group %s: %w", name, fettle.ErrNotFound)
}

// SaveGroup keeps a group under its name, in the place of the one that is there; one that would be what it is keeps its rev. One with a Rev replaces
// that alone: ErrConflict if it has changed since, and if a check has the name. ErrInvalid: the group, or it would stand on itself.
func (s *Server) SaveGroup(ctx context.Context, g fettle.Group, caller string) (fettle.Group, error) {
	s.groups.change.Lock()
	defer s.groups.change.Unlock()
	g, old, err := s.changedGroup(ctx, g, nil)
	if err != nil || old.Rev != 0 && sameGroup(g, old) {
		return old, err
	}
	g.Rev, g.Updated, g.UpdatedBy = 0, fettle.MillisOf(s.Now()), caller
	rev, err := s.Store.SaveGroup(ctx, store.GroupRow{Name: g.Name, Body: json.RawMessage(mustJSON(g))})
	if err != nil {
		return fettle.Group{}, err
	}
	g.Rev = rev
	if err := s.putGroup(ctx, g, fettle.MillisOf(s.Now())); err != nil {
		return fettle.Group{}, err
	}
	s.Log.Info("group saved", "group", g.Name, "user", caller)
	return g, s.cutForGroups(ctx)
}

// TryGroup gives a group as SaveGroup would keep it, or the error that it would give, and keeps nothing. The checks and groups in coming are about to
// be made, and count as if they were there.
func (s *Server) TryGroup(ctx context.Context, g fettle.Group, coming []string) (fettle.Group, error) {
	s.groups.change.Lock()
	defer s.groups.change.Unlock()
	g, old, err := s.changedGroup(ctx, g, coming)
	if err != nil {
		return fettle.Group{}, err
	}
	g.Rev, g.Updated, g.UpdatedBy = old.Rev, old.Updated, old.UpdatedBy
	return g, nil
}

// changedGroup gives a group as it would be, and as it is. The caller holds groups.change.
func (s *Server) changedGroup(ctx context.Context, g fettle.Group, coming []string) (next, old fettle.Group, err error) {
	old, known := s.groups.get(g.Name)
	if _, isCheck := s.defs.get(g.Name); isCheck {
		return g, old, fmt.Errorf("%s is the name of a check: %w", g.Name, fettle.ErrConflict)
	}
	if g.Rev != 0 && g.Rev != old.Rev {
		return g, old, fmt.Errorf("group %s has changed meanwhile, or is gone: %w", g.Name, fettle.ErrConflict)
	}
	if !known && len(s.groups.all()) >= maxGroups {
		return g, old, fmt.Errorf("there are %d groups, and no more are allowed: %w", maxGroups, fettle.ErrConflict)
	}
	next, err = s.checkGroup(ctx, g, coming)
	return next, old, err
}

// sameGroup tells whether two groups are the same, whoever saved them when.
func sameGroup(a, b fettle.Group) bool {
	a.Rev, a.Updated, a.UpdatedBy = 0, 0, ""
	b.Rev, b.Updated, b.UpdatedBy = 0, 0, ""
	return mustJSON(a) == mustJSON(b)
}

// DeleteGroup takes a group away. ErrConflict: a group or a check stands on it.
func (s *Server) DeleteGroup(ctx context.Context, name, caller string) error {
	s.groups.change.Lock()
	defer s.groups.change.Unlock()
	if _, err := s.Group(ctx, name); err != nil {
		return err
	}
	if users := s.standingOn(name); len(users) > 0 {
		return fmt.Errorf("group %s is used by %s: %w", name, users[0], fettle.ErrConflict)
	}
	if err := s.Store.DeleteGroup(ctx, name); err != nil {
		return err
	}
	s.groups.mu.Lock()
	delete(s.groups.byName, name)
	s.groups.mu.Unlock()
	s.Board.RemoveGroup(name, fettle.MillisOf(s.Now()))
	s.Log.Info("group deleted", "group", name, "user", caller)
	return s.cutForGroups(ctx)
}

// standingOn gives the groups and checks that stand on a check or a group.
func (s *Server) standingOn(name string) (users []string) {
	for _, g := range s.groups.all() {
		if slices.Contains(checks.Uses(g.Members, nil), name) {
			users = append(users, "group "+g.Name)
		}
	}
	for _, def := range s.defs.all() {
		if slices.Contains(def.DependsOn, name) {
			users = append(users, "check "+def.Name)
		}
	}
	return users
}

// usesOf gives the names on which a check or group stands; with next, as it would be.
func (s *Server) usesOf(next *fettle.Group) func(string) []string {
	return func(name string) []string {
		if next != nil && next.Name == name {
			return checks.Uses(next.Members, nil)
		}
		if g, ok := s.groups.get(name); ok {
			return checks.Uses(g.Members, nil)
		}
		def, _ := s.defs.get(name)
		return def.DependsOn
	}
}

// tryDependencies tells whether a check may depend on some checks and groups: ErrInvalid where there is none of that name, nor in coming, and with
// the way round, if it would stand on itself.
func (s *Server) tryDependencies(name string, on, coming []string) error {
	for i, above := range on {
		_, isGroup := s.groups.get(above)
		if _, isCheck := s.defs.get(above); isCheck || isGroup || slices.Contains(coming, above) {
			continue
		}
		reason := fmt.Sprintf("there is no check or group %s; only what is defined has states", above)
		if near := nearest(above, s.Board.Names()); near != "" {
			reason = fmt.Sprintf("there is no check or group %s, did you mean %s?", above, near)
		}
		return &fettle.Fault{Key: fmt.Sprintf("depends_on[%d]", i), Reason: reason}
	}
	uses := s.usesOf(nil)
	err := checks.FindCycle(name, func(n string) []string {
		if n == name {
			return on
		}
		return uses(n)
	})
	if err != nil {
		return fmt.Errorf("depends_on: %w", err)
	}
	return nil
}

// checkGroup gives a group with nothing left open, or tells what is wrong with it. What is about to be made counts as if it were there.
func (s *Server) checkGroup(ctx context.Context, g fettle.Group, coming []string) (fettle.Group, error) {
	g, err := checks.DefineGroup(g)
	faults := fettle.Faults(err)
	for i, m := range g.Members {
		if err := s.checkMember(ctx, m, coming); err != nil {
			faults = append(faults, fmt.Errorf("members[%d].%w", i, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return g, err
	}
	return g, checks.FindCycle(g.Name, s.usesOf(&g))
}

// checkMember looks whether there is what a member names.
func (s *Server) checkMember(ctx context.Context, m fettle.GroupMember, coming []string) error {
	if m.Check != "" && !slices.Contains(coming, m.Check) {
		if _, ok := s.defs.get(m.Check); !ok {
			return &fettle.Fault{Key: "check", Reason: fmt.Sprintf("there is no check %s; only one that is defined has states", m.Check)}
		}
	}
	if m.Group != "" && !slices.Contains(coming, m.Group) {
		if _, ok := s.groups.get(m.Group); !ok {
			return &fettle.Fault{Key: "group", Reason: "there is no group " + m.Group}
		}
	}
	if m.Filter != "" {
		if _, err := s.ExpandFilter(ctx, m.Filter); err != nil {
			return fmt.Errorf("filter: %w", err)
		}
	}
	return nil
}

// putGroup lets a group that is kept be on the board, with the texts of saved filters in the place of their names.
func (s *Server) putGroup(ctx context.Context, g fettle.Group, now fettle.Millis) error {
	forever := context.WithoutCancel(ctx)
	compile := func(text string) (checks.When, error) { return compileTally(forever, text) }
	def := checks.GroupDef{Group: g, Rules: make([]*checks.Thresholds, len(g.Members))}
	def.Members = slices.Clone(g.Members)
	var err error
	if def.Thresholds, err = checks.ParseRule(g.Rule, compile); err != nil {
		return err
	}
	for i, m := range def.Members {
		if m.Filter != "" {
			if def.Members[i].Filter, err = s.ExpandFilter(ctx, m.Filter); err != nil {
				return err
			}
			if _, err := filter.Compile(filter.Node, def.Members[i].Filter); err != nil {
				return err
			}
		}
		if m.Rule != (fettle.Rule{}) {
			rule, err := checks.ParseRule(m.Rule, compile)
			if err != nil {
				return err
			}
			def.Rules[i] = &rule
		}
	}
	s.groups.mu.Lock()
	s.groups.byName[g.Name] = g
	s.groups.mu.Unlock()
	s.Board.DefineGroup(def, now)
	return nil
}

// cutForGroups gives the board the cuts that its groups want, and marks those that no group wants any more as anybody's.
func (s *Server) cutForGroups(ctx context.Context) error {
	s.cuts.mu.Lock()
	for _, c := range s.cuts.byspec {
		c.group = false
	}
	s.cuts.mu.Unlock()
	for _, g := range s.groups.all() {
		wanted, err := s.Board.Wants(checks.Question{Name: g.Name})
		if err != nil {
			return err
		}
		for _, spec := range wanted {
			s.cuts.mu.Lock()
			c := s.cuts.byspec[spec]
			if c != nil {
				c.group = true
			}
			s.cuts.mu.Unlock()
			if c != nil {
				continue
			}
			if err := s.makeCut(ctx, spec, true); err != nil {
				return fmt.Errorf("group %s: %w", g.Name, err)
			}
		}
	}
	return nil
}
