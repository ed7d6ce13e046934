package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// OutputChunk is a piece of what a task printed. One that is there already is dropped.
type OutputChunk struct {
	Task     fettle.TaskID
	Stream   string // stdout, stderr
	Seq      int64  // within the task and stream, from 0 or 1
	Received fettle.Millis
	Body     string
}

// Output lists the chunks of a task by stream and Seq. after is the last one that the caller has; the zero value: none. Limit zero: MaxPage.
func (s *Store) Output(ctx context.Context, task fettle.TaskID, after OutputChunk, limit int) ([]OutputChunk, error) {
	w := where{}
	w.addIf(true, "task = ?", string(task))
	w.addIf(after.Stream != "", "(stream > ? OR stream = ? AND seq > ?)", after.Stream, after.Stream, after.Seq)
	var list []OutputChunk
	query := "SELECT task, stream, seq, received_at, body FROM output_chunks" + w.String() + " ORDER BY stream, seq" + w.limit(page(limit))
	err := s.reader().each(ctx, "read output", query, w.args, func(rows *sql.Rows) error {
		var c OutputChunk
		if err := rows.Scan(&c.Task, &c.Stream, &c.Seq, &c.Received, &c.Body); err != nil {
			return err
		}
		list = append(list, c)
		return nil
	})
	return list, s.fault(ctx, "list output of task "+string(task), err)
}

func writeOutput(ctx context.Context, t *tx, cs []OutputChunk) error {
	for i := range cs {
		if err := named("task id", string(cs[i].Task), MaxID); err != nil {
			return fmt.Errorf("output: %w", err)
		}
		if err := named("stream", cs[i].Stream, MaxName); err != nil {
			return fmt.Errorf("output of task %s: %w", cs[i].Task, err)
		}
	}
	const head = "INSERT INTO output_chunks (task, stream, seq, received_at, body)"
	_, err := t.insert(ctx, "write output", head, t.s.d.keep("task, stream, seq"), len(cs), func(args []any, i int) []any {
		return append(args, string(cs[i].Task), cs[i].Stream, cs[i].Seq, int64(cs[i].Received), text(cs[i].Body))
	})
	return err
}
