package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// TaskState tells how far a task has come. It is stored as its word.
type TaskState string

// The values of TaskState. A task that is sent or queued is unanswered; the others are its end, though a late result makes it answered.
const (
	TaskQueued    TaskState = "queued"
	TaskSent      TaskState = "sent"
	TaskAnswered  TaskState = "answered"
	TaskCancelled TaskState = "cancelled"
	TaskExpired   TaskState = "expired"
)

// NotCalled is when a task expires whose turn in a run with a pace has not come. CallTasks puts the moment itself in its place.
const NotCalled fettle.Millis = 1 << 60

// unanswered is the condition for a task from which a result may come.
const unanswered = "t.state IN ('queued', 'sent')"

// StoredTask is a task and how far it has come.
type StoredTask struct {
	fettle.Task
	State  TaskState
	Queued fettle.Millis
	Sent   fettle.Millis // when it was last sent; zero: never
	Rev    int64
}

// TaskQuery says which tasks are asked for.
type TaskQuery struct {
	Node       fettle.NodeID // empty: of all nodes
	Run        fettle.RunID  // empty: of all runs, and of none
	Unanswered fettle.Millis // those that are unanswered and expire after it; zero: all
	After      fettle.TaskID // those with a larger ID, to go on
	Limit      int           // zero: all
}

// SaveTasks keeps tasks that belong to no run, queued at queued. It is ErrConflict if one of the ids is taken.
func (s *Store) SaveTasks(ctx context.Context, tasks []fettle.Task, queued fettle.Millis) error {
	return s.write(ctx, "save tasks", func(ctx context.Context, t *tx) error { return writeTasks(ctx, t, tasks, "", queued, 0) })
}

// Tasks lists tasks by ID, which is the order in which they were made. For a node that says hello, or a server that starts, ask for what is
// unanswered now.
func (s *Store) Tasks(ctx context.Context, q TaskQuery) ([]StoredTask, error) {
	var list []StoredTask
	err := s.eachTask(ctx, q, func(t StoredTask) error { list = append(list, t); return nil })
	return list, s.fault(ctx, "list tasks", err)
}

// LoadTasks calls fn for each of the tasks that Tasks lists, while it reads them. An error of fn ends it and is given back.
func (s *Store) LoadTasks(ctx context.Context, q TaskQuery, fn func(StoredTask) error) error {
	return s.fault(ctx, "load tasks", s.eachTask(ctx, q, fn))
}

func (s *Store) eachTask(ctx context.Context, q TaskQuery, fn func(StoredTask) error) error {
	w := where{}
	w.addIf(q.Node != "", "t.node = ?", string(q.Node))
	w.addIf(q.Run != "", "t.run = ?", string(q.Run))
	w.addIf(q.Unanswered != 0, unanswered+" AND t.expires_at > ?", int64(q.Unanswered))
	w.addIf(q.After != "", "t.id > ?", string(q.After))
	query := `SELECT t.id, COALESCE(t.node, ''), t.run, t.check_name, t.check_rev, t.action, COALESCE(t.inputs, r.inputs, ''), t.timeout_ms, t.expires_at,
		t.caller, t.state, t.queued_at, t.sent_at, t.rev FROM tasks t LEFT JOIN runs r ON r.id = t.run` + w.String() + " ORDER BY t.id" + w.limit(q.Limit)
	return s.reader().each(ctx, "read tasks", query, w.args, func(rows *sql.Rows) error {
		var t StoredTask
		var inputs string
		err := rows.Scan(&t.ID, &t.Node, &t.Run, &t.Check, &t.CheckRev, &t.Action, &inputs, &t.Timeout, &t.Expires, &t.Caller, &t.State, &t.Queued, &t.Sent, &t.Rev)
		if err != nil {
			return err
		}
		if err := decode("inputs", inputs, &t.Inputs); err != nil {
			return err
		}
		return fn(t)
	})
}

// MarkSent notes that tasks were sent at a moment. Those that are answered already, or ended otherwise, stay as they are.
func (s *Store) MarkSent(ctx context.Context, ids []fettle.TaskID, at fettle.Millis) error {
	return s.write(ctx, "mark tasks as sent", func(ctx context.Context, t *tx) error {
		_, err := t.execIn(ctx, "mark sent", "UPDATE tasks SET state = 'sent', sent_at = ?, rev = rev + 1 WHERE state IN ('queued', 'sent') AND id IN %s",
			[]any{int64(at)}, stringsOf(ids))
		return err
	})
}

// CallTasks notes that the turn of tasks has come: they are sent at a moment, which is right afterwards, and expire at another. Those that are not
// queued stay as they are. MarkUnsent takes the sending back, and leaves the turn.
func (s *Store) CallTasks(ctx context.Context, ids []fettle.TaskID, at, expires fettle.Millis) error {
	return s.write(ctx, "call tasks", func(ctx context.Context, t *tx) error {
		_, err := t.execIn(ctx, "call tasks", "UPDATE tasks SET state = 'sent', sent_at = ?, expires_at = ?, rev = rev + 1 WHERE state = 'queued' AND id IN %s",
			[]any{int64(at), int64(expires)}, stringsOf(ids))
		return err
	})
}

// CancelUncalled ends the tasks of a run whose turn has not come, and tells how many they were.
func (s *Store) CancelUncalled(ctx context.Context, run fettle.RunID) (n int64, err error) {
	err = s.write(ctx, "cancel uncalled tasks of run "+string(run), func(ctx context.Context, t *tx) error {
		n, err = t.exec(ctx, "cancel uncalled tasks", "UPDATE tasks SET state = 'cancelled', rev = rev + 1 WHERE state = 'queued' AND expires_at = ? AND run = ?",
			int64(NotCalled), string(run))
		return err
	})
	return n, err
}

