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

// TakeStale gives states that have become stale since it was asked last, at most limit of them, each with Stale set.
func (b *Board) TakeStale(limit int, now fettle.Millis) []fettle.CheckState {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []fettle.CheckState
	for _, s := range b.sheets {
		s.expire(now)
		for node, c := range s.expired {
			if len(out) == limit {
				return out
			}
			delete(s.expired, node)
			if c.state.Stale == 0 {
				c.state.Stale = now
				out = append(out, c.state)
			}
		}
	}
	return out
}

// Deafen says that the server does not hear: until Listen no state becomes stale.
func (b *Board) Deafen() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deaf = true
}

// Listen says that the server hears, from now on: what has not become stale yet is as old as its last result, or as this.
func (b *Board) Listen(now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.deaf = false
	for _, s := range b.sheets {
		for c := s.first; c != nil; c = c.next {
			c.state.Listened = now
		}
	}
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

// Bad gives the states of nodes that are not ok, as they would be counted were nothing left out: a silent or stale one, and a member that has none,
// is unknown, and says so in its output.
func (b *Board) Bad(nodes []fettle.NodeID, now fettle.Millis) []fettle.CheckState {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []fettle.CheckState
	for name, s := range b.sheets {
		s.expire(now)
		for _, node := range nodes {
			c := s.cells[node]
			if c == nil || !c.raw.bad() {
				continue
			}
			state := c.state
			state.Check, state.Node, state.Status, state.Output = name, node, c.raw.status(), s.text(node)
			out = append(out, state)
		}
	}
	return out
}

// CompareStatus orders statuses from the best to the worst: ok, warning, unknown, critical.
func CompareStatus(a, b fettle.CheckStatus) int { return badness(a) - badness(b) }
