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
