package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
)

// Bounds of the cuts that the board keeps: each costs a little for every node whose facts change, and some bytes for every node.
const (
	maxCuts      = 64 // beside those of groups
	cutLife      = 2 * time.Hour
	maxCutValues = 2000 // of a fact by which verdicts are asked
	maxCutText   = 200  // bytes of a value
	moreValues   = "(more)"
	freshenMost  = 200 // nodes that a question looks at, where they have changed and nobody has yet
)

// cutBook is the cuts that the board keeps, and what they mean.
type cutBook struct {
	turn   sync.Mutex                  // held while a cut is made, or nodes are put into their parts
	mu     sync.Mutex                  //
	byspec map[checks.CutSpec]*keptCut // guarded by mu
}

// keptCut is a cut on the board.
type keptCut struct {
	spec    checks.CutSpec
	program *filter.Program // nil: all nodes
	path    fettle.Path     // nil: no values
	values  map[string]bool // that have been seen; guarded by cutBook.turn
	asked   time.Time
	group   bool // it is kept as long as the groups are as they are
}

func (b *cutBook) init() { b.byspec = map[checks.CutSpec]*keptCut{} }

func (b *cutBook) all() []*keptCut {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make([]*keptCut, 0, len(b.byspec))
	for _, c := range b.byspec {
		out = append(out, c)
	}
	return out
}

// factPath reads the path of a fact by which verdicts are asked, with or without facts. before it.
func factPath(text string) (fettle.Path, error) {
	p, err := checks.ByPath(text)
	if err != nil {
		return nil, fmt.Errorf("by: %w", err)
	}
	return p, nil
}

// askBoard asks the board, and gives it the cuts that it wants for that.
func (s *Server) askBoard(ctx context.Context, q checks.Question) (fettle.Verdict, error) {
	now := fettle.MillisOf(s.Now())
	need, err := s.Board.Needs(q)
	if err != nil {
		return fettle.Verdict{}, err
	}
	for _, spec := range need {
		if err := s.makeCut(ctx, spec, false); err != nil {
			return fettle.Verdict{}, err
		}
	}
	if q.Where != "" || q.By != "" {
		s.freshen(ctx, q)
	}
	return s.Board.Ask(q, now)
}

// freshen looks at the nodes of which something has changed a moment ago, so that whoever asks sees it.
func (s *Server) freshen(ctx context.Context, q checks.Question) {
	s.cuts.mu.Lock()
	for _, c := range s.cuts.byspec {
		if c.spec.Filter == q.Where {
			c.asked = s.Now()
		}
	}
	s.cuts.mu.Unlock()
	for _, id := range s.defs.pending(freshenMost) {
		s.placeInCuts(ctx, id)
	}
}

// pending gives the nodes that are to be looked at; none where they are more than most.
func (d *definitions) pending(most int) []fettle.NodeID {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.touched) > most {
		return nil
	}
	out := make([]fettle.NodeID, 0, len(d.touched))
	for id := range d.touched {
		out = append(out, id)
	}
	return out
}

// keepable tells whether a filter's truth changes with what the server is told of a node alone, so that the board can keep a cut by it.
func keepable(program *filter.Program) bool {
	return program == nil || !program.Reads().Restless() && !program.Reads().Uses("checks")
}

// makeCut puts a cut on the board.
func (s *Server) makeCut(ctx context.Context, spec checks.CutSpec, group bool) error {
	s.cuts.turn.Lock()
	defer s.cuts.turn.Unlock()
	c := &keptCut{spec: spec, asked: s.Now(), group: group, values: map[string]bool{}}
	var err error
	if spec.Filter != "" {
		if c.program, err = filter.Compile(filter.Node, spec.Filter); err != nil {
			return err
		}
	}
	if spec.By != "" {
		if c.path, err = factPath(spec.By); err != nil {
			return err
		}
	}
	parts := map[fettle.NodeID]string{}
	q := s.query(c.program, fettle.MillisOf(s.Now()))
	if c.path == nil {
		roster, err := s.Inventory.Roster(ctx, q)
		if err != nil {
			return err
		}
		for _, id := range roster.Nodes {
			parts[id] = checks.InPart
		}
	} else if err := s.Inventory.EachValue(ctx, q, c.path, func(id fettle.NodeID, value string, has bool) { parts[id] = c.part(value, has) }); err != nil {
		return err
	}
	if len(c.values) > maxCutValues {
		return fmt.Errorf("%s has more than %d values, too many for a verdict each: %w", spec.By, maxCutValues, fettle.ErrInvalid)
	}
	undefined, err := s.undefinedFor(ctx, c.program)
	if err != nil {
		return err
	}
	for _, id := range undefined {
		parts[id] = checks.UndefinedPart
	}
	s.Board.PutCut(spec, parts)
	s.cuts.mu.Lock()
	s.cuts.byspec[spec] = c
	s.cuts.mu.Unlock()
	s.dropCuts()
	return nil
}

