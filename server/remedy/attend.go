package remedy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// minWatch is how long it is watched at least whether a state becomes ok.
const minWatch = time.Minute

// attend takes everything that goes on a step further. What cannot be done for one does not keep the others; the first of such faults is given.
func (r *Remedies) attend(ctx context.Context) error {
	now := fettle.MillisOf(r.Now())
	r.book.tidy(now)
	var first error
	all := map[string]known{}
	for _, one := range r.book.inOrder() {
		k, err := r.know(ctx, one.Check, all)
		switch {
		case err != nil:
		case one.Phase == fettle.RemedyWaiting:
			err = r.consider(ctx, one, k, now)
		case one.Phase == fettle.RemedyRunning:
			err = r.followRun(ctx, one, now)
		case one.Phase == fettle.RemedyWatching:
			err = r.watch(ctx, one, k, now)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && first == nil {
			first = fmt.Errorf("remedy %d, of %s on %s: %w", one.Seq, one.Check, one.Node, err)
		}
	}
	return first
}

// known is what one look asks about a check once, however many of its remedies wait.
type known struct {
	kept    fettle.KeptCheck
	remedy  *fettle.Remedy // with nothing left open; nil: it has none
	allowed int            // nodes within an hour
	fresh   fettle.Span    // for how long a state counts
}

// know gives what is known of a check.
func (r *Remedies) know(ctx context.Context, check string, all map[string]known) (known, error) {
	if k, is := all[check]; is {
		return k, nil
	}
	kept, err := r.Fleet.CheckDefinition(ctx, check)
	if err != nil && !errors.Is(err, fettle.ErrNotFound) {
		return known{}, err
	}
	k := known{kept: kept}
	if err == nil && kept.OnChange != nil {
		whole := checks.Remedied(*kept.OnChange)
		nodes, fresh, err := r.Fleet.CheckSize(ctx, check)
		if err != nil {
			return k, err
		}
		k.remedy, k.fresh = &whole, fresh
		if k.allowed, err = checks.NodesAllowed(whole.NodesPerHour, nodes); err != nil {
			return k, err
		}
	}
	all[check] = k
	return k, nil
}

// consider applies the rules to one that waits.
func (r *Remedies) consider(ctx context.Context, one *store.Remedy, k known, now fettle.Millis) error {
	s := situation{now: now, at: one.At, to: one.To, remedy: k.remedy, allowed: k.allowed, settling: r.Fleet.Settling(), past: r.book.past(one, now)}
	var err error
	if s.remedy != nil {
		s.paused = r.pauseOf(one.Check)
		if s.said, err = r.Fleet.CheckSaid(one.Check, one.Node); err != nil && !errors.Is(err, fettle.ErrNotFound) {
			return err
		}
	}
	d := s.decide()
	if d.do == doRun {
		d = s.inTime(r.begin(ctx, one, k.kept, s))
	}
	switch d.do {
	case doSkip:
		return r.finish(ctx, one, fettle.RemedySkipped, d.kind, d.why, now)
	case doWait:
		return r.delay(ctx, one, d)
	}
	return nil
}

// delay says why one waits, where that is something else than before.
func (r *Remedies) delay(ctx context.Context, one *store.Remedy, d decision) error {
	if one.Kind == d.kind || d.kind == kindCommit {
		return nil
	}
	next := *one
	next.Kind, next.Why = d.kind, d.why
	return r.put(ctx, one, next)
}

// begin starts the run of a remedy, and tells why not where it does not.
func (r *Remedies) begin(ctx context.Context, one *store.Remedy, kept fettle.KeptCheck, s situation) decision {
	owner, err := r.Fleet.CheckOwner(ctx, kept)
	if err != nil {
		return refusal(err)
	}
	inputs, err := r.Fleet.FillRemedy(ctx, *s.remedy, one.Node, stateFor(*one, s.said))
	if err != nil {
		return refusal(err)
	}
	req := server.RunRequest{
		Action: s.remedy.Action, Inputs: inputs, Selection: server.Selection{Where: fettle.Filter("identity == " + strconv.Quote(string(one.Node)))},
		Timeout: s.remedy.Timeout.Duration(), Caller: owner.Name, User: owner, Remedy: one.Check, ID: cmp.Or(one.Run, fettle.RunID(wire.NewID())),
	}
	refused, err := r.Fleet.Refusals(ctx, req, []fettle.NodeID{one.Node})
	switch {
	case err != nil:
		return refusal(err)
	case len(refused) > 0:
		return skip(kindRefused, "%s", refused[0].Reason)
	}
	next := *one
	next.Phase, next.Kind, next.Why, next.Run, next.Caller, next.Started = fettle.RemedyRunning, "", "", req.ID, owner.Name, s.now
	if err := r.put(ctx, one, next); err != nil {
		return wait(kindAway, "%s", server.Plainly(err))
	}
	r.book.started(*one, s.now, s.now)
	if _, err := r.Fleet.StartRun(ctx, req); err != nil && !errors.Is(err, fettle.ErrConflict) {
		return r.notStarted(ctx, one, err)
	}
	r.meters.started.Inc()
	r.Log.Info("remedy started", "check", one.Check, "node", one.Node, "action", one.Action, "run", one.Run, "user", owner.Name)
	return decision{do: doRun}
}

// notStarted says what is done where a run could not be started. One of which nobody knows is looked for at the next look.
func (r *Remedies) notStarted(ctx context.Context, one *store.Remedy, err error) decision {
	if ctx.Err() != nil {
		return decision{do: doRun} // the server ends; it looks for the run when it starts
	}
	if _, there := r.Fleet.RunByID(ctx, one.Run); !errors.Is(there, fettle.ErrNotFound) {
		return decision{do: doRun}
	}
	d := refusal(err)
	if err := r.unstart(ctx, one, d.why); err != nil {
		return decision{do: doRun}
	}
	return d
}

// unstart has one wait again whose run was not started, and keeps the run's id for the next time.
func (r *Remedies) unstart(ctx context.Context, one *store.Remedy, why string) error {
	was, next := *one, *one
	next.Phase, next.Kind, next.Why, next.Started = fettle.RemedyWaiting, kindAway, why, 0
	if err := r.put(ctx, one, next); err != nil {
		return err
	}
	r.book.forget(was)
	return nil
}

// refusal turns an error into what is done about it: what is away is waited for.
func refusal(err error) decision {
	switch {
	case errors.Is(err, fettle.ErrDenied):
		return skip(kindRefused, "%s", server.Plainly(err))
	case errors.Is(err, fettle.ErrInvalid):
		return skip(kindInputs, "%s", server.Plainly(err))
	case errors.Is(err, fettle.ErrNotFound):
		return skip(kindGone, "%s", server.Plainly(err))
	}
	return wait(kindAway, "%s", server.Plainly(err))
}

// followRun looks whether the run of a remedy has ended, and how.
func (r *Remedies) followRun(ctx context.Context, one *store.Remedy, now fettle.Millis) error {
	run, err := r.Fleet.RunByID(ctx, one.Run)
	if errors.Is(err, fettle.ErrNotFound) { // it was to be started, and that could not be undone
		return r.unstart(ctx, one, "its run was not started")
	}
	if err != nil || run.Ended == 0 {
		return err
	}
	message := ""
	if run.Tally.Failed > 0 {
		results, _, err := r.Fleet.RunResults(ctx, one.Run, 1, "")
		if err != nil {
			return err
		}
		for _, res := range results {
			message = res.Status.String() + ": " + res.Message
		}
	}
	phase, why := outcome(run, message)
	switch {
	case phase == fettle.RemedyFailed:
		return r.finish(ctx, one, phase, kindRun, why, now)
	case one.To == fettle.CheckOK:
		return r.finish(ctx, one, fettle.RemedyMended, "", "", now)
	}
	next := *one
	next.Phase, next.Why = phase, why
	return r.put(ctx, one, next)
}

// watch looks whether the state has become ok.
func (r *Remedies) watch(ctx context.Context, one *store.Remedy, k known, now fettle.Millis) error {
	said, err := r.Fleet.CheckSaid(one.Check, one.Node)
	if errors.Is(err, fettle.ErrNotFound) || err == nil && said.Status == "" {
		return r.finish(ctx, one, fettle.RemedyUnmended, kindGone, "the check is gone, or the node is not one of its any more", now)
	}
	if err != nil {
		return err
	}
	if said.State.Status == fettle.CheckOK && said.State.Since > one.Started {
		return r.finish(ctx, one, fettle.RemedyMended, "", fmt.Sprintf("ok after %s", said.State.Since.Sub(one.Started).Round(time.Second)), now)
	}
	run, err := r.Fleet.RunByID(ctx, one.Run)
	if err != nil && !errors.Is(err, fettle.ErrNotFound) {
		return err
	}
	if limit := max(k.fresh.Duration(), minWatch); now.Sub(max(run.Ended, one.Started)) > limit && !r.Fleet.Settling() {
		return r.finish(ctx, one, fettle.RemedyUnmended, kindTime, fmt.Sprintf("the action went well, and %s later the state is %s", fettle.Span(limit), said.Status), now)
	}
	return nil
}

// finish ends a remedy, in the store and then here, and stops a check whose remedies do not mend.
func (r *Remedies) finish(ctx context.Context, one *store.Remedy, phase fettle.RemedyPhase, kind, why string, now fettle.Millis) error {
	next := *one
	r.end(&next, phase, kind, why, now)
	if err := r.put(ctx, one, next); err != nil {
		return err
	}
	r.meters.ended(next)
	switch phase {
	case fettle.RemedySkipped:
		r.Log.Info("remedy left out", "check", one.Check, "node", one.Node, "reason", why)
		if kind == kindRefused {
			r.Audit.Note(ctx, "server", "remedy.refused", one.Check, map[string]any{"node": one.Node, "action": one.Action, "reason": why})
		}
		return nil
	case fettle.RemedyMended:
		r.Log.Info("remedy mended", "check", one.Check, "node", one.Node, "run", one.Run)
		r.book.failed[one.Check] = 0
		return nil
	}
	r.Log.Warn("remedy did not mend", "check", one.Check, "node", one.Node, "run", one.Run, "reason", why)
	r.book.failed[one.Check]++
	return r.giveUp(ctx, one.Check)
}

// giveUp stops a check after too many remedies in a row.
func (r *Remedies) giveUp(ctx context.Context, check string) error {
	def, err := r.remedyOf(ctx, check)
	if err != nil || def == nil || r.book.failed[check] < def.GiveUp {
		return err
	}
	if err := r.stop(ctx, check, r.book.failed[check]); err != nil {
		return err
	}
	r.book.failed[check] = 0
	return nil
}

// end writes into a row that it has ended.
func (r *Remedies) end(one *store.Remedy, phase fettle.RemedyPhase, kind, why string, now fettle.Millis) {
	one.Phase, one.Kind, one.Why, one.Ended = phase, kind, why, max(now, 1)
}

// put stores one as next has it, and then lets it be so.
func (r *Remedies) put(ctx context.Context, one *store.Remedy, next store.Remedy) error {
	if err := r.Store.UpdateRemedy(ctx, next, one.Phase); err != nil {
		return err
	}
	*one = next
	r.book.put(one)
	return nil
}
