package checks

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	fettle "github.com/fettle-dev/fettle"
)

// Board holds the states of all checks on all nodes in memory, and keeps their verdicts up to date: a result costs the same however many nodes
// there are, and a verdict costs the nodes that it names, or nothing when it has not changed. All methods are safe for concurrent use; none blocks.
// Moments are handed in, by the server's clock, and ought not to go back.
type Board struct {
	mu       sync.Mutex
	sheets   map[string]*sheet
	groups   map[string]*group
	silent   map[fettle.NodeID]struct{}
	cuts     map[CutSpec]*cut
	silences map[string]*silence          // that hold, by ID
	quiet    map[fettle.NodeID][]*silence // the same by node, sorted by ID
	parents  map[string]*parent           // by name
	change   uint64                       // grows when something is counted as another than before
	settling fettle.Millis                // until then verdicts keep what they have in held
	held     map[string]Held              // by name
	deaf     bool                         // the server does not hear: nothing becomes stale
}

// Held is the status that a verdict has, and since when.
type Held struct {
	Status fettle.CheckStatus
	Since  fettle.Millis
}

// NewBoard gives a board without checks.
func NewBoard() *Board {
	return &Board{
		sheets: map[string]*sheet{}, groups: map[string]*group{}, silent: map[fettle.NodeID]struct{}{}, cuts: map[CutSpec]*cut{},
		silences: map[string]*silence{}, quiet: map[fettle.NodeID][]*silence{}, parents: map[string]*parent{}, held: map[string]Held{},
	}
}

// Define adds check, or replaces the one of its name: its states and members stay, until results of the new rev and Put replace them.
func (b *Board) Define(check fettle.Check, th Thresholds, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, found := b.sheets[check.Name]
	if !found {
		b.sheets[check.Name] = b.newSheet(check, th)
		b.link(now)
		return
	}
	s.check, s.thresholds = check, th
	s.recount(now)
	b.link(now)
}

// Remove forgets a check and its states.
func (b *Board) Remove(check string, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sheets, check)
	delete(b.held, check)
	b.link(now)
}

// Put says what a node is to a check. An unknown check is ErrNotFound.
func (b *Board) Put(check string, node fettle.NodeID, place Place, now fettle.Millis) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.sheet(check)
	if err != nil {
		return err
	}
	b.put(s, node, place, now)
	return nil
}

func (b *Board) put(s *sheet, node fettle.NodeID, place Place, now fettle.Millis) {
	if c, found := s.cells[node]; !found && place == Outside || found && c.place == place {
		return
	}
	_, isSilent := b.silent[node]
	c := s.cell(node, isSilent)
	if c.place = place; place == Outside {
		s.remove(c, now)
		return
	}
	s.count(c, now)
	s.look(node)
	s.tellChildren(node, now)
}

// PutAll says which nodes are members of check and for which its filter is undefined; all others are outside, and their states forgotten.
func (b *Board) PutAll(check string, members, undefined []fettle.NodeID, now fettle.Millis) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.sheet(check)
	if err != nil {
		return err
	}
	inside := make(map[fettle.NodeID]Place, len(members)+len(undefined))
	for _, node := range undefined {
		inside[node] = Undefined
	}
	for _, node := range members {
		inside[node] = Member
	}
	for _, c := range s.cells {
		if inside[c.node] == Outside {
			s.remove(c, now)
		}
	}
	for node, place := range inside {
		b.put(s, node, place, now)
	}
	return nil
}

// Restore puts back states that were stored, in any order; those of an unknown check are left out.
func (b *Board) Restore(states []fettle.CheckState, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	states = slices.SortedFunc(slices.Values(states), func(x, y fettle.CheckState) int { return cmp.Compare(x.At, y.At) })
	for _, state := range states {
		if s := b.sheets[state.Check]; s != nil {
			_, isSilent := b.silent[state.Node]
			s.set(s.cell(state.Node, isSilent), state, now)
		}
	}
}

// Settle makes verdicts keep what they were, marked as settling, until then: just after a start, too few nodes have been heard. Afterwards a status
// that is still the same goes on having begun when it did.
func (b *Board) Settle(until fettle.Millis, were map[string]Held) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settling, b.held = until, maps.Clone(were)
	if b.held == nil {
		b.held = map[string]Held{}
	}
}

// Take applies a result as Apply does, and gives the state after it; taken tells whether it had a say. A result of a check that the board does
// not have is not taken.
func (b *Board) Take(result fettle.Result, order Order, now fettle.Millis) (state fettle.CheckState, tr *Transition, taken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sheets[result.Check]
	if s == nil {
		return fettle.CheckState{}, nil, false
	}
	var before fettle.CheckState
	if c := s.cells[result.Node]; c != nil {
		before = c.state
	}
	state, tr, taken = Apply(before, result, s.check, order, now)
	if taken {
		_, isSilent := b.silent[result.Node]
		s.set(s.cell(result.Node, isSilent), state, now)
	}
	return state, tr, taken
}

// SetSilent says whether a node has fallen silent.
func (b *Board) SetSilent(node fettle.NodeID, isSilent bool, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if isSilent {
		b.silent[node] = struct{}{}
	} else {
		delete(b.silent, node)
	}
	for _, s := range b.sheets {
		if c := s.cells[node]; c != nil && c.silent != isSilent {
			c.silent = isSilent
			s.count(c, now)
		}
		s.look(node)
	}
}

// Forget drops all that is known of a node.
func (b *Board) Forget(node fettle.NodeID, now fettle.Millis) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.silent, node)
	for _, s := range b.sheets {
		if c := s.cells[node]; c != nil {
			s.remove(c, now)
		}
	}
	for _, c := range b.cuts {
		delete(c.parts, node)
	}
	for _, s := range b.silences {
		delete(s.nodes, node)
	}
	delete(b.quiet, node)
	for _, s := range b.sheets {
		s.look(node)
	}
}

// sheet gives the sheet of a check, or ErrNotFound.
func (b *Board) sheet(check string) (*sheet, error) {
	s := b.sheets[check]
	if s == nil {
		return nil, fmt.Errorf("check %q: %w", check, fettle.ErrNotFound)
	}
	return s, nil
}