// part gives the part in which a node is that the filter is true for. Values beyond the bound are one.
func (c *keptCut) part(value string, has bool) string {
	switch {
	case c.path == nil:
		return checks.InPart
	case !has:
		return checks.NoValue
	case len(value) > maxCutText:
		value = strings.ToValidUTF8(value[:maxCutText], "") + "…"
	case value == "":
		value = `""`
	}
	if !c.values[value] && len(c.values) > maxCutValues {
		return moreValues
	}
	c.values[value] = true
	return value
}

// undefinedFor gives the nodes for which a filter is undefined: neither it nor its contrary is true.
func (s *Server) undefinedFor(ctx context.Context, program *filter.Program) ([]fettle.NodeID, error) {
	if program == nil {
		return nil, nil
	}
	now := fettle.MillisOf(s.Now())
	yes, err := s.Inventory.Roster(ctx, s.query(program, now))
	if err != nil || yes.Undefined == 0 {
		return nil, err
	}
	contrary, err := filter.Compile(filter.Node, "!("+program.Text()+")")
	if err != nil {
		return nil, err
	}
	no, err := s.Inventory.Roster(ctx, s.query(contrary, now))
	if err != nil {
		return nil, err
	}
	all, err := s.Inventory.Roster(ctx, inventory.Query{})
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all.Nodes, func(id fettle.NodeID) bool {
		_, isYes := slices.BinarySearch(yes.Nodes, id)
		_, isNo := slices.BinarySearch(no.Nodes, id)
		return isYes || isNo
	}), nil
}

// dropCuts forgets the cuts that nobody has asked for, and the oldest of those that are too many.
func (s *Server) dropCuts() {
	s.cuts.mu.Lock()
	defer s.cuts.mu.Unlock()
	var loose []*keptCut
	for _, c := range s.cuts.byspec {
		if !c.group {
			loose = append(loose, c)
		}
	}
	slices.SortFunc(loose, func(a, b *keptCut) int { return b.asked.Compare(a.asked) })
	for i, c := range loose {
		if i >= maxCuts || s.Now().Sub(c.asked) > cutLife {
			delete(s.cuts.byspec, c.spec)
			s.Board.DropCut(c.spec)
		}
	}
}

// placeInCuts puts a node of which something has changed into its parts.
func (s *Server) placeInCuts(ctx context.Context, id fettle.NodeID) {
	s.cuts.turn.Lock()
	defer s.cuts.turn.Unlock()
	for _, c := range s.cuts.all() {
		s.Board.PutPart(c.spec, id, s.partOf(ctx, c, id))
	}
}

func (s *Server) partOf(ctx context.Context, c *keptCut, id fettle.NodeID) string {
	if c.program != nil {
		truth, _, err := s.Inventory.Match(ctx, c.program, id, fettle.MillisOf(s.Now()))
		switch {
		case err != nil || truth == filter.False:
			return ""
		case truth == filter.Undefined:
			return checks.UndefinedPart
		}
	}
	if c.path == nil {
		return checks.InPart
	}
	value, has := s.Inventory.ValueOf(id, c.path)
	return c.part(value, has)
}

// restlessCuts tells whether some group's or silence's filter may change its mind about a node while the node's facts stay.
func (s *Server) restlessCuts() bool {
	for _, c := range s.cuts.all() {
		if !keepable(c.program) {
			return true
		}
	}
	s.silences.turn.Lock()
	defer s.silences.turn.Unlock()
	return slices.ContainsFunc(s.silences.holding(), func(k *keptSilence) bool { return !keepable(k.program) })
}
