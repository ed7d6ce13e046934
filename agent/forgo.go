package agent

import (
	"context"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// forgo gives a result to a task that is not executed and will never be. A task that the ledger knows as queued would be begun by the agent that
// starts after a kill: the result is not reported before the ledger has it on disk that it is not. It tells whether it has.
func (a *Agent) forgo(ctx context.Context, j *job, out Outcome) bool {
	if !j.idempotent {
		a.ledger.refused(j.task)
	}
	if j.noted {
		if err := a.ledger.forgone(j.task, out.Status); err != nil {
			a.log.Warn("the ledger cannot be written", "task", string(j.task.ID), "err", err)
			j.outcome = out
			a.tasks.forgone[j.task.ID] = j
			return false
		}
	}
	a.keep(context.WithoutCancel(ctx), j, a.result(j.task, out, time.Time{}))
	a.ack(j.delivery)
	return true
}

// settle tries again to note what is not executed, and could not be noted.
func (a *Agent) settle(ctx context.Context) {
	for id, j := range a.tasks.forgone {
		if !a.forgo(ctx, j, j.outcome) {
			return // the disk is still full
		}
		delete(a.tasks.forgone, id)
	}
}

// report gives its result to a task that was noted as not to be executed by an agent that was killed.
func (a *Agent) report(ctx context.Context, n note) {
	j := &job{task: *n.Task}
	if a.spool.Has(string(n.ID)) {
		a.drop(j)
		return
	}
	out := Outcome{Status: n.Status, Message: "it was not begun; the agent died before it could say why"}
	a.keep(context.WithoutCancel(ctx), j, a.result(j.task, out, time.Time{}))
}

// forgone notes, on disk, that a queued task is not executed, and the status that its result has. Inputs need not be there any more.
func (l *ledger) forgone(t fettle.Task, status fettle.Status) error {
	t.Inputs = nil
	return l.write(note{ID: t.ID, Phase: phaseForgone, Until: t.Expires.Add(remember), Status: status, Task: &t}, true)
}
