package checks

import fettle "github.com/fettle-dev/fettle"

// State gives the state of a check on one node as its last result left it: one that has grown stale has the status that it had. ok is false
// where there was no result.
func (b *Board) State(check string, node fettle.NodeID) (state fettle.CheckState, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sheets[check]
	if s == nil || s.cells[node] == nil {
		return fettle.CheckState{}, false
	}
	state = s.cells[node].state
	return state, state.Status != ""
}

// StatesOf gives the states of a check on all nodes that have one, in no order.
func (b *Board) StatesOf(check string) []fettle.CheckState {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sheets[check]
	if s == nil {
		return nil
	}
	out := make([]fettle.CheckState, 0, len(s.cells))
	for _, c := range s.cells {
		if c.state.Status != "" {
			out = append(out, c.state)
		}
	}
	return out
}

// Said is how a check stands on a node now, and what keeps it from having a say.
type Said struct {
	State    fettle.CheckState  // as its last result left it; zero: there was none
	Status   fettle.CheckStatus // what it would count as, if nothing was left out: ok, warning, critical, unknown; empty: the node is no member
	Stale    bool
	Silent   bool
	Silenced *fettle.SilencedBy // what leaves it out; nil: nothing does
	Shadowed bool               // something that it depends on is critical
}

// Said tells how a check stands on a node. ErrNotFound: it is not defined.
func (b *Board) Said(check string, node fettle.NodeID, now fettle.Millis) (Said, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.sheet(check)
	if err != nil {
		return Said{}, err
	}
	c := s.cells[node]
	if c == nil || c.place != Member {
		return Said{}, nil
	}
	s.count(c, now) // what has grown old since is old
	said := Said{State: c.state, Status: c.raw.status(), Stale: c.raw == stale, Silent: c.raw == silent, Silenced: c.counted.by, Shadowed: c.counted.standing == shadowed}
	if c.raw == ok {
		said.Status = fettle.CheckOK
	}
	return said, nil
}
