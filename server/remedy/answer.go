package remedy

import (
	"context"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// One is what became of a transition that called for a remedy.
type One = store.Remedy

// Query says which are asked for.
type Query = store.RemedyQuery

// List gives remedies, the newest first.
func (r *Remedies) List(ctx context.Context, q Query) ([]One, error) { return r.Store.Remedies(ctx, q) }

// Get gives one of them. ErrNotFound: there is none.
func (r *Remedies) Get(ctx context.Context, seq int64) (One, error) {
	list, err := r.Store.Remedies(ctx, Query{Seq: seq, Limit: 1})
	if err == nil && (len(list) == 0 || seq == 0) {
		err = fmt.Errorf("there is no remedy %d: %w", seq, fettle.ErrNotFound)
	}
	if err != nil {
		return One{}, err
	}
	return list[0], nil
}

// Of gives the remedies of transitions, by their seq; those that called for none are left out.
func (r *Remedies) Of(ctx context.Context, transitions []int64) (map[int64]One, error) {
	if len(transitions) == 0 {
		return nil, nil
	}
	list, err := r.Store.Remedies(ctx, Query{Transitions: transitions})
	if err != nil {
		return nil, err
	}
	out := make(map[int64]One, len(list))
	for _, one := range list {
		out[one.Transition] = one
	}
	return out, nil
}

// lastOf gives the number of the last remedy of a check, or of all; zero: there is none.
func (r *Remedies) lastOf(ctx context.Context, check string) (int64, error) {
	list, err := r.Store.Remedies(ctx, Query{Check: check, Limit: 1})
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0].Seq, nil
}
