package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// statesAtOnce bounds what one commit says of states that have become stale, or whose nodes have left.
const statesAtOnce = 2000

// spreading looks at many nodes at one moment.
type spreading struct {
	s     *Server
	defs  []definition
	asked map[string]*judge // the policies on what a check asks, by its name; nil: all may
	left  []fettle.CheckState
}

func (s *Server) newSpreading(ctx context.Context) *spreading {
	p := &spreading{s: s, defs: s.defs.all(), asked: map[string]*judge{}}
	for i, def := range p.defs {
		if def.Action != "" {
			ref, err := s.pluginOf(def.Action, def.Inputs)
			if err != nil {
				s.Log.Error("the action of a check", "check", def.Name, "err", err)
			}
			p.defs[i].asked.Plugin = ref
		}
		if def.kept.Source != "" || def.Action == "" || len(s.policies.all()) == 0 {
			continue // the configuration is above policies, and an expression does nothing
		}
		j, err := s.policyJudge(PolicyQuestion{User: s.ownerOf(ctx, def.kept), Action: def.Action, Inputs: def.Inputs})
		if err != nil {
			s.Log.Error("policies on a check", "check", def.Name, "err", err)
			continue
		}
		p.asked[def.Name] = j
	}
	return p
}

// ownerOf gives whose check it is, as policies know them now. One who is no user, or none any more, has the role with which they saved it.
func (s *Server) ownerOf(ctx context.Context, kept fettle.KeptCheck) Asker {
	owner := Asker{Name: kept.Owner, Role: kept.Role}
	account, err := s.Store.User(ctx, kept.Owner)
	switch {
	case err == nil && account.Disabled == 0:
		owner.Account, owner.Role, owner.Groups = kept.Owner, account.Role, account.Groups
	case err == nil:
		owner.Role = ""
	case !errors.Is(err, fettle.ErrNotFound):
		s.Log.Warn("the owner of a check is not known", "check", kept.Name, "user", kept.Owner, "err", err)
		owner.Role = ""
	}
	return owner
}

// checksOf gives the set of checks that a node ought to keep, and tells the board of its places. The empty set has the empty hash. What policies
// forbid is not asked of it, and stays without a result.
func (p *spreading) checksOf(ctx context.Context, id fettle.NodeID) (wire.Checks, error) {
	s := p.s
	set := wire.Checks{Checks: []fettle.Check{}}
	for _, def := range p.defs {
		place, err := s.placeOf(ctx, def, id)
		if err != nil {
			return set, err
		}
		if place != checks.Member {
			if state, had := s.Board.State(def.Name, id); had {
				p.left = append(p.left, state)
			}
			s.Inventory.DropCheck(id, def.Name) // it is not asked any more, and its last state would grow old
		}
		if err := s.Board.Put(def.Name, id, place, fettle.MillisOf(s.Now())); errors.Is(err, fettle.ErrNotFound) {
			continue // deleted meanwhile
		} else if err != nil {
			return set, err
		}
		if place == checks.Member && (p.asked[def.Name] == nil || p.asked[def.Name].reason(ctx, id) == "") {
			set.Checks = append(set.Checks, def.asked)
		}
	}
	if len(set.Checks) > 0 {
		sum := sha256.Sum256([]byte(mustJSON(set.Checks)))
		set.Hash = hex.EncodeToString(sum[:16])
	}
	return set, nil
}

// stateEvent is what an event of a check says: that a node has left it.
type stateEvent struct {
	Check string             `json:"check"`
	From  fettle.CheckStatus `json:"from"`
	To    fettle.CheckStatus `json:"to"` // empty: there is no state any more
}

// leave takes away the states of nodes that have left their checks, and puts down that they did.
func (s *Server) leave(ctx context.Context, left []fettle.CheckState) {
	for part := range slices.Chunk(left, statesAtOnce) {
		now := fettle.MillisOf(s.Now())
		b := store.Batch{}
		for _, state := range part {
			from := statusOf(state)
			b.Left = append(b.Left, store.StateKey{Check: state.Check, Node: state.Node})
			b.Transitions = append(b.Transitions, store.Transition{Check: state.Check, Node: state.Node, At: now, From: from, Hard: true, Output: "the node has left the check"})
			b.Events = append(b.Events, fettle.Event{Kind: fettle.EventCheck, Node: state.Node, At: now, Body: json.RawMessage(mustJSON(stateEvent{state.Check, from, ""}))})
		}
		if _, err := s.Store.Commit(ctx, &b); err != nil && ctx.Err() == nil {
			s.Log.Error("states of nodes that have left their checks", "err", err)
		}
	}
}

// statusOf gives what a state counts as.
func statusOf(state fettle.CheckState) fettle.CheckStatus {
	if state.Stale != 0 {
		return fettle.CheckStale
	}
	return state.Status
}

// markStale puts down which states have become too old, and lets filters see it. While the server settles, or does not hear, nobody is blamed.
func (s *Server) markStale(ctx context.Context) {
	for !s.Settling() && !s.presence.isPaused() && ctx.Err() == nil {
		if n := s.markSome(ctx); n < statesAtOnce {
			return
		}
	}
}

func (s *Server) markSome(ctx context.Context) int {
	s.presence.turn.Lock() // a result that comes meanwhile is the later word
	defer s.presence.turn.Unlock()
	now := fettle.MillisOf(s.Now())
	b := store.Batch{States: s.Board.TakeStale(statesAtOnce, now)}
	for _, state := range b.States {
		b.Transitions = append(b.Transitions, store.Transition{Check: state.Check, Node: state.Node, At: now, From: state.Status, To: fettle.CheckStale, Hard: true, Output: state.Output})
		state.Status = fettle.CheckStale
		s.Inventory.SetCheck(state)

	}
	if _, err := s.Store.Commit(ctx, &b); err != nil && ctx.Err() == nil {
		s.Log.Error("states that have become stale", "err", err)
	}
	return len(b.States)
}
