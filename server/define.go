package server

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/store"
)

// provision stores a check that the configuration defines, under the next rev if it is new or changed. It takes the place of one of its name that
// somebody has saved: the configuration is what its administrator can be sure of.
func (s *Server) provision(ctx context.Context, cfg CheckConfig, old fettle.KeptCheck) (fettle.KeptCheck, error) {
	next := fettle.KeptCheck{
		CheckDefinition: cfg.definition(), Rev: old.Rev, TaskRev: old.TaskRev, Source: cmp.Or(s.cfg.File, "the server's configuration"),
		Updated: fettle.MillisOf(s.Now()), Editor: identity,
	}
	if old.Rev != 0 && old.Source == "" {
		s.Log.Warn("a check of the configuration takes the place of one that was saved", "check", cfg.Name, "user", old.Editor)
	}
	return s.storeCheck(ctx, next, old)
}

// storeCheck stores a check where it differs from what is stored, and gives it with the revs that it has now.
func (s *Server) storeCheck(ctx context.Context, next, old fettle.KeptCheck) (fettle.KeptCheck, error) {
	if old.Rev != 0 && old.Source == next.Source && old.Role == next.Role && (next.OnChange == nil || old.Account == next.Account && old.Token == next.Token) && mustJSON(old.CheckDefinition) == mustJSON(next.CheckDefinition) {
		return old, nil
	}
	was, err := checks.Define(old.CheckDefinition)
	is, fault := checks.Define(next.CheckDefinition)
	if fault != nil {
		return next, fmt.Errorf("check %s: %w", next.Name, fault)
	}
	w := store.CheckWrite{KeptCheck: next, SameTask: err == nil && mustJSON(askedOf(was)) == mustJSON(askedOf(is))}
	next.Rev, next.TaskRev, err = s.Store.SaveCheck(ctx, w)
	return next, err
}

// askedOf gives what a node is sent of a check: nothing that is the server's alone, so that a change of it costs no message.
func askedOf(c fettle.Check) fettle.Check {
	c.Filter, c.Fresh, c.Undefined, c.Rule, c.DependsOn, c.FlapLow, c.FlapHigh = "", 0, "", fettle.Rule{}, nil, 0, 0
	return c
}

// compileCheck makes what the server works with of a check. Where it stands on a saved filter that does not exist, it stands without nodes, and
// its verdict says why: somebody may save the filter yet.
func (s *Server) compileCheck(ctx context.Context, kept fettle.KeptCheck) (definition, error) {
	c, err := checks.Define(kept.CheckDefinition)
	if err != nil {
		return definition{}, err
	}
	c.Rev = kept.TaskRev
	def := definition{Check: c, kept: kept}
	ctx = context.WithoutCancel(ctx) // the rule is asked for as long as there is the check
	if def.rule, err = checks.ParseRule(c.Rule, func(text string) (checks.When, error) { return compileTally(ctx, text) }); err != nil {
		return definition{}, fmt.Errorf("rule: %w", err)
	}
	if c.Filter != "" {
		text, err := s.ExpandFilter(ctx, c.Filter)
		if err != nil {
			s.Log.Error("a check has no nodes", "check", c.Name, "err", err)
			def.fault, def.kept.Fault = err, firstLine(err)
		} else if def.program, err = filter.Compile(filter.Node, text); err != nil {
			return definition{}, fmt.Errorf("filter: %w", err)
		}
		def.Filter = text
	}
	def.asked = askedOf(def.Check)
	return def, nil
}

// keepCheck lets a check be as def has it, from now on.
func (s *Server) keepCheck(ctx context.Context, def definition) error {
	s.defs.mu.Lock()
	s.defs.byName[def.Name] = def
	s.defs.mu.Unlock()
	now := fettle.MillisOf(s.Now())
	s.Board.Define(def.Check, def.rule, now)
	s.touchAll()
	s.changes.notify()
	members, undefined, err := s.placesOf(ctx, def)
	if err != nil {
		return err // spread puts them in their places one by one
	}
	for _, id := range members {
		_ = s.Board.Put(def.Name, id, checks.Member, now) // it has just been defined
	}
	for _, id := range undefined {
		_ = s.Board.Put(def.Name, id, checks.Undefined, now)
	}
	return nil
}

// touchAll has all nodes looked at for the checks that they ought to keep.
func (s *Server) touchAll() {
	for _, id := range s.presence.identities() {
		s.defs.touch(id)
	}
}

// defsOn gives the checks that stand on a saved filter, directly or by way of others.
func (s *Server) defsOn(name string) (found []definition) {
	names := append(s.usersOf(name), name)
	for _, def := range s.defs.all() {
		text, err := checks.WrittenFilter(def.kept.Filter)
		if err == nil && standsOn(text, names) {
			found = append(found, def)
		}
	}
	return found
}

// firstLine gives what an error says, without the excerpt that points at it.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
