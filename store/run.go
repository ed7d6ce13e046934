package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fettle-dev/fettle"
)

const runColumns = "id, action, inputs, filter, for_all, caller, state, tally_roster, tally_ok, tally_failed, tally_silent, tally_never, tally_pending, " +
	"undefined_count, created_at, deadline_at, ended_at, refused, rev, pace, stopped, timeout_ms, " +
	"retry_of, standing, plugin, remedy"

// NewRun is a run with all that has to be on disk before anything is sent.
type NewRun struct {
	Run    fettle.Run     // its Rev is ignored, and is 1 afterwards
	Roster *fettle.Roster // nil: it is kept already, or is just the nodes of Tasks
	Tasks  []fettle.Task  // queued at Run.Created
	Sent   fettle.Millis  // when the tasks are sent, which is right afterwards; MarkUnsent takes it back. Zero: they are only queued
}

// SaveRun keeps a run, its roster and its tasks. It is ErrConflict if one of the ids is taken.
func (s *Store) SaveRun(ctx context.Context, n NewRun) error {
	return s.write(ctx, "save run "+string(n.Run.ID), func(ctx context.Context, t *tx) error {
		inputs, err := writeRun(ctx, t, &n.Run)
		if err != nil {
			return err
		}
		if n.Roster != nil {
			if err := writeRoster(ctx, t, n.Roster); err != nil {
				return err
			}
		}
		return writeTasks(ctx, t, n.Tasks, inputs, n.Run.Created, n.Sent)
	})
}

// UpdateRun writes the state, tally, times, refusals and stop of a run over the row that has run.Rev, and gives the new rev. It is ErrConflict if the row has
// another rev, ErrNotFound if there is no such run.
func (s *Store) UpdateRun(ctx context.Context, run fettle.Run) (rev int64, err error) {
	refused, err := optional(len(run.Refused) > 0, run.Refused)
	if err != nil {
		return 0, fmt.Errorf("update run %s: refused: %w", run.ID, err)
	}
	err = s.write(ctx, "update run "+string(run.ID), func(ctx context.Context, t *tx) error {
		y := run.Tally
		n, err := t.exec(ctx, "update run", `UPDATE runs SET state = ?, tally_roster = ?, tally_ok = ?, tally_failed = ?, tally_silent = ?,
			tally_never = ?, tally_pending = ?, deadline_at = ?, ended_at = ?, stopped = ?, refused = ?, rev = rev + 1 WHERE id = ? AND rev = ?`,
			string(run.State), y.Roster, y.OK, y.Failed, y.Silent, y.Never, y.Pending, int64(run.Deadline), int64(run.Ended), clip(run.Stopped, MaxName), refused,
			string(run.ID), run.Rev)
		if err != nil || n == 1 {
			return err
		}
		return t.whyNone(ctx, "SELECT rev FROM runs WHERE id = ?", string(run.ID), run.Rev)
	})
	return run.Rev + 1, err
}

// whyNone says why a compare and swap found no row: query gives the rev of the row that key names.
func (t *tx) whyNone(ctx context.Context, query, key string, rev int64) error {
	var now int64
	if err := t.one(ctx, "read rev", query, []any{key}, &now); err != nil {
		return err
	}
	return fmt.Errorf("it has rev %d now, and the change was made to rev %d: %w", now, rev, fettle.ErrConflict)
}

// Run gives a run. It is ErrNotFound if there is none.
func (s *Store) Run(ctx context.Context, id fettle.RunID) (fettle.Run, error) {
	w := where{}
	w.addIf(true, "id = ?", string(id))
	list, err := s.runs(ctx, &w, 1)
	if err == nil && len(list) == 0 {
		err = fettle.ErrNotFound
	}
	if err != nil {
		return fettle.Run{}, s.fault(ctx, "read run "+string(id), err)
	}
	return list[0], nil
}

// Runs lists runs, the newest first. before is the ID of the last one that the caller has, empty for none. Limit zero: MaxPage.
func (s *Store) Runs(ctx context.Context, before fettle.RunID, limit int) ([]fettle.Run, error) {
	w := where{}
	w.addIf(before != "", "id < ?", string(before))
	list, err := s.runs(ctx, &w, page(limit))
	return list, s.fault(ctx, "list runs", err)
}

// GoingRuns lists all runs that have not ended, the newest first.
func (s *Store) GoingRuns(ctx context.Context) ([]fettle.Run, error) {
	w := where{}
	w.addIf(true, "ended_at = 0") // a cancelled run goes on, too, until it has been answered
	list, err := s.runs(ctx, &w, 0)
	return list, s.fault(ctx, "list going runs", err)
}

