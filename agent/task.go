package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

var errCancelled = errors.New("cancelled")

// ErrStopped is the cause of the end of a context that an action was given, when the agent stops. There is less time then than otherwise.
var ErrStopped = errors.New("the agent was stopped")

// job is a task that was taken.
type job struct {
	task       fettle.Task
	idempotent bool
	delivery   *wire.Delivery          // still to be acknowledged; nil: it is
	noted      bool                    // it is in the ledger
	outcome    Outcome                 // of a task that is forgone
	lane       *lane                   // where it runs
	cancel     context.CancelCauseFunc // nil: it does not run yet
}

// lane is a set of slots, and what waits for them.
type lane struct {
	slots, busy int
	queue       []*job
}

// taskTable holds the tasks that have no result yet. It belongs to the loop.
type taskTable struct {
	jobs    map[fettle.TaskID]*job
	runs    *lane                  // of runs
	checks  *lane                  // of checks that are asked for now
	light   *lane                  // of actions that take no slot
	limit   int                    // of each queue
	forgone map[fettle.TaskID]*job // not executed, and the ledger does not say so yet
	recent  []fettle.TaskID
	ended   map[fettle.TaskID]bool // those in recent
}

// maxLight bounds the goroutines of actions that take no slot.
const maxLight = 64

// maxRecent is how many tasks whose result has arrived are known beside those in the ledger, so that a message that comes twice is not two
// results: no more messages can come again than were on their way.
const maxRecent = prefetch

func newTaskTable(cfg Config) taskTable {
	return taskTable{
		jobs: map[fettle.TaskID]*job{}, forgone: map[fettle.TaskID]*job{}, ended: map[fettle.TaskID]bool{}, limit: cfg.Queue,
		runs: &lane{slots: cfg.RunSlots}, checks: &lane{slots: cfg.CheckSlots}, light: &lane{slots: maxLight},
	}
}

func (t *taskTable) known(id fettle.TaskID) bool {
	return t.jobs[id] != nil || t.forgone[id] != nil || t.ended[id]
}

func (t *taskTable) busy() int { return t.runs.busy + t.checks.busy }

