package server

import (
	"context"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
)

// NodeStates is a node, and the state of each check that it has one of.
type NodeStates struct {
	Node     fettle.NodeID
	Liveness fettle.Liveness
	States   map[string]fettle.CheckState // by check; one that is too old is stale
}

// States gives the nodes that a selection means with the states of their checks, sorted by name.
func (s *Server) States(ctx context.Context, sel Selection) ([]NodeStates, error) {
	r, err := s.roster(ctx, sel)
	if err != nil {
		return nil, err
	}
	now := fettle.MillisOf(s.Now())
	out := make([]NodeStates, 0, len(r.Nodes))
	for _, id := range r.Nodes {
		n, known := s.Inventory.Get(id)
		if !known {
			continue // it has gone in the meantime
		}
		out = append(out, NodeStates{Node: id, Liveness: n.Liveness, States: s.Board.States(id, now)})
	}
	return out, nil
}

// WrittenFilter gives in CEL what a person wrote into a file of settings, in CEL or the short form. Names of saved filters stay in place.
func WrittenFilter(text fettle.Filter) (fettle.Filter, error) { return checks.WrittenFilter(text) }