// MiscountedRuns lists the runs that ended after since and whose tally counts fewer answers than there are results: one came after the end.
func (s *Store) MiscountedRuns(ctx context.Context, since fettle.Millis) ([]fettle.RunID, error) {
	var list []fettle.RunID
	const query = "SELECT id FROM runs WHERE ended_at > ? AND tally_ok + tally_failed < (SELECT COUNT(*) FROM results WHERE results.run = runs.id)"
	err := s.reader().each(ctx, "find miscounted runs", query, []any{int64(since)}, func(rows *sql.Rows) error {
		var id fettle.RunID
		err := rows.Scan(&id)
		list = append(list, id)
		return err
	})
	return list, s.fault(ctx, "find miscounted runs", err)
}

func (s *Store) runs(ctx context.Context, w *where, limit int) ([]fettle.Run, error) {
	var list []fettle.Run
	query := "SELECT " + runColumns + " FROM runs" + w.String() + " ORDER BY id DESC" + w.limit(limit)
	err := s.reader().each(ctx, "read runs", query, w.args, func(rows *sql.Rows) error {
		var r fettle.Run
		var inputs string
		var refused, pace, plugin *string
		y := &r.Tally
		err := rows.Scan(&r.ID, &r.Action, &inputs, &r.Filter, &r.All, &r.Caller, &r.State, &y.Roster, &y.OK, &y.Failed, &y.Silent, &y.Never, &y.Pending,
			&r.Undefined, &r.Created, &r.Deadline, &r.Ended, &refused, &r.Rev,
			&pace, &r.Stopped, &r.Timeout, &r.RetryOf, &r.Standing, &plugin, &r.Remedy)
		if err != nil {
			return err
		}
		if plugin != nil {
			r.Plugin = &fettle.PluginRef{}
			if err := decode("plugin", *plugin, r.Plugin); err != nil {
				return err
			}
		}
		if pace != nil {
			r.Pace = &fettle.Pace{}
			if err := decode("pace", *pace, r.Pace); err != nil {
				return err
			}
		}
		if err := decode("refused", string(raw(refused)), &r.Refused); err != nil {
			return err
		}
		list = append(list, r)
		return decode("inputs", inputs, &list[len(list)-1].Inputs)
	})
	return list, err
}

// writeRun inserts a run and gives its inputs as they are stored.
func writeRun(ctx context.Context, t *tx, r *fettle.Run) (inputs string, err error) {
	if err := named("run id", string(r.ID), MaxID); err != nil {
		return "", err
	}
	if inputs, err = object(r.Inputs); err != nil {
		return "", fmt.Errorf("inputs: %w", err)
	}
	refused, err := optional(len(r.Refused) > 0, r.Refused)
	if err != nil {
		return "", fmt.Errorf("refused: %w", err)
	}
	pace, err := optional(r.Pace != nil, r.Pace)
	if err != nil {
		return "", fmt.Errorf("pace: %w", err)
	}
	plugin, err := optional(r.Plugin != nil, r.Plugin)
	if err != nil {
		return "", fmt.Errorf("plugin: %w", err)
	}
	if err := key("name of a standing run", r.Standing, MaxName); err != nil {
		return "", err
	}
	if err := key("check of a remedy", r.Remedy, MaxName); err != nil {
		return "", err
	}
	y := r.Tally
	_, err = t.exec(ctx, "write run", "INSERT INTO runs ("+runColumns+") VALUES "+tuples(1, 26),
		string(r.ID), text(r.Action), inputs, text(string(r.Filter)), flag(r.All), text(r.Caller), string(r.State), y.Roster, y.OK, y.Failed, y.Silent, y.Never,
		y.Pending, r.Undefined, int64(r.Created), int64(r.Deadline), int64(r.Ended), refused, int64(1),
		pace, clip(r.Stopped, MaxName), r.Timeout, string(r.RetryOf), r.Standing, plugin, r.Remedy)
	return inputs, err
}

// optional writes v as JSON where it is there, and is NULL else.
func optional(there bool, v any) (any, error) {
	if !there {
		return nil, nil
	}
	return encode(v)
}

// clip gives the beginning of a text for people, as far as it fits.
func clip(s string, limit int) string {
	if len(s) > limit {
		s = s[:limit]
	}
	return text(s)
}
