package server

import (
	"context"
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
)

// define makes the definition of a check, and stores it under the next rev if it is new or changed. Where it stands on a saved filter that does not
// exist, it stands without nodes, and its verdict says why: somebody may save the filter yet.
func (s *Server) define(ctx context.Context, cfg CheckConfig, old fettle.Check) (definition, error) {
	c, err := cfg.definition()
	if err != nil {
		return definition{}, err
	}
	c.Rev = old.Rev
	text, err := s.ExpandFilter(ctx, c.Filter)
	if err != nil {
		s.Log.Error("a check has no nodes", "check", c.Name, "err", err)
		return definition{Check: c, fault: err}, nil
	}
	c.Filter = text
	def := definition{Check: c}
	if c.Filter != "" {
		if def.program, err = filter.Compile(filter.Node, c.Filter); err != nil {
			return definition{}, fmt.Errorf("check %s: %w", c.Name, err)
		}
	}
	if mustJSON(old) != mustJSON(c) {
		def.Rev, err = s.Store.SaveCheck(ctx, c)
	}
	return def, err
}

// checksOn gives the checks that stand on a saved filter, directly or by way of others.
func (s *Server) checksOn(name string) (found []string) {
	for _, cfg := range s.configsOn(name) {
		found = append(found, "check "+cfg.Name)
	}
	return found
}

func (s *Server) configsOn(name string) (found []CheckConfig) {
	names := append(s.usersOf(name), name)
	for _, cfg := range s.cfg.Checks {
		text, err := written(cfg.Filter)
		if err == nil && slices.ContainsFunc(filter.SavedNames(text), func(n string) bool { return slices.Contains(names, n) }) {
			found = append(found, cfg)
		}
	}
	return found
}

// followFilter has the checks that stand on a saved filter follow it. A store that is away leaves a check as it was, until the next start.
func (s *Server) followFilter(ctx context.Context, name string) {
	for _, cfg := range s.configsOn(name) {
		old, _ := s.definition(cfg.Name)
		def, err := s.define(ctx, cfg, old.Check)
		if err != nil {
			s.Log.Error("a check does not follow its saved filter", "check", cfg.Name, "filter", name, "err", err)
			continue
		}
		s.defs.mu.Lock()
		s.defs.byName[def.Name] = def
		s.defs.mu.Unlock()
		s.Board.Define(def.Check, checks.Thresholds{}, fettle.MillisOf(s.Now()))
		for _, id := range s.presence.identities() {
			s.defs.touch(id)
		}
	}
}
