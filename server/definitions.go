package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"sort"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/wire"
)

// actionCheck is the action that runs a check command of a node.
const actionCheck = "nrpe.check"

// spreadEvery is how often nodes whose facts changed are looked at for the checks that they ought to keep; changes in between coalesce.
const spreadEvery = time.Second

// definitions are the checks there are, compiled, and which nodes have to be told.
type definitions struct {
	mu      sync.Mutex
	byName  map[string]definition    // guarded by mu
	touched map[fettle.NodeID]bool   // guarded by mu; to be looked at
	has     map[fettle.NodeID]string // guarded by mu; the hash of the set that a node says it has
}

type definition struct {
	fettle.Check
	program *filter.Program // nil: the nodes that offer the command
	fault   error           // why it cannot be told which nodes are meant: a saved filter does not exist
}

// loadChecks brings what is stored and what the configuration says together, and loads the states.
func (s *Server) loadChecks(ctx context.Context) error {
	s.defs.byName, s.defs.touched, s.defs.has = map[string]definition{}, map[fettle.NodeID]bool{}, map[fettle.NodeID]string{}
	old, err := s.storedChecks(ctx)
	if err != nil {
		return err
	}
	for _, cfg := range s.cfg.Checks {
		def, err := s.define(ctx, cfg, old[cfg.Name])
		if err != nil {
			return err
		}
		delete(old, def.Name)
		s.defs.byName[def.Name] = def
	}
	for name := range old {
		if err := s.Store.DeleteCheck(ctx, name, fettle.MillisOf(s.Now())); err != nil {
			return err
		}
	}
	return s.loadStates(ctx)
}

// loadStates fills the board: definitions, members, silence, states; and has verdicts keep what they were while the server settles.
func (s *Server) loadStates(ctx context.Context) error {
	now := fettle.MillisOf(s.Now())
	for _, def := range s.defs.all() {
		s.Board.Define(def.Check, checks.Thresholds{}, now)
		members, undefined, err := s.placesOf(ctx, def)
		if err != nil {
			return err
		}
		if err := s.Board.PutAll(def.Name, members, undefined, now); err != nil {
			return err
		}
	}
	var states []fettle.CheckState
	if err := s.Store.LoadStates(ctx, func(state fettle.CheckState) error {
		states = append(states, state)
		s.Inventory.SetCheck(state)
		return nil
	}); err != nil {
		return err
	}
	s.Board.Restore(states, now)
	last := map[string]fettle.CheckStatus{}
	for _, def := range s.defs.all() {
		if v, err := s.Board.Verdict(def.Name, now); err == nil {
			last[def.Name] = v.Status
		}
	}
	s.Board.Settle(now.Add(settleBeats*s.cfg.Beat), last)
	return nil
}

// placesOf gives the nodes that a check counts, and those for which its filter is undefined.
func (s *Server) placesOf(ctx context.Context, def definition) (members, undefined []fettle.NodeID, err error) {
	for _, id := range s.presence.identities() {
		switch place, err := s.placeOf(ctx, def, id); {
		case err != nil:
			return nil, nil, err
		case place == checks.Member:
			members = append(members, id)
		case place == checks.Undefined:
			undefined = append(undefined, id)
		}
	}
	return members, undefined, nil
}

func (s *Server) storedChecks(ctx context.Context) (map[string]fettle.Check, error) {
	out := map[string]fettle.Check{}
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
	for _, def := range d.byName {
		out = append(out, def)
	}
	sort.Slice(out, func(i, k int) bool { return out[i].Name < out[k].Name })
	return out
}

// touch says that a node may have to keep other checks than before.
func (d *definitions) touch(id fettle.NodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.touched[id] = true
}

// compare notes the set that a node says it has, and has the node looked at.
func (d *definitions) compare(id fettle.NodeID, hash string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.has[id] != hash || hash == "" && len(d.byName) > 0 {
		d.touched[id] = true
	}
	d.has[id] = hash
}

func (d *definitions) takeTouched() map[fettle.NodeID]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := make(map[fettle.NodeID]string, len(d.touched))
	for id := range d.touched {
		out[id] = d.has[id]
	}
	clear(d.touched)
	return out
}

// spreadChecks sends nodes the checks that they ought to keep, where they have others, until ctx ends.
func (s *Server) spreadChecks(ctx context.Context) error {
	tick := time.NewTicker(spreadEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for id, has := range s.defs.takeTouched() {
			set, err := s.checksOf(ctx, id)
			switch {
			case errors.Is(err, fettle.ErrNotFound): // forgotten meanwhile
			case err != nil:
				s.Log.Error("checks of a node", "node", id, "err", err)
			case set.Hash != has:
				s.send(ctx, id, wire.TypeChecks, set)
			}
		}
	}
}

// checksOf gives the set of checks that a node ought to keep, and tells the board of its places. The empty set has the empty hash.
func (s *Server) checksOf(ctx context.Context, id fettle.NodeID) (wire.Checks, error) {
	set := wire.Checks{Checks: []fettle.Check{}}
	for _, def := range s.defs.all() {
		place, err := s.placeOf(ctx, def, id)
		if err != nil {
			return set, err
		}
		if err := s.Board.Put(def.Name, id, place, fettle.MillisOf(s.Now())); err != nil {
			return set, err
		}
		if place == checks.Member {
			set.Checks = append(set.Checks, def.Check)
		}
	}
	if len(set.Checks) > 0 {
		sum := sha256.Sum256([]byte(mustJSON(set.Checks)))
		set.Hash = hex.EncodeToString(sum[:16])
	}
	return set, nil
}

// placeOf says what a node is to a check. ErrNotFound: there is no such node.
func (s *Server) placeOf(ctx context.Context, def definition, id fettle.NodeID) (checks.Place, error) {
	if def.fault != nil {
		return checks.Outside, nil
	}
	if def.program == nil {
		n, known := s.Inventory.Get(id)
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

// command is the check command that the nodes are asked to run.
func (d definition) command() string {
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
