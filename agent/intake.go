package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// maxHeld bounds what waits for the first welcome: the rest of the prefetch is left for the welcome itself, which may stand behind a crowd of tasks.
const maxHeld = prefetch / 2

// maxReplays bounds the ids of messages that are remembered, so that none is acted upon twice: as many as a node is sent in a busy hour.
const maxReplays = 1024

// receive takes a message from the server. Nothing is done because of one that is not signed by a server's key. What is not acknowledged comes
// again.
func (a *Agent) receive(ctx context.Context, d *wire.Delivery) {
	a.meters.received.Inc()
	env, err := a.open(d.Message)
	if err != nil {
		a.refuse(err)
		a.ack(d)
		return
	}
	if env.Type == wire.TypeWelcome {
		a.welcome(ctx, env, d)
		return
	}
	now := a.clock.now()
	if now == 0 {
		if len(a.held) < maxHeld {
			a.held = append(a.held, d) // its expiry cannot be judged yet
			return
		}
		a.ack(d) // what of it is still wanted is sent again behind the welcome
		return
	}
	if err = a.fresh(env, now); err != nil {
		a.refuse(err)
		a.ack(d)
		return
	}
	if a.dispatch(ctx, env, d) {
		a.replays.Note(env.ID, env.At, env.Expires, now)
	}
}

// open reads a message and tells whether a server sent it to this node.
func (a *Agent) open(m wire.Message) (wire.Envelope, error) {
	env, err := wire.Open(m, a.self, 0)
	if err != nil {
		return env, err
	}
	return env, a.addressed(env)
}

// fresh tells whether a message is neither too old nor known.
func (a *Agent) fresh(env wire.Envelope, now fettle.Millis) error {
	if now > env.Expires {
		return fmt.Errorf("%s %s: %w", env.Type, env.ID, wire.ErrExpired)
	}
	if err := a.replays.Check(env.ID, env.At); err != nil {
		return fmt.Errorf("%w: %w", err, errReplayed)
	}
	return nil
}

// welcome takes an answer to a hello of this connection. An older one, said again by whoever holds the broker, would set the clock back, and what has
// expired would be done.
func (a *Agent) welcome(ctx context.Context, env wire.Envelope, d *wire.Delivery) {
	defer a.ack(d)
	var w wire.Welcome
	if !a.decode(env, &w) {
		return
	}
	err := a.replays.Check(env.ID, env.At)
	if err == nil && !slices.Contains(a.said, w.Hello) {
		err = fmt.Errorf("a welcome to another hello: %w", fettle.ErrDenied)
	}
	if err != nil {
		a.refuse(fmt.Errorf("%w: %w", err, errReplayed))
		return
	}
	if err := a.self.told(d.Message, max(w.Time, env.At)); errors.Is(err, fettle.ErrDenied) {
		a.refuse(err)
		return
	} else if err != nil {
		a.log.Warn("the key file cannot be written", "err", err)
	}
	a.replays.Note(env.ID, env.At, env.Expires, env.At)
	a.onWelcome(ctx, w)
}

// addressed tells whether the message is for this node.
func (a *Agent) addressed(env wire.Envelope) error {
	if env.From != wire.Server {
		return fmt.Errorf("a %s from %s, which is no server: %w", env.Type, env.From, fettle.ErrDenied)
	}
	if env.To != string(a.cfg.Identity) && (env.To != "" || env.Type == wire.TypeWelcome) {
		return fmt.Errorf("a %s for %q: %w", env.Type, env.To, fettle.ErrDenied)
	}
	if env.Collective != "" && env.Collective != cmp.Or(a.cfg.Collective, wire.DefaultCollective) {
		return fmt.Errorf("a %s of the collective %q: %w", env.Type, env.Collective, fettle.ErrDenied)
	}
	return nil
}

// dispatch does what a message says, and tells whether it need not come again.
func (a *Agent) dispatch(ctx context.Context, env wire.Envelope, d *wire.Delivery) bool {
	switch env.Type {
	case wire.TypeTask:
		var t fettle.Task
		if a.decode(env, &t) {
			return a.take(ctx, env, t, d)
		}
	case wire.TypeCancel:
		var c wire.Cancel
		if a.decode(env, &c) && !a.cancel(ctx, c) {
			return false
		}
	case wire.TypeChecks:
		var set wire.Checks
		if a.decode(env, &set) {
			if err := a.checks.replace(set); err != nil {
				a.log.Warn("the checks that were sent", "err", err)
			}
			a.keepChecks()
		}
	case wire.TypeAsk:
		var ask wire.Ask
		if a.decode(env, &ask) {
			if a.facts.full = a.facts.full || ask.Facts; ask.Hello {
				a.greeted = time.Time{}
			}
			if ask.Rotate {
				a.rotate()
			}
			a.question(ctx, env, ask.Filter)
		}
	case wire.TypePiece:
		var p wire.Piece
		if a.decode(env, &p) {
			a.onPiece(p)
		}
	case wire.TypeEnrolled:
		var e wire.Enrolled
		if a.decode(env, &e) {
			a.onEnrolled(ctx, e)
		}
	default:
		a.log.Debug("a message of a type that is not known", "type", string(env.Type))
	}
	a.ack(d)
	return true
}

func (a *Agent) decode(env wire.Envelope, v any) bool {
	if err := env.Decode(v); err != nil {
		a.refuse(err)
		return false
	}
	return true
}

