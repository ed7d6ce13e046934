package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"

	"github.com/fettle-dev/fettle"
)

// StoredResult is a result and when it came.
type StoredResult struct {
	fettle.Result
	Seq      int64         // grows in the order in which results were committed
	Received fettle.Millis // by the server's clock
}

const resultColumns = "task, node, run, action, status, message, data, output, at, took_ms, check_name, check_rev, merged, received_at"

// Result gives the result of a task. It is ErrNotFound if there is none yet.
func (s *Store) Result(ctx context.Context, task fettle.TaskID) (StoredResult, error) {
	w := where{}
	w.addIf(true, "task = ?", string(task))
	list, err := s.results(ctx, &w, 1)
	if err == nil && len(list) == 0 {
		err = fettle.ErrNotFound
	}
	if err != nil {
		return StoredResult{}, s.fault(ctx, "read result of task "+string(task), err)
	}
	return list[0], nil
}

// RunResults lists the results of a run in the order in which they came. after is the Seq of the last one that the caller has, zero for none.
// Limit zero: MaxPage.
func (s *Store) RunResults(ctx context.Context, run fettle.RunID, after int64, limit int) ([]StoredResult, error) {
	w := where{}
	w.addIf(true, "run = ?", string(run))
	w.addIf(after != 0, "seq > ?", after)
	list, err := s.results(ctx, &w, page(limit))
	return list, s.fault(ctx, "list results of run "+string(run), err)
}

func (s *Store) results(ctx context.Context, w *where, limit int) ([]StoredResult, error) {
	var list []StoredResult
	query := "SELECT seq, " + resultColumns + " FROM results" + w.String() + " ORDER BY seq" + w.limit(limit)
	err := s.reader().each(ctx, "read results", query, w.args, func(rows *sql.Rows) error {
		var r StoredResult
		var data, output *string
		err := rows.Scan(&r.Seq, &r.Task, &r.Node, &r.Run, &r.Action, &r.Status, &r.Message, &data, &output, &r.At, &r.TookMS, &r.Check, &r.CheckRev,
			&r.Count, &r.Received)
		if err != nil {
			return err
		}
		if data != nil {
			if err := decode("data", *data, &r.Data); err != nil {
				return err
			}
		}
		if output != nil {
			if err := decode("output", *output, &r.Output); err != nil {
				return err
			}
		}
		list = append(list, r)
		return nil
	})
	return list, err
}

// resultRow is what has to be encoded of a result.
type resultRow struct{ data, output any }

// writeResults inserts the results whose tasks have none, marks those tasks as answered, and tells for each whether it was new. A task that is
// answered twice in rs has its first result.
//
// No row is looked up before: the database drops the duplicates, and only if it says that it dropped some, the rows are asked which of them
// this commit brought. Of two commits at the same time one wins each task, whichever server it belongs to.
func writeResults(ctx context.Context, t *tx, rs []fettle.Result, received fettle.Millis) ([]bool, error) {
	news := make([]bool, len(rs))
	first := make([]int, 0, len(rs)) // indexes into rs
	rows := make([]resultRow, 0, len(rs))
	seen := make(map[fettle.TaskID]bool, len(rs))
	for i := range rs {
		if seen[rs[i].Task] {
			continue
		}
		row, err := rowOf(&rs[i])
		if err != nil {
			return nil, fmt.Errorf("result of task %s: %w", text(string(rs[i].Task)), err)
		}
		seen[rs[i].Task] = true
		first, rows = append(first, i), append(rows, row)
	}
	batch := rand.Int64()
	n, err := t.insert(ctx, "write results", "INSERT INTO results ("+resultColumns+", batch)", t.s.d.keep("task"), len(first), func(args []any, i int) []any {
		r := &rs[first[i]]
		return append(args, string(r.Task), string(r.Node), string(r.Run), text(r.Action), int64(r.Status), text(r.Message), rows[i].data, rows[i].output,
			int64(r.At), r.TookMS, r.Check, r.CheckRev, r.Count, int64(received), batch)
	})
	if err != nil {
		return nil, err
	}
	tasks := make([]string, len(first))
	for i, at := range first {
		tasks[i] = string(rs[at].Task)
	}
	brought := seen
	if n != int64(len(first)) {
		if brought, err = ofBatch(ctx, t, tasks, batch); err != nil {
			return nil, err
		}
	}
	for _, i := range first {
		news[i] = brought[rs[i].Task]
	}
	_, err = t.execIn(ctx, "mark answered", "UPDATE tasks SET state = 'answered', rev = rev + 1 WHERE state <> 'answered' AND id IN %s", nil, tasks)
	return news, err
}

// ofBatch tells which of tasks have the result that batch brought.
func ofBatch(ctx context.Context, t *tx, tasks []string, batch int64) (map[fettle.TaskID]bool, error) {
	brought := map[fettle.TaskID]bool{}
	err := t.parts(tasks, func(list string, values []any) error {
		query := "SELECT task FROM results WHERE batch = ? AND task IN " + list
		return t.each(ctx, "read new results", query, append([]any{batch}, values...), func(rows *sql.Rows) error {
			var id fettle.TaskID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			brought[id] = true
			return nil
		})
	})
	return brought, err
}

// rowOf checks the keys of a result and encodes its objects.
func rowOf(r *fettle.Result) (row resultRow, err error) {
	if err := named("task id", string(r.Task), MaxID); err != nil {
		return row, err
	}
	if err := named("identity", string(r.Node), fettle.MaxIdentity); err != nil {
		return row, err
	}
	if err := key("run id", string(r.Run), MaxID); err != nil {
		return row, err
	}
	if err := key("check", r.Check, MaxName); err != nil {
		return row, err
	}
	if r.Data != nil {
		if row.data, err = encode(r.Data); err != nil {
			return row, err
		}
	}
	if r.Output != nil {
		row.output, err = encode(r.Output)
	}
	return row, err
}