// MarkUnsent notes that tasks were not sent after all. Those that are answered stay as they are.
func (s *Store) MarkUnsent(ctx context.Context, ids []fettle.TaskID) error {
	return s.write(ctx, "mark tasks as not sent", func(ctx context.Context, t *tx) error {
		_, err := t.execIn(ctx, "mark unsent", `UPDATE tasks SET sent_at = 0, state = CASE state WHEN 'sent' THEN 'queued' ELSE state END, rev = rev + 1
			WHERE state IN ('sent', 'cancelled', 'expired') AND id IN %s`, nil, stringsOf(ids))
		return err
	})
}

// CancelRunTasks ends all unanswered tasks of a run, and tells how many they were.
func (s *Store) CancelRunTasks(ctx context.Context, run fettle.RunID) (n int64, err error) {
	err = s.write(ctx, "cancel tasks of run "+string(run), func(ctx context.Context, t *tx) error {
		n, err = t.exec(ctx, "cancel tasks", "UPDATE tasks SET state = 'cancelled', rev = rev + 1 WHERE state IN ('queued', 'sent') AND run = ?", string(run))
		return err
	})
	return n, err
}

// CancelTasks ends those of ids that are unanswered, and tells how many they were.
func (s *Store) CancelTasks(ctx context.Context, ids []fettle.TaskID) (n int64, err error) {
	err = s.write(ctx, "cancel tasks", func(ctx context.Context, t *tx) error {
		n, err = t.execIn(ctx, "cancel tasks", "UPDATE tasks SET state = 'cancelled', rev = rev + 1 WHERE state IN ('queued', 'sent') AND id IN %s", nil, stringsOf(ids))
		return err
	})
	return n, err
}

// ExpireTasks ends all unanswered tasks that expire at now or before, and tells how many they were.
func (s *Store) ExpireTasks(ctx context.Context, now fettle.Millis) (n int64, err error) {
	err = s.write(ctx, "expire tasks", func(ctx context.Context, t *tx) error {
		n, err = t.exec(ctx, "expire tasks", "UPDATE tasks SET state = 'expired', rev = rev + 1 WHERE state IN ('queued', 'sent') AND expires_at <= ?", int64(now))
		return err
	})
	return n, err
}

// RunTally counts what became of the tasks of a run by now: one without a result is pending while it can still be answered, afterwards silent
// if it was sent and never if not.
func (s *Store) RunTally(ctx context.Context, run fettle.RunID) (fettle.Tally, error) {
	var y fettle.Tally
	err := s.reader().each(ctx, "tally run", `SELECT t.state IN ('queued', 'sent'), t.sent_at > 0, r.status, COUNT(*)
		FROM tasks t LEFT JOIN results r ON r.task = t.id WHERE t.run = ? GROUP BY 1, 2, 3`, []any{string(run)}, func(rows *sql.Rows) error {
		var open, sent bool
		var status *int
		var n int
		if err := rows.Scan(&open, &sent, &status, &n); err != nil {
			return err
		}
		y.Roster += n
		switch {
		case status != nil && *status == int(fettle.StatusOK):
			y.OK += n
		case status != nil:
			y.Failed += n
		case open:
			y.Pending += n
		case sent:
			y.Silent += n
		default:
			y.Never += n
		}
		return nil
	})
	return y, s.fault(ctx, "tally run "+string(run), err)
}

// writeTasks inserts tasks, as sent where sent is not zero. runInputs are those of their run, as stored: what is the same is not kept again for
// every node.
func writeTasks(ctx context.Context, t *tx, tasks []fettle.Task, runInputs string, queued, sent fettle.Millis) error {
	state := TaskQueued
	if sent != 0 {
		state = TaskSent
	}
	inputs := make([]any, len(tasks))
	for i := range tasks {
		own, err := taskInputs(&tasks[i])
		if err != nil {
			return fmt.Errorf("task %s: %w", text(string(tasks[i].ID)), err)
		}
		if inputs[i] = own; own == runInputs {
			inputs[i] = nil
		}
	}
	const head = "INSERT INTO tasks (id, node, pool, requires, run, check_name, check_rev, step, action, inputs, timeout_ms, expires_at, owner, workspace, " +
		"caller, state, queued_at, sent_at, rev)"
	_, err := t.insert(ctx, "write tasks", head, "", len(tasks), func(args []any, i int) []any {
		k := &tasks[i]
		return append(args, string(k.ID), string(k.Node), "", "", string(k.Run), k.Check, k.CheckRev, "", text(k.Action), inputs[i], k.Timeout, int64(k.Expires),
			"", "", text(k.Caller), string(state), int64(queued), int64(sent), int64(1))
	})
	return err
}

// taskInputs checks the keys of a task and gives its inputs as they are stored.
func taskInputs(k *fettle.Task) (string, error) {
	if err := named("task id", string(k.ID), MaxID); err != nil {
		return "", err
	}
	if err := named("identity", string(k.Node), fettle.MaxIdentity); err != nil {
		return "", err
	}
	if err := key("run id", string(k.Run), MaxID); err != nil {
		return "", err
	}
	if err := key("check", k.Check, MaxName); err != nil {
		return "", err
	}
	return object(k.Inputs)
}

// stringsOf gives ids as plain strings.
func stringsOf[T ~string](ids []T) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return list
}
