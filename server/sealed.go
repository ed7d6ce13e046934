package server

import (
	"fmt"
	"maps"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/wire/trust"
)

// masked stands in a run in the place of a secret input: the secret itself goes sealed into each task, and is kept nowhere else.
const masked = "***"

// split takes the secret inputs out: public has masked in their place.
func split(action plugins.Action, inputs map[string]any) (public, secrets map[string]any) {
	for _, in := range action.Inputs {
		value, given := inputs[in.Name]
		if !in.Secret || !given {
			continue
		}
		if secrets == nil {
			public, secrets = maps.Clone(inputs), map[string]any{}
		}
		public[in.Name], secrets[in.Name] = masked, value
	}
	if secrets == nil {
		return inputs, nil
	}
	return public, secrets
}

// sealFor gives the inputs of one task, with the secrets sealed so that its node alone can read them, in that task alone.
func (s *Server) sealFor(t fettle.Task, public, secrets map[string]any) (map[string]any, error) {
	if s.Enroller == nil {
		return nil, fmt.Errorf("a secret input cannot be sealed here: %w", fettle.ErrUnavailable)
	}
	key, err := s.Enroller.SealKey(t.Node)
	if err != nil {
		return nil, err
	}
	inputs := maps.Clone(public)
	for name, value := range secrets {
		if inputs[name], err = trust.SealInput(key, t.ID, name, value); err != nil {
			return nil, err
		}
	}
	return inputs, nil
}

// hasSealed tells whether inputs are of one task alone.
func hasSealed(inputs map[string]any) bool {
	for _, value := range inputs {
		if trust.IsSealed(value) {
			return true
		}
	}
	return false
}

// refusals gathers the nodes that are not asked, by reason.
type refusals map[string][]fettle.NodeID

// list gives them as a run tells of them, the most frequent reason first.
func (r refusals) list() (out []fettle.Refusal) {
	for reason, nodes := range r {
		slices.Sort(nodes)
		out = append(out, fettle.Refusal{Reason: reason, Count: len(nodes), Nodes: nodes[:min(len(nodes), fettle.MaxRefused)]})
	}
	slices.SortFunc(out, func(a, b fettle.Refusal) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		if a.Reason < b.Reason {
			return -1
		}
		return 1
	})
	return out
}
