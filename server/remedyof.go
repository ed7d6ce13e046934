package server

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/plugins"
)

// Said is how a check stands on a node now.
type Said = checks.Said

// tryRemedy looks at what is run on change: the action is there, and takes the inputs. What expressions give is known when they are filled in.
func (s *Server) tryRemedy(r fettle.Remedy) error {
	action, err := s.lookUp(r.Action)
	if err != nil {
		return fmt.Errorf("on_change.action: %w: %w", err, fettle.ErrInvalid)
	}
	plain, open := maps.Clone(r.Inputs), map[string]bool{}
	for key, value := range r.Inputs {
		_, filled, err := checks.FillRemedy(r.Action, key, value, func(*filter.Text) (string, error) { return "", nil })
		if err != nil {
			return fmt.Errorf("on_change.inputs.%s: %w", key, err)
		}
		open[key] = filled
	}
	action.Inputs = slices.DeleteFunc(slices.Clone(action.Inputs), func(in plugins.Input) bool {
		if open[in.Name] && !in.Secret {
			delete(plain, in.Name) // it takes what is filled in, or it does not: nobody knows yet
			return true
		}
		return false
	})
	return s.tryInputs(action, "on_change.inputs", plain)
}

// FillRemedy gives the inputs of a remedy with the values of their expressions, for a node and the state of a check there. ErrInvalid: one of them
// is undefined; ErrNotFound: there is no such node.
func (s *Server) FillRemedy(ctx context.Context, r fettle.Remedy, node fettle.NodeID, state map[string]any) (map[string]any, error) {
	out := maps.Clone(r.Inputs)
	var faults []error
	known := s.Inventory.Look(node, fettle.MillisOf(s.Now()), func(names filter.Names) {
		said := askedNames{names, map[string]any{"state": state}}
		for _, key := range slices.Sorted(maps.Keys(r.Inputs)) {
			value, _, err := checks.FillRemedy(r.Action, key, r.Inputs[key], func(text *filter.Text) (string, error) { return text.Fill(ctx, said) })
			if err != nil {
				faults = append(faults, fmt.Errorf("on_change.inputs.%s: %w", key, err))
			}
			out[key] = value
		}
	})
	if !known {
		return nil, fmt.Errorf("there is no node %s: %w", node, fettle.ErrNotFound)
	}
	return out, errors.Join(faults...)
}

// CheckSaid tells how a check stands on a node now. ErrNotFound: it is not defined.
func (s *Server) CheckSaid(check string, node fettle.NodeID) (Said, error) {
	return s.Board.Said(check, node, fettle.MillisOf(s.Now()))
}

// CheckSize gives how many nodes a check has, and for how long a state of it counts after its last result.
func (s *Server) CheckSize(ctx context.Context, check string) (nodes int, fresh Span, err error) {
	v, err := s.Verdict(ctx, VerdictQuery{Check: check})
	if err != nil {
		return 0, 0, err
	}
	c, err := s.Board.Check(check)
	return v.Tally.Total, Span(checks.FreshFor(c)), err
}

// Span is a length of time.
type Span = fettle.Span
