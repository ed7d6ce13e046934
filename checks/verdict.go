package checks

import (
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
)

// Names gives the names of all checks, sorted.
func (b *Board) Names() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Sorted(maps.Keys(b.sheets))
}

// Check gives the definition of a check, or ErrNotFound.
func (b *Board) Check(name string) (fettle.Check, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.sheet(name)
	if err != nil {
		return fettle.Check{}, err
	}
	return s.check, nil
}

// Over gives the verdict of a check over some nodes only, whether they are its members or not; one that is none, or has no state, is UNKNOWN. Thresholds
// are th's, not the check's. The cost is that of the nodes.
func (b *Board) Over(check string, members, undefined []fettle.NodeID, th Thresholds, now fettle.Millis) (fettle.Verdict, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.sheet(check)
	if err != nil {
		return fettle.Verdict{}, err
	}
	b.followParents(now)
	g := States{Check: s.check, Undefined: undefined, Thresholds: th, Now: now, Members: make([]NodeState, 0, len(members))}
	for _, node := range members {
		m := NodeState{Node: node, Shadowed: s.isShadowed(node)}
		_, m.Silent = b.silent[node]
		if c := s.cells[node]; c != nil && c.place == Member {
			m.State = c.state
		}
		m.By = b.silencing(check, node, standingOf(m.State, s.check, m.Silent, now).status())
		g.Members = append(g.Members, m)
	}
	v := Fold(g)
	v.Settling = now < b.settling
	return v, nil
}

// TakeStale gives the states that have become stale since it was asked last, with that status.
func (b *Board) TakeStale(now fettle.Millis) []fettle.CheckState {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []fettle.CheckState
	for _, s := range b.sheets {
		s.expire(now)
		for _, c := range s.expired {
			state := c.state
			state.Status = fettle.CheckStale
			out = append(out, state)
		}
		clear(s.expired)
	}
	return out
}

// States gives the states of all checks on one node, by check; one that is stale has that status.
func (b *Board) States(node fettle.NodeID, now fettle.Millis) map[string]fettle.CheckState {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]fettle.CheckState{}
	for name, s := range b.sheets {
		c := s.cells[node]
		if c == nil || c.state.Status == "" {
			continue
		}
		state := c.state
		if isStale(state, s.check, now) {
			state.Status = fettle.CheckStale
		}
		out[name] = state
	}
	return out
}
