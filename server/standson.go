package server

import (
	"context"
	"errors"
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
)

// stander is something with a filter that stands on a saved one.
type stander struct {
	what string // as people call it: "group shop"
	text fettle.Filter
}

// standers gives all that stands on a saved filter, directly or by way of others: saved filters, checks, groups, silences that are not over and
// standing runs. What is asked anew each time, such as a gate or a scrape, is not among them.
func (s *Server) standers(name string) (found []stander) {
	names := append(s.usersOf(name), name)
	add := func(what string, text fettle.Filter) {
		if standsOn(text, names) {
			found = append(found, stander{what, text})
		}
	}
	for _, user := range s.usersOf(name) {
		add("@"+user, "@"+fettle.Filter(user))
	}
	for _, def := range s.defsOn(name) {
		if text, err := checks.WrittenFilter(def.kept.Filter); err == nil {
			add("check "+def.Name, text)
		}
	}
	for _, g := range s.groups.all() {
		for _, m := range g.Members {
			add("group "+g.Name, m.Filter)
		}
	}
	s.silences.turn.Lock()
	for _, k := range s.silences.all() {
		if s.phase(k).Phase != SilenceOver {
			add("silence "+k.ID, k.Filter)
		}
	}
	s.silences.turn.Unlock()
	for _, st := range s.standing.all() {
		add("standing run "+st.Name, st.Filter)
	}
	return found
}

// tryStanders compiles all that stands on a saved filter, as it would be.
func (s *Server) tryStanders(ctx context.Context, name string, saved filter.Saved) error {
	for _, one := range s.standers(name) {
		text, err := s.expandBy(ctx, one.text, saved)
		if err == nil {
			_, err = filter.Compile(filter.Node, text)
		}
		var fault *filter.Error
		if errors.As(err, &fault) {
			fault.Message = fmt.Sprintf("%s stands on it, and then: %s", one.what, fault.Message)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// followFilter has all that stands on a saved filter, and keeps what it means, follow it.
func (s *Server) followFilter(ctx context.Context, name string) {
	fault := func(what, which string, err error) {
		s.Log.Error("it does not follow its saved filter", what, which, "filter", name, "err", err)
	}
	s.defs.change.Lock()
	for _, old := range s.defsOn(name) {
		old.kept.Fault = ""
		def, err := s.compileCheck(ctx, old.kept)
		if err == nil {
			err = s.keepCheck(ctx, def)
		}
		if err != nil {
			fault("check", old.Name, err)
		}
	}
	s.defs.change.Unlock()
	names := append(s.usersOf(name), name)
	s.followGroups(ctx, names, fault)
	s.followInSilences(ctx, names, fault)
	s.changes.notify()
}

// standsOn tells whether a filter is about one of some saved filters.
func standsOn(text fettle.Filter, names []string) bool {
	return slices.ContainsFunc(filter.SavedNames(text), func(n string) bool { return slices.Contains(names, n) })
}

func (s *Server) followGroups(ctx context.Context, names []string, fault func(what, which string, err error)) {
	s.groups.change.Lock()
	defer s.groups.change.Unlock()
	followed := false
	for _, g := range s.groups.all() {
		if !slices.ContainsFunc(g.Members, func(m fettle.GroupMember) bool { return standsOn(m.Filter, names) }) {
			continue
		}
		followed = true
		if err := s.putGroup(ctx, g, fettle.MillisOf(s.Now())); err != nil {
			fault("group", g.Name, err)
		}
	}
	if !followed {
		return
	}
	if err := s.cutForGroups(ctx); err != nil {
		fault("group", "", err)
	}
}

func (s *Server) followInSilences(ctx context.Context, names []string, fault func(what, which string, err error)) {
	s.silences.turn.Lock()
	defer s.silences.turn.Unlock()
	for _, k := range s.silences.all() {
		if !standsOn(k.Filter, names) || s.phase(k).Phase == SilenceOver {
			continue
		}
		next, err := s.readSilence(ctx, k.Silence)
		if err == nil {
			s.silences.put(next) // where it holds, it begins once more, in the place of what it was
			_ = s.phaseAfter(ctx, next)
			continue
		}
		fault("silence", k.ID, err)
	}
}
