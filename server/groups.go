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

// Bounds of groups.
const (
	maxGroups  = 1000
	maxMembers = 500
)

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

// SaveGroup keeps a group under its name, in the place of the one that is there. One with a Rev replaces that alone: ErrConflict if it has changed
// since, and if a check has the name. ErrInvalid: the group, or it would stand on itself.
func (s *Server) SaveGroup(ctx context.Context, g fettle.Group, caller string) (fettle.Group, error) {
	s.groups.change.Lock()
	defer s.groups.change.Unlock()
	old, known := s.groups.get(g.Name)
	if _, isCheck := s.defs.get(g.Name); isCheck {
		return fettle.Group{}, fmt.Errorf("%s is the name of a check: %w", g.Name, fettle.ErrConflict)
	}
	if g.Rev != 0 && g.Rev != old.Rev {
		return fettle.Group{}, fmt.Errorf("group %s has changed meanwhile, or is gone: %w", g.Name, fettle.ErrConflict)
	}
	if !known && len(s.groups.all()) >= maxGroups {
		return fettle.Group{}, fmt.Errorf("there are %d groups, and no more are allowed: %w", maxGroups, fettle.ErrConflict)
	}
	if err := s.checkGroup(ctx, &g); err != nil {
		return fettle.Group{}, err
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

// CheckDependencies tells whether a check may depend on some checks and groups: ErrInvalid with the way round, if it would stand on itself.
func (s *Server) CheckDependencies(name string, on []string) error {
	uses := s.usesOf(nil)
	return checks.FindCycle(name, func(n string) []string {
		if n == name {
			return on
		}
		return uses(n)
	})
}

// checkGroup tells what is wrong with a group, and fills in what is left open.
func (s *Server) checkGroup(ctx context.Context, g *fettle.Group) error {
	faults := []error{}
	bad := func(key, format string, args ...any) {
		faults = append(faults, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
	}
	if err := checks.CheckName(g.Name); err != nil {
		bad("name", "%v", err)
	}
	switch g.Fold {
	case "":
		g.Fold = fettle.FoldWorst
	case fettle.FoldWorst, fettle.FoldAll, fettle.FoldAny, fettle.FoldAtLeast:
	default:
		bad("fold", "%q is none of worst, all, any, at_least", g.Fold)
	}
	if (g.Fold == fettle.FoldAtLeast) != (g.AtLeast > 0) || g.AtLeast < 0 || g.AtLeast > len(g.Members) {
		bad("at_least", "%d: it goes with fold: at_least, and is between 1 and the number of members", g.AtLeast)
	}
	if len(g.Members) == 0 || len(g.Members) > maxMembers {
		bad("members", "a group has 1 to %d members", maxMembers)
	}
	if _, err := checks.ParseRule(g.Rule, func(text string) (checks.When, error) { return compileTally(ctx, text) }); err != nil {
		faults = append(faults, fmt.Errorf("rule: %w", err))
	}
	if g.By != "" {
		p, err := factPath(g.By)
		if err != nil {
			faults = append(faults, err)
		}
		g.By = p.String()
	}
	for i := range g.Members {
		if err := s.checkMember(ctx, &g.Members[i]); err != nil {
			faults = append(faults, fmt.Errorf("members[%d]: %w", i, err))
		}
	}
	faults = append(faults, checks.CheckPeople(g.Notes, g.Runbook, g.Labels))
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return checks.FindCycle(g.Name, s.usesOf(g))
}

func (s *Server) checkMember(ctx context.Context, m *fettle.GroupMember) error {
	switch {
	case m.Check != "" && m.Group != "":
		return &fettle.Fault{Key: "group", Reason: "it stands beside check, and a member is one of the two"}
	case m.Check == "" && m.Group == "" && m.Filter == "":
		return &fettle.Fault{Key: "check", Reason: "a member is a check, a group, or the nodes of a filter"}
	case m.Group != "" && m.Rule != (fettle.Rule{}):
		return &fettle.Fault{Key: "rule", Reason: "a group has a rule of its own"}
	}
	if m.Check != "" {
		if _, ok := s.defs.get(m.Check); !ok {
			return fmt.Errorf("there is no check %s; only one that is defined has states: %w", m.Check, fettle.ErrInvalid)
		}
	}
	if m.Group != "" {
		if _, ok := s.groups.get(m.Group); !ok {
			return fmt.Errorf("there is no group %s: %w", m.Group, fettle.ErrInvalid)
		}
	}
	if m.Filter != "" {
		text, err := checks.WrittenFilter(m.Filter)
		if err != nil {
			return fmt.Errorf("filter: %w", err)
		}
		if _, err := s.ExpandFilter(ctx, text); err != nil {
			return fmt.Errorf("filter: %w", err)
		}
		m.Filter = text
	}
	_, err := checks.ParseRule(m.Rule, func(text string) (checks.When, error) { return compileTally(ctx, text) })
	return err
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
