package server

import (
	"context"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// pruneEvery is how often what is past its keeping is dropped.
const pruneEvery = 10 * time.Minute

// prune drops what is past its keeping, again and again, until ctx ends.
func (s *Server) prune(ctx context.Context) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := fettle.MillisOf(s.Now())
		keep := store.DefaultRetention()
		keep.Runs, keep.FactChanges, keep.Events, keep.Transitions = s.cfg.RunsKept, s.cfg.FactsKept, s.cfg.FactsKept, s.cfg.FactsKept
		if _, err := s.Store.ExpireTasks(ctx, now); err != nil && ctx.Err() == nil {
			s.Log.Error("expire tasks", "err", err)
		}
		if err := s.forgetSilent(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("forget silent nodes", "err", err)
		}
		if err := s.pruneSilences(ctx, now); err != nil && ctx.Err() == nil {
			s.Log.Error("prune silences", "err", err)
		}
		if _, err := s.Store.Prune(ctx, keep, now); err != nil && ctx.Err() == nil {
			s.Log.Error("prune the store", "err", err)
		}
	}
}
