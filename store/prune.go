package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/fettle-dev/fettle"
)

// pruneRows bounds the rows that one transaction of Prune deletes, so that the collector never waits for more than some milliseconds.
const pruneRows = 1000

// Retention says how long each kind of data is kept. Zero: for ever.
type Retention struct {
	FactChanges time.Duration // how far back facts can be asked for
	Events      time.Duration
	Transitions time.Duration
	Runs        time.Duration // after their end, with their tasks and results; and tasks and results of no run
	Output      time.Duration
	Rosters     time.Duration // of previews
	Audit       time.Duration
	DeadLetters time.Duration
	Tokens      time.Duration // after they have expired
}

// DefaultRetention is what is kept when nobody says otherwise. It is far above the 24 h after which nothing that was sent is answered any
// more, so a result whose task was pruned cannot come again.
func DefaultRetention() Retention {
	const day = 24 * time.Hour
	return Retention{
		FactChanges: 90 * day, Events: 90 * day, Transitions: 400 * day, Runs: 90 * day, Output: 30 * day, Rosters: 2 * day, Audit: 400 * day,
		DeadLetters: 30 * day, Tokens: 7 * day,
	}
}

// Prune deletes what is older than r says, in many short transactions, and gives the number of rows deleted by table. When ctx ends or the
// database fails, what was deleted until then stays deleted.
func (s *Store) Prune(ctx context.Context, r Retention, now fettle.Millis) (map[string]int64, error) {
	if r.FactChanges > 0 { // first: who asks meanwhile is told too little rather than something wrong
		if err := s.raise(ctx, historyFrom, int64(now.Add(-r.FactChanges))); err != nil {
			return nil, err
		}
	}
	p := pruner{s: s, deleted: map[string]int64{}}
	const ofNoRun = " AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = "
	for _, rule := range []struct {
		table, where string
		keep         time.Duration
	}{
		{"fact_changes", "at < ?", r.FactChanges},
		{"events", "at < ?", r.Events},
		{"transitions", "at < ?", r.Transitions},
		{"remedies", "at < ?", r.Transitions},
		{"audit", "at < ?", r.Audit},
		{"dead_letters", "at < ?", r.DeadLetters},
		{"output_chunks", "received_at < ?", r.Output},
		{"results", "received_at < ?" + ofNoRun + "results.run)", r.Runs},
		{"tasks", "expires_at < ? AND state IN ('answered', 'cancelled', 'expired')" + ofNoRun + "tasks.run)", r.Runs},
		{"rosters", "created_at < ?" + ofNoRun + "rosters.id)", r.Rosters},
		{"tokens", "expires_at <> 0 AND expires_at < ?", r.Tokens},
	} {
		if rule.keep > 0 {
			p.delete(ctx, rule.table, rule.where, int64(now.Add(-rule.keep)))
		}
	}
	p.delete(ctx, "roster_parts", "NOT EXISTS (SELECT 1 FROM rosters WHERE rosters.id = roster_parts.roster)")
	if r.Runs > 0 {
		p.runs(ctx, now.Add(-r.Runs))
	}
	return p.deleted, s.fault(ctx, "prune", p.err)
}

// pruner deletes until its first error.
type pruner struct {
	s       *Store
	deleted map[string]int64 // by table
	err     error            // the first
}

// delete deletes all rows of table for which where is true.
func (p *pruner) delete(ctx context.Context, table, where string, args ...any) {
	query := p.s.d.deleteSome(table, where)
	args = append(args, pruneRows)
	for p.err == nil {
		var n int64
		p.err = p.s.write(ctx, "prune "+table, func(ctx context.Context, t *tx) (err error) {
			n, err = t.exec(ctx, "prune "+table, query, args...)
			return err
		})
		if n > 0 && p.err == nil {
			p.deleted[table] += n
		}
		if n < pruneRows {
			return
		}
	}
}

// runs deletes the runs that ended before cutoff. Each run's own row goes last, so that what is interrupted goes on the next time.
func (p *pruner) runs(ctx context.Context, cutoff fettle.Millis) {
	for p.err == nil {
		var ids []string
		p.err = p.s.reader().each(ctx, "find old runs", "SELECT id FROM runs WHERE ended_at > 0 AND ended_at < ? ORDER BY ended_at LIMIT 100", []any{int64(cutoff)},
			func(rows *sql.Rows) error {
				var id string
				err := rows.Scan(&id)
				ids = append(ids, id)
				return err
			})
		for _, id := range ids {
			p.delete(ctx, "results", "run = ?", id)
			p.delete(ctx, "tasks", "run = ?", id)
			p.delete(ctx, "roster_parts", "roster = ?", id)
			p.delete(ctx, "rosters", "id = ?", id)
			p.delete(ctx, "runs", "id = ?", id)
		}
		if len(ids) == 0 {
			return
		}
	}
}
