package server

import (
	"context"
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/wire"
)

// Selection says which nodes are meant. Exactly one of Where, All and Roster has to be there: an empty filter is never "everything".
type Selection struct {
	Where  fettle.Filter // in CEL, @names of saved filters within
	All    bool          // every node, on purpose
	Roster string        // the id of a preview
	AsOf   fettle.Millis // the moment that is asked about; zero: now
}

// rosterLife is for how long a preview can be run.
const rosterLife = time.Hour

// program compiles the selection; nil stands for every node.
func (s *Server) program(ctx context.Context, sel Selection) (*filter.Program, error) {
	switch {
	case sel.Where != "" && sel.All:
		return nil, fmt.Errorf("a filter and \"all\" exclude each other: %w", fettle.ErrInvalid)
	case sel.All:
		return nil, nil
	case sel.Where == "":
		return nil, fmt.Errorf("no filter was given; for every node say so with --all (\"all\": true): %w", fettle.ErrInvalid)
	}
	return s.compile(ctx, sel.Where)
}

// textOf gives the filter as it was asked, saved filters put in: what they mean may change. Nil, for every node, is empty.
func textOf(program *filter.Program) fettle.Filter {
	if program == nil {
		return ""
	}
	return program.Text()
}

// roster resolves a selection to the nodes that ought to answer.
func (s *Server) roster(ctx context.Context, sel Selection) (fettle.Roster, error) {
	if sel.AsOf != 0 {
		return fettle.Roster{}, fmt.Errorf("the past can be asked, not run: %w", fettle.ErrInvalid)
	}
	if sel.Roster != "" {
		if sel.Where != "" || sel.All {
			return fettle.Roster{}, fmt.Errorf("a roster stands alone, without a filter: %w", fettle.ErrInvalid)
		}
		r, err := s.Store.Roster(ctx, sel.Roster)
		if err == nil && fettle.MillisOf(s.Now()).Sub(r.Created) > rosterLife {
			return fettle.Roster{}, fmt.Errorf("roster %s is older than %s, make a new preview: %w", sel.Roster, rosterLife, fettle.ErrConflict)
		}
		return r, err
	}
	program, err := s.program(ctx, sel)
	if err != nil {
		return fettle.Roster{}, err
	}
	found, err := s.Inventory.Roster(ctx, s.query(program, fettle.MillisOf(s.Now())))
	if err != nil {
		return fettle.Roster{}, err
	}
	return fettle.Roster{Filter: textOf(program), Nodes: found.Nodes, Undefined: found.Undefined, Created: fettle.MillisOf(s.Now())}, nil
}

// Preview fixes a roster and keeps it for an hour, so that what was looked at is what is run.
func (s *Server) Preview(ctx context.Context, sel Selection) (fettle.Roster, error) {
	r, err := s.roster(ctx, sel)
	if err != nil {
		return fettle.Roster{}, err
	}
	r.ID = wire.NewID()
	if err := s.Store.SaveRoster(ctx, r); err != nil {
		return fettle.Roster{}, err
	}
	return r, nil
}