// ack says that a message need not come again. When it cannot be said, it comes again, and is known.
func (a *Agent) ack(d *wire.Delivery) {
	if d == nil {
		return
	}
	if err := d.Ack(); err != nil {
		a.log.Debug("not acknowledged", "err", err)
	}
}

// take takes a task, or says why not. It is acknowledged when it is durably noted, or at once when it is idempotent: what the server has no
// result of, it sends again on every hello, and a node that works for long must not look like one that has stopped reading. It tells whether the
// task need not come again.
func (a *Agent) take(ctx context.Context, env wire.Envelope, t fettle.Task, d *wire.Delivery) bool {
	now := a.clock.now()
	if t.Expires == 0 || t.Expires > env.Expires {
		t.Expires = env.Expires
	}
	// A task for everyone would need a filter that says for whom; without one, nobody is meant.
	if env.To == "" || t.ID == "" || len(t.ID) > 64 || t.Node != "" && t.Node != a.cfg.Identity {
		a.refuse(fmt.Errorf("a task %.64q for %.64q: %w", t.ID, t.Node, fettle.ErrInvalid))
		a.ack(d)
		return true
	}
	t.Node = a.cfg.Identity
	if a.stopping || a.cfg.Trial {
		return false
	}
	if a.known(t.ID) || now > t.Expires {
		a.ack(d)
		return true
	}
	a.meters.tasks.Inc()
	j := &job{task: t, delivery: d}
	if a.ledger.phase(t.ID) == phaseCancelled {
		a.forgo(ctx, j, Outcome{Status: fettle.StatusCancelled, Message: "cancelled before it came"})
		return true
	}
	manifest, err := a.actions.Manifest(t.Action, t.Plugin)
	if err != nil && t.Plugin == nil {
		j.idempotent = true
		a.forgo(ctx, j, Outcome{Status: fettle.StatusUnknownAction, Message: fmt.Sprintf("this node has no action %q", t.Action)})
		return true
	}
	j.idempotent = manifest.Idempotent
	if !j.idempotent && a.spool.Full() {
		a.forgo(ctx, j, refusal("the node's spool is full, its results have to arrive first"))
		return true
	}
	a.admit(ctx, j, manifest.Slotless)
	return true
}

// known tells whether a task was taken before.
func (a *Agent) known(id fettle.TaskID) bool {
	switch a.ledger.phase(id) {
	case phaseQueued, phaseBegun, phaseForgone, phaseDone:
		return true
	}
	return a.tasks.known(id) || a.spool.Has(string(id))
}

// cancel takes tasks back, those too that have not come yet. It tells whether that is noted.
func (a *Agent) cancel(ctx context.Context, c wire.Cancel) bool {
	noted := true
	for _, id := range c.Tasks {
		if id == "" || len(id) > 64 {
			continue
		}
		if j := a.tasks.unqueue(id); j != nil {
			if !a.forgo(ctx, j, Outcome{Status: fettle.StatusCancelled, Message: "cancelled before it was begun"}) {
				noted = false
			}
			continue
		}
		if a.tasks.cancel(id, errCancelled) || a.known(id) {
			continue
		}
		if err := a.ledger.cancelled(id, a.clock.now()); err != nil {
			a.log.Warn("a cancel cannot be noted", "task", string(id), "err", err)
			noted = false
		}
	}
	return noted
}

func refusal(why string) Outcome { return Outcome{Status: fettle.StatusRefused, Message: why} }

// resume queues, once the time is known, what waited for a slot when the agent was killed.
func (a *Agent) resume() {
	if a.cfg.Trial {
		return
	}
	for _, n := range a.ledger.in(phaseQueued) {
		if a.tasks.known(n.ID) || n.Task == nil {
			continue
		}
		j := &job{task: *n.Task, noted: true}
		manifest, err := a.actions.Manifest(n.Task.Action, n.Task.Plugin)
		if err != nil && n.Task.Plugin == nil || a.clock.now() > n.Task.Expires {
			a.drop(j)
			continue
		}
		j.idempotent = manifest.Idempotent
		a.tasks.push(j, a.tasks.lane(j, manifest.Slotless))
	}
}

// recover reports, before anything else happens, what was begun, or is not executed, and has no result.
func (a *Agent) recover(ctx context.Context) {
	if a.cfg.Trial {
		return
	}
	var fates map[fettle.TaskID]string
	if a.cfg.Remains != nil {
		fates = a.cfg.Remains(ctx)
	}
	for _, n := range a.ledger.in(phaseForgone) {
		if n.Task != nil {
			a.report(ctx, n)
		}
	}
	for _, n := range a.ledger.in(phaseBegun) {
		if n.Task == nil {
			continue
		}
		j := &job{task: *n.Task}
		if !a.spool.Has(string(n.ID)) {
			out := Outcome{Status: fettle.StatusInterrupted, Message: "the agent died while this ran: the outcome is unknown"}
			if fate := fates[n.ID]; fate != "" {
				out.Message += "; " + fate
			}
			if a.cfg.Recovered != nil {
				if known, is := a.cfg.Recovered(n.ID); is {
					out = known
				}
			}
			r := a.result(j.task, out, n.At.Time())
			r.TookMS = 0
			if !a.keep(context.WithoutCancel(ctx), j, r) {
				continue
			}
			if out.Status == fettle.StatusInterrupted {
				a.log.Warn("a task was interrupted", "task", string(n.ID), "action", n.Task.Action, "begun", n.At.Time().Format(time.RFC3339))
			}
			continue
		}
		a.drop(j)
	}
}
