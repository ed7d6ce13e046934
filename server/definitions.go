package server

import (
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
	"github.com/fettle-dev/fettle/inventory"
)

// actionCheck is the action that runs a check command of a node.
const actionCheck = checks.ActionNRPE

// definitions are the checks there are, compiled, and which nodes have to be told.
type definitions struct {
	change  sync.Mutex // held by whoever saves or deletes, so that what he checked still holds when he has written
	mu      sync.Mutex
	byName  map[string]definition    // guarded by mu
	touched map[fettle.NodeID]bool   // guarded by mu; to be looked at
	has     map[fettle.NodeID]string // guarded by mu; the hash of the set that a node says it has
	told    map[fettle.NodeID]told   // guarded by mu; the set that was sent, and that the node does not say yet that it has
}

type told struct {
	hash string
	at   fettle.Millis
}

// definition is a check, compiled.
type definition struct {
	fettle.Check
	kept    fettle.KeptCheck
	asked   fettle.Check    // what a node is sent: Check without what is the server's alone
	program *filter.Program // nil: the nodes that offer the command
	rule    checks.Thresholds
	fault   error // why it cannot be told which nodes are meant: a saved filter does not exist
}

// loadChecks brings what is stored and what the configuration says together, and loads the states. A check that reaches itself is ErrInvalid.
func (s *Server) loadChecks(ctx context.Context) error {
	s.defs.byName, s.defs.touched, s.defs.has = map[string]definition{}, map[fettle.NodeID]bool{}, map[fettle.NodeID]string{}
	s.defs.told = map[fettle.NodeID]told{}
	stored, err := s.storedChecks(ctx)
	if err != nil {
		return err
	}
	for _, cfg := range s.cfg.Checks {
		kept, err := s.provision(ctx, cfg, stored[cfg.Name])
		if err != nil {
			return err
		}
		stored[cfg.Name] = kept
	}
	for name, kept := range stored {
		if kept.Source != "" && !s.cfg.provisions(name) {
			if err := s.Store.DeleteCheck(ctx, name, fettle.MillisOf(s.Now())); err != nil {
				return err
			}
			continue
		}
		def, err := s.compileCheck(ctx, kept)
		if err != nil {
			return fmt.Errorf("check %s: %w", name, err)
		}
		s.defs.byName[name] = def
	}
	for name := range s.defs.byName {
		if s.defs.reaches(name, name, map[string]bool{}) {
			return &fettle.Fault{Key: "checks." + name + ".filter", Reason: "it is about the state of the check itself, or of one that is about this one"}
		}
	}
	return s.loadStates(ctx)
}

// loadStates fills the board: definitions, members, silence, states; and has verdicts keep what they were while the server settles. What they
// were is judged as of the moment at which the last of the states came: the time since then is ours.
func (s *Server) loadStates(ctx context.Context) error {
	now, last := fettle.MillisOf(s.Now()), fettle.Millis(0)
	var states []fettle.CheckState
	if err := s.Store.LoadStates(ctx, func(state fettle.CheckState) error {
		last = max(last, state.At)
		state.Listened = now // what we did not hear is not their silence
		states = append(states, state)
		return nil
	}); err != nil {
		return err
	}
	at := min(now, last)
	inside := map[stateKey]bool{}
	for _, def := range s.defs.all() {
		s.Board.Define(def.Check, def.rule, at)
		members, undefined, err := s.placesOf(ctx, def)
		if err != nil {
			return err
		}
		for _, id := range members {
			inside[stateKey{def.Name, id}] = true
		}
		if err := s.Board.PutAll(def.Name, members, undefined, at); err != nil {
			return err
		}
	}
	states = slices.DeleteFunc(states, func(state fettle.CheckState) bool { return !inside[stateKey{state.Check, state.Node}] })
	for _, state := range states {
		s.Inventory.SetCheck(state)
	}
	s.Board.Restore(states, at)
	if err := s.loadGroups(ctx, at); err != nil {
		return err
	}
	if err := s.loadSilences(ctx, at); err != nil {
		return err
	}
	held, err := s.heldBefore(ctx, at)
	if err != nil {
		return err
	}
	s.Board.Settle(now.Add(settleBeats*s.cfg.Beat), held)
	return nil
}

// placesOf gives the nodes that a check counts, and those for which its filter is undefined.
func (s *Server) placesOf(ctx context.Context, def definition) (members, undefined []fettle.NodeID, err error) {
	if def.fault != nil {
		return nil, nil, nil
	}
	if def.program == nil {
		return s.Inventory.Offering(def.command()), nil, nil
	}
	roster, err := s.Inventory.Roster(ctx, inventory.Query{Program: def.program, Now: fettle.MillisOf(s.Now())})
	if err != nil || roster.Undefined == 0 {
		return roster.Nodes, nil, err
	}
	for _, id := range s.presence.identities() {
		place, err := s.placeOf(ctx, def, id)
		if err != nil && !errors.Is(err, fettle.ErrNotFound) {
			return nil, nil, err
		}
		if place == checks.Undefined && err == nil {
			undefined = append(undefined, id)
		}
	}
	return roster.Nodes, undefined, nil
}

func (s *Server) storedChecks(ctx context.Context) (map[string]fettle.KeptCheck, error) {
	out := map[string]fettle.KeptCheck{}
	for after := ""; ; {
		page, err := s.Store.Checks(ctx, after, 0)
		if err != nil || len(page) == 0 {
			return out, err
		}
		for _, c := range page {
			out[c.Name] = c
		}
		after = page[len(page)-1].Name
	}
}

// mustJSON writes a value of our own making, of which the writing cannot fail.
func mustJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func (d *definitions) get(name string) (fettle.Check, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	def, ok := d.byName[name]
	return def.Check, ok
}

func (d *definitions) all() []definition {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make([]definition, 0, len(d.byName))
	for _, name := range slices.Sorted(maps.Keys(d.byName)) {
		out = append(out, d.byName[name])
	}
	return out
}

// placeOf says what a node is to a check. ErrNotFound: there is no such node.
func (s *Server) placeOf(ctx context.Context, def definition, id fettle.NodeID) (checks.Place, error) {
	if def.fault != nil {
		return checks.Outside, nil
	}
	if def.program == nil {
		n, known := s.Inventory.Brief(id)
		if _, offers := slices.BinarySearch(n.Commands, def.command()); known && offers {
			return checks.Member, nil
		}
		return checks.Outside, nil
	}
	truth, _, err := s.Inventory.Match(ctx, def.program, id, fettle.MillisOf(s.Now()))
	switch {
	case err != nil:
		return checks.Outside, err
	case truth == filter.True:
		return checks.Member, nil
	case truth == filter.Undefined:
		return checks.Undefined, nil
	}
	return checks.Outside, nil
}

// command is the check command that the nodes are asked to run; empty: it is something else that they are asked.
func (d definition) command() string {
	if d.Action != actionCheck {
		return ""
	}
	command, _ := d.Inputs["command"].(string)
	return command
}

// Checks lists the checks that are defined, by name.
func (s *Server) Checks(context.Context) ([]fettle.Check, error) {
	defs := s.defs.all()
	out := make([]fettle.Check, len(defs))
	for i, def := range defs {
		out[i] = def.Check
	}
	return out, nil
}
