package store

import (
	"context"
	"strings"

	"github.com/fettle-dev/fettle"
)

// RunQuery says which runs are listed. The zero RunQuery means the newest MaxPage of them.
type RunQuery struct {
	Before fettle.RunID // the last one that the caller has; empty: none
	Caller string       // who asked; empty: anybody
	Action string       // plugin.action, or a plugin: all its actions; empty: any
	State  fettle.RunState
	Since  fettle.Millis // begun then or later; zero: whenever
	Limit  int           // zero: MaxPage
}

// FindRuns lists runs, the newest first.
func (s *Store) FindRuns(ctx context.Context, q RunQuery) ([]fettle.Run, error) {
	w := where{}
	w.addIf(q.Before != "", "id < ?", string(q.Before))
	w.addIf(q.Caller != "", "caller = ?", q.Caller)
	if strings.Contains(q.Action, ".") {
		w.addIf(true, "action = ?", q.Action)
	} else {
		w.addIf(q.Action != "", "action > ? AND action < ?", q.Action+".", q.Action+"/") // the next character
	}
	w.addIf(q.State != "", "state = ?", string(q.State))
	w.addIf(q.Since != 0, "created_at >= ?", int64(q.Since))
	list, err := s.runs(ctx, &w, page(q.Limit))
	return list, s.fault(ctx, "list runs", err)
}
