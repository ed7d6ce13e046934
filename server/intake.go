package server

import (
	"errors"
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// hello greets a node. A session older than the one that is known is an echo of the past, and is dropped, unless the known one has fallen
// silent: then the node's clock was set back, and its agent was started again.
func (b *batch) hello(o opened, from fettle.NodeID, h wire.Hello) error {
	if h.Session == "" {
		return fmt.Errorf("a hello without a session: %w", fettle.ErrInvalid)
	}
	if b.repeated(from, h.Session, o.env) {
		return nil
	}
	if o.Sender == "" {
		b.s.presence.heard(from, o.at) // its own clock may be wrong, before it is told the time
	}
	b.watchSession(from, h.Session)
	d := b.draft(from)
	if d == nil {
		d = b.enrol(from)
	}
	if h.Session < d.Session && b.s.presence.spokeSince(from, b.s.cfg.Beat*lateBeats, b.at) {
		return nil
	}
	if h.Session != d.Session {
		d.Session, d.Seq = h.Session, 0
	}
	b.spoke(d)
	d.changed = true
	b.place(d)
	d.Agent, d.Classes, d.Commands = h.Agent, sorted(h.Classes), sorted(h.Commands)
	b.hellos[from] = h
	return nil
}

// facts takes a document or a patch, in the order of (session, seq); what comes again or too late is dropped.
func (b *batch) facts(from fettle.NodeID, f wire.Facts) error {
	d := b.draft(from)
	if d == nil && f.Full == nil {
		b.asks[from] = true // the hello was lost with a store that was put back to an earlier day
		return nil
	}
	if d == nil {
		d = b.enrol(from)
	}
	if f.Session < d.Session || f.Session == d.Session && f.Seq <= d.Seq {
		return nil
	}
	now := wire.Document{Raw: d.Facts, Hash: d.Hash}
	next := now
	var err error
	switch {
	case f.Full != nil:
		if next, err = wire.Canonical(f.Full); err != nil {
			return fmt.Errorf("facts document: %w", err)
		}
		if next.Hash != f.Hash {
			return fmt.Errorf("facts document hashes to %s, and its sender says %s: %w", next.Hash, f.Hash, fettle.ErrInvalid)
		}
		b.full++
	case f.Patch != nil:
		next, _, err = wire.Apply(now, *f.Patch)
		if errors.Is(err, wire.ErrBase) {
			b.asks[from] = true
			return nil
		}
		if err != nil {
			return fmt.Errorf("facts patch: %w", err)
		}
		b.patches++
	}
	d.Session, d.Seq, d.changed = f.Session, f.Seq, true
	b.spoke(d)
	if f.Classes != nil {
		d.Classes = sorted(*f.Classes)
	}
	if f.Commands != nil {
		d.Commands = sorted(*f.Commands)
	}
	if next.Hash == now.Hash {
		return nil
	}
	if err := b.remember(d, now, next); err != nil {
		return err
	}
	d.Facts, d.Hash, d.FactsAt = next.Raw, next.Hash, b.now
	return nil
}

// remember notes what changed between two documents, volatile leaves apart. A first document has no history.
func (b *batch) remember(d *draft, old, next wire.Document) error {
	if old.Hash == "" {
		d.whole = true
		return nil
	}
	changes, err := wire.Changes(old, next)
	if err != nil {
		return fmt.Errorf("history of facts: %w", err)
	}
	before := len(d.changes)
	for _, c := range changes {
		d.whole = d.whole || c.Old == nil || c.New == nil // inventory.Patch refuses what else is no leaf
		d.leaves = append(d.leaves, inventory.Change{Path: c.Path, Value: c.New})
		if !b.s.volatile.Match(c.Path) {
			d.changes = append(d.changes, store.FactChange{Node: d.Identity, Path: c.Path.String(), At: b.now, Old: c.Old, New: c.New})
		}
	}
	if len(d.changes) > before {
		b.event(fettle.EventChanged, d.Identity)
	}
	return nil
}

// enrol makes a node that nobody knew.
func (b *batch) enrol(id fettle.NodeID) *draft {
	b.event(fettle.EventEnrolled, id)
	return b.add(&draft{Node: fettle.Node{Identity: id, Enrolled: b.now}, heard: b.at})
}

// spoke says that the known session of a node is there.
func (b *batch) spoke(d *draft) {
	if d.Liveness != fettle.Alive {
		b.event(fettle.EventAlive, d.Identity)
	}
	d.Liveness, d.Seen = fettle.Alive, b.now
	b.s.presence.spoke(d.Identity, b.at)
}

// beat compares what a node has with what it ought to have. Facts that have just changed are not compared: the node may have said this before
// it knew that they arrived.
func (b *batch) beat(o opened, from fettle.NodeID, beat wire.Beat) error {
	if b.stale(o.env) || b.repeated(from, beat.Session, o.env) {
		return nil
	}
	b.heard(o, from)
	b.watchSession(from, beat.Session)
	d, known := b.brief(from)
	if !known {
		b.asks[from] = true
		return nil
	}
	if beat.Session == d.Session {
		b.s.presence.spoke(from, b.at)
	}
	if beat.Session != d.Session || beat.FactsHash != d.Hash && b.now.Sub(d.FactsAt) >= b.s.cfg.Beat {
		b.asks[from] = true
	}
	b.beats[from] = beat.ChecksHash
	b.going(d, beat.Running)
	return nil
}

// maxRunning bounds the actions of which a node says that they go.
const maxRunning = 32

// going notes which actions with a busy filter go on a node.
func (b *batch) going(n fettle.Node, running []string) {
	running = running[:min(len(running), maxRunning)]
	if slices.Equal(n.Agent.Running, running) {
		return
	}
	if d := b.draft(n.Identity); d != nil {
		d.Agent.Running, d.changed, b.freed = running, true, true
	}
}

// over notes that an action goes no more on the node that gave its result: the next beat would say so late.
func (b *batch) over(from fettle.NodeID, action string) {
	if a, err := b.s.lookUp(action); err != nil || a.Busy == "" {
		return
	}
	n, known := b.brief(from)
	if at := slices.Index(n.Agent.Running, action); known && at >= 0 {
		b.going(n, slices.Delete(slices.Clone(n.Agent.Running), at, at+1))
	}
}

// takeResults sorts results to the runs and the checks that they belong to. One that can never be right costs itself only.
func (b *batch) takeResults(from fettle.NodeID, body wire.Results) error {
	var faults []error
	for i, r := range body.Results {
		switch {
		case r.Node != from:
			faults = append(faults, fmt.Errorf("result %d is of %q: %w", i, r.Node, fettle.ErrDenied))
		case r.Task == "" || !r.Status.Valid():
			faults = append(faults, fmt.Errorf("result %d has no task or status %d: %w", i, r.Status, fettle.ErrInvalid))
		case r.Check == "":
			b.results = append(b.results, r)
			b.over(from, r.Action)
		default:
			b.checkResult(from, r, body)
		}
	}
	return errors.Join(faults...)
}

func (b *batch) checkResult(from fettle.NodeID, r fettle.Result, body wire.Results) {
	check, defined := b.s.defs.get(r.Check)
	if !defined {
		return // deleted meanwhile
	}
	key := stateKey{r.Check, from}
	old, pending := b.states[key]
	if !pending {
		old, _ = b.s.Board.State(r.Check, from)
	}
	state, tr, taken := checks.Apply(old, r, check, checks.Order{Session: body.Session, Seq: body.Seq}, b.now)
	if !taken {
		return
	}
	b.states[key] = state
	if tr != nil {
		b.Transitions = append(b.Transitions, store.Transition{Check: tr.Check, Node: tr.Node, At: tr.At, From: tr.From, To: tr.To, Hard: tr.Hard, Output: tr.Output, Flap: tr.Flap})
	}
}

func (b *batch) output(from fettle.NodeID, o wire.Output) error {
	if o.Task == "" || o.Stream != "stdout" && o.Stream != "stderr" {
		return fmt.Errorf("output of task %q, stream %q: %w", o.Task, o.Stream, fettle.ErrInvalid)
	}
	b.printed = append(b.printed, from)
	b.Output = append(b.Output, store.OutputChunk{Task: o.Task, Stream: o.Stream, Seq: o.Seq, Body: string(o.Data), Received: b.now})
	return nil
}

func (b *batch) event(kind fettle.EventKind, node fettle.NodeID) {
	b.Events = append(b.Events, fettle.Event{Kind: kind, Node: node, At: b.now})
}

// sorted gives words in order, no two alike, and never nil.
func sorted(words []string) []string {
	out := append([]string{}, words...)
	slices.Sort(out)
	return slices.Compact(out)
}