// running gives the actions with a busy filter that go here now, whoever began them.
func (a *Agent) running() []string {
	names := slices.Clone(a.actions.Going())
	for _, j := range a.tasks.jobs {
		if m, err := a.actions.Manifest(j.task.Action, j.task.Plugin); err == nil && m.Busy != "" && j.cancel != nil {
			names = append(names, j.task.Action)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// lane gives the slots that a job takes one of.
func (t *taskTable) lane(j *job, slotless bool) *lane {
	switch {
	case slotless:
		return t.light
	case j.task.Check != "":
		return t.checks
	}
	return t.runs
}

// push queues a job.
func (t *taskTable) push(j *job, l *lane) {
	j.lane = l
	t.jobs[j.task.ID] = j
	l.queue = append(l.queue, j)
}

// unqueue takes a job away that has not begun; nil if there is none.
func (t *taskTable) unqueue(id fettle.TaskID) *job {
	j := t.jobs[id]
	if j == nil || j.cancel != nil {
		return nil
	}
	for i, q := range j.lane.queue {
		if q == j {
			j.lane.queue = append(j.lane.queue[:i:i], j.lane.queue[i+1:]...)
			break
		}
	}
	delete(t.jobs, id)
	return j
}

// cancel ends a job that runs, and tells whether there is one.
func (t *taskTable) cancel(id fettle.TaskID, why error) bool {
	j := t.jobs[id]
	if j == nil || j.cancel == nil {
		return false
	}
	j.cancel(why)
	return true
}

// interrupt ends all that runs.
func (t *taskTable) interrupt() {
	for id := range t.jobs {
		t.cancel(id, ErrStopped)
	}
}

// end takes a job away whose result is kept.
func (t *taskTable) end(j *job) {
	j.lane.busy--
	delete(t.jobs, j.task.ID)
}

// arrived notes that a task's result has its receipt.
func (t *taskTable) arrived(id fettle.TaskID) {
	if t.ended[id] {
		return
	}
	t.recent = append(t.recent, id)
	t.ended[id] = true
	if len(t.recent) > maxRecent {
		delete(t.ended, t.recent[0])
		t.recent = t.recent[1:]
	}
}

// admit queues a task, and notes it if it has to wait.
func (a *Agent) admit(ctx context.Context, j *job, slotless bool) {
	l := a.tasks.lane(j, slotless)
	ahead := l.busy + len(l.queue)
	if ahead >= l.slots+a.tasks.limit {
		a.forgo(ctx, j, refusal(fmt.Sprintf("%d tasks wait on this node already", a.tasks.limit)))
		return
	}
	if ahead < l.slots && j.task.Plugin == nil {
		a.tasks.push(j, l) // it begins at once
		return
	}
	// What needs a plugin may have to fetch it, and pieces come only when the broker may send more than what is unacknowledged.
	if !j.idempotent {
		if err := a.ledger.queued(j.task); err != nil {
			a.forgo(ctx, j, refusal("the node cannot note the task: "+err.Error()))
			return
		}
		j.noted = true
	}
	a.tasks.push(j, l)
	a.ack(j.delivery)
	j.delivery = nil
}

// startTasks begins what waits, as far as there are slots.
func (a *Agent) startTasks(ctx context.Context) {
	for _, l := range []*lane{a.tasks.light, a.tasks.checks, a.tasks.runs} {
		for l.busy < l.slots && len(l.queue) > 0 {
			j := l.queue[0]
			l.queue = l.queue[1:]
			if a.clock.now() > j.task.Expires {
				delete(a.tasks.jobs, j.task.ID)
				a.drop(j)
				continue
			}
			l.busy++
			a.start(ctx, j)
		}
		if len(l.queue) == 0 {
			l.queue = nil
		}
	}
}

// start runs a job in its own goroutine. The action is not ended by the loop's end, but by stop.
func (a *Agent) start(ctx context.Context, j *job) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	j.cancel = cancel
	a.workers.Go(func() {
		defer cancel(nil)
		a.work(ctx, j)
		a.inbox.put(func(context.Context) { a.tasks.end(j) })
	})
}

// work executes a task and keeps its result.
func (a *Agent) work(ctx context.Context, j *job) {
	if out := a.prepare(ctx, j); out != nil {
		if why := context.Cause(ctx); errors.Is(why, errCancelled) {
			*out = Outcome{Status: fettle.StatusCancelled, Message: "cancelled before it was begun"}
		} else if errors.Is(why, ErrStopped) {
			return // it stays queued in the ledger, and is taken up by the next process
		}
		a.inbox.put(func(ctx context.Context) { a.forgo(ctx, j, *out) })
		return
	}
	began := time.Now()
	if !j.idempotent {
		if err := a.ledger.begun(j.task, fettle.MillisOf(began)); err != nil {
			a.inbox.put(func(ctx context.Context) {
				a.ledger.refused(j.task)
				j.idempotent = !j.noted // nothing is in the ledger, so there is nothing to strike out
				a.forgo(ctx, j, refusal("the node cannot note the task: "+err.Error()))
			})
			return
		}
	}
	a.ack(j.delivery)
	a.auditBegun(j.task, began)
	out := a.do(ctx, j.task)
	if out.Later {
		return // the ledger has that it was begun, and the process that follows asks what became of it
	}
	if why := context.Cause(ctx); why != nil && out.Status != fettle.StatusOK {
		if out.Status, out.Message = fettle.StatusCancelled, "cancelled while it ran"; errors.Is(why, ErrStopped) {
			out.Status, out.Message = fettle.StatusInterrupted, "the agent was stopped while this ran, and ended it: the outcome is unknown"
		}
	}
	a.keep(context.WithoutCancel(ctx), j, a.result(j.task, out, began))
}

// do has the action done. A panic in it costs its own task only.
func (a *Agent) do(ctx context.Context, t fettle.Task) (out Outcome) {
	defer func() {
		if p := recover(); p != nil {
			a.log.Error("an action panicked", "action", t.Action, "task", string(t.ID), "err", fmt.Sprint(p), "stack", string(debug.Stack()))
			out = Outcome{Status: fettle.StatusOther, Message: "the action failed for an internal reason; the node's log has it"}
		}
	}()
	inputs, err := a.self.open(t) // what is sealed is opened here, and is nowhere on disk
	if err != nil {
		return refusal(err.Error())
	}
	call := Call{
		Action: t.Action, Inputs: inputs, Timeout: time.Duration(t.Timeout) * time.Millisecond,
		Task: t.ID, Caller: t.Caller, Check: t.Check, Plugin: t.Plugin,
	}
	if t.Check == "" {
		s := a.stream(t.ID)
		defer s.end()
		call.Stream = s.add
	}
	return a.actions.Do(ctx, call)
}

// result puts together what a task gave. A zero began: it never was.
func (a *Agent) result(t fettle.Task, out Outcome, began time.Time) fettle.Result {
	r := fettle.Result{
		Task: t.ID, Node: a.cfg.Identity, Run: t.Run, Action: t.Action, Status: out.Status, Message: out.Message, Data: out.Data,
		At: fettle.MillisOf(began), Check: t.Check, CheckRev: t.CheckRev, Output: out.Output,
	}
	if !began.IsZero() {
		r.TookMS = time.Since(began).Milliseconds()
	}
	return r
}

// maxResult bounds a result in JSON; a larger one is cut down to what happened.
const maxResult = 512 << 10

// encodeResult writes r, without its data if they are no JSON or too large.
func encodeResult(r fettle.Result) []byte {
	raw, err := json.Marshal(r)
	if err == nil && len(raw) <= maxResult {
		return raw
	}
	why := fmt.Sprintf("its data have %d bytes, and %d are allowed", len(raw), maxResult)
	if err != nil {
		why = "its data cannot be written: " + err.Error()
	}
	r.Data = nil
	r.Message = cut(r.Message, 4096) + " (" + why + ")"
	if r.Output != nil {
		r.Output = &fettle.CheckOutput{Code: r.Output.Code, Line: cut(r.Output.Line, 4096)}
	}
	raw, _ = json.Marshal(r) // text and numbers only: it cannot fail
	return raw
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "…"
}

// keep puts a result into the spool and strikes the task out of the ledger; it tells whether the result is on disk, or need not be.
func (a *Agent) keep(ctx context.Context, j *job, r fettle.Result) bool {
	a.auditEnded(j.task, r)
	e := wire.Entry{ID: string(r.Task), Class: wire.ClassResult, Body: encodeResult(r), Volatile: j.idempotent}
	err := a.spool.Put(ctx, e)
	if errors.Is(err, wire.ErrFull) && !e.Volatile {
		e.Volatile = true
		_ = a.spool.Put(ctx, e) // it is sent if that is possible before the agent ends
	}
	if err != nil {
		a.log.Warn("a result is not kept on disk", "task", string(r.Task), "err", err)
		return false
	}
	a.meters.results.Inc()
	a.drop(j)
	return true
}

// drop strikes a task out of the ledger.
func (a *Agent) drop(j *job) {
	if j.idempotent {
		return
	}
	if err := a.ledger.done(j.task); err != nil {
		a.log.Warn("the ledger cannot be written", "task", string(j.task.ID), "err", err)
	}
}
