package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// batch is what a handful of messages says, on its way to the store and then into memory. One goroutine works on it.
type batch struct {
	store.Batch
	s        *Server
	now      fettle.Millis
	messages int
	drafts   map[fettle.NodeID]*draft
	order    []fettle.NodeID // of drafts, as they came
	states   map[stateKey]fettle.CheckState
	results  []fettle.Result // of runs, in step with Batch.Results
	printed  []fettle.NodeID // who sent Batch.Output, in step with it
	hellos   map[fettle.NodeID]wire.Hello
	asks     map[fettle.NodeID]bool   // of whom the full facts are wanted
	beats    map[fettle.NodeID]string // the hash of the check set that the node has
	at       time.Time                // when the message that is being read was received
	patches  int                      // of facts
	full     int                      // facts documents
	refused  map[string]int           // dead letters by reason
	said     map[fettle.NodeID][]said
	fetches  []fetchOf
	replays  int  // hellos and beats that were dropped
	freed    bool // an action with a busy filter has begun or ended somewhere
}

// draft is a node as it will be after the batch.
type draft struct {
	fettle.Node
	changed bool // the stored row has to be written
	changes []store.FactChange
	leaves  []inventory.Change // all facts that changed, volatile ones too
	whole   bool               // not by leaves alone
	heard   time.Time          // zero: it has been known before
}

type stateKey struct {
	check string
	node  fettle.NodeID
}

func (s *Server) newBatch() *batch {
	return &batch{
		s: s, now: fettle.MillisOf(s.Now()),
		drafts: map[fettle.NodeID]*draft{}, states: map[stateKey]fettle.CheckState{}, hellos: map[fettle.NodeID]wire.Hello{},
		asks: map[fettle.NodeID]bool{}, beats: map[fettle.NodeID]string{}, refused: map[string]int{}, said: map[fettle.NodeID][]said{},
	}
}

// take adds what one message says. What can never be right becomes a dead letter: it is kept and counted, and the sender gets his receipt,
// because sending it again would not mend it.
//
// A message on which the server trips is no better: it would come again, and trip the server that was started again.
func (b *batch) take(o opened) {
	defer func() {
		if p := recover(); p != nil {
			o.refuse(refusedPanic, b.s.panicked(o.Incoming, p))
			b.refuse(o)
		}
	}()
	if o.refusal != nil {
		*o.refusal = nil // of an attempt that was not committed
	}
	b.messages++
	b.at = o.at
	if o.err == nil && !o.asks {
		if err := b.read(o); err != nil {
			o.refuse(refusedContent, err)
		}
	}
	if o.err != nil {
		b.refuse(o)
	}
}

// panicked logs that the server tripped on a message.
func (s *Server) panicked(in Incoming, p any) error {
	s.Log.Error("a message made the server panic", "node", in.Sender, "err", fmt.Sprint(p), "stack", string(debug.Stack()))
	return fmt.Errorf("the server panicked: %v", p)
}

// refuse makes a dead letter of a message; one that is played again stays the letter that it is.
func (b *batch) refuse(o opened) {
	if o.refusal != nil {
		*o.refusal = o.err
		return
	}
	b.refused[o.reason]++
	b.DeadLetters = append(b.DeadLetters, letter(o, b.now))
}

func (b *batch) read(o opened) error {
	env := o.env
	from, err := fettle.ParseNodeID(env.From)
	if err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	switch env.Type {
	case wire.TypeHello:
		return decode(env, func(body wire.Hello) error { body.ID = env.ID; return b.hello(o, from, body) })
	case wire.TypeBeat:
		return decode(env, func(body wire.Beat) error { return b.beat(o, from, body) })
	}
	b.heard(o, from)
	switch env.Type {
	case wire.TypeFacts:
		return decode(env, func(body wire.Facts) error { return b.facts(from, body) })
	case wire.TypeResults:
		return decodeResults(env, func(body wire.Results) error { return b.takeResults(from, body) })
	case wire.TypeAnswer:
		return decode(env, func(body wire.Answer) error { b.s.live.take(from, body); return nil })
	case wire.TypeFetch:
		return decode(env, func(body wire.Fetch) error { return b.fetch(o, from, body) })
	case wire.TypeOutput:
		return decode(env, func(body wire.Output) error { return b.output(from, body) })
	}
	return fmt.Errorf("a message of type %q is not expected here: %w", env.Type, fettle.ErrInvalid)
}

// heard notes that a node is there, where the broker does not tell. What is old does not show it: it may be sent by another, who kept it.
func (b *batch) heard(o opened, from fettle.NodeID) {
	if o.Sender == "" && !b.stale(o.env) {
		b.s.presence.heard(from, o.at)
	}
}

func decode[T any](env wire.Envelope, use func(T) error) error {
	var body T
	if err := env.Decode(&body); err != nil {
		return err
	}
	return use(body)
}

// decodeResults reads results with numbers as they were written: a float64 loses digits of what a node counted.
func decodeResults(env wire.Envelope, use func(wire.Results) error) error {
	var body wire.Results
	dec := json.NewDecoder(bytes.NewReader(env.Body))
	dec.UseNumber()
	if err := dec.Decode(&body); err != nil {
		return fmt.Errorf("%s %s: body: %w: %w", env.Type, env.ID, err, fettle.ErrInvalid)
	}
	return use(body)
}

// draft gives the node as it stands after the messages before; nil, if it has never said hello.
func (b *batch) draft(id fettle.NodeID) *draft {
	if d := b.drafts[id]; d != nil {
		return d
	}
	n, known := b.s.Inventory.Get(id)
	if !known {
		return nil
	}
	return b.add(&draft{Node: n})
}

// brief gives the node as it stands after the messages before, for who does not look at its facts: to write them out costs more than all else
// that is done with a beat. false: it has never said hello.
func (b *batch) brief(id fettle.NodeID) (fettle.Node, bool) {
	if d := b.drafts[id]; d != nil {
		return d.Node, true
	}
	return b.s.Inventory.Brief(id)
}

func (b *batch) add(d *draft) *draft {
	b.drafts[d.Identity] = d
	b.order = append(b.order, d.Identity)
	return d
}

// seal moves what the drafts say into the batch that the store commits.
func (b *batch) seal() {
	for _, id := range b.order {
		d := b.drafts[id]
		if !d.changed {
			continue
		}
		d.Rev++ // as the store counts
		b.Nodes = append(b.Nodes, store.NodeWrite{Node: d.Node, Changes: d.changes})
	}
	for _, state := range b.states {
		b.States = append(b.States, state)
	}
	b.Results, b.Received = b.results, b.now
}

// apply lets take effect in memory what is now on disk.
func (b *batch) apply(done store.Committed) {
	for _, id := range b.order {
		d := b.drafts[id]
		if !d.changed {
			continue
		}
		if err := b.s.put(d); err != nil {
			b.s.Log.Error("a stored node does not fit the inventory", "node", id, "err", err)
		}
		b.s.presence.load(d.Node)
		if !d.heard.IsZero() {
			b.s.presence.heard(id, d.heard)
		}
		b.s.Board.SetSilent(id, d.Liveness == fettle.Silent, b.now)
	}
	if b.freed {
		b.s.runs.busy.forget()
		b.s.runs.freed.notify()
	}
	b.s.presence.note(b.said)
	b.s.meters.replays.Add(b.replays)
	b.s.Board.Restore(b.States, b.now)
	for _, state := range b.states {
		b.s.Inventory.SetCheck(state)
	}
	b.s.tellPrinted(b.Output, b.printed) // before the results: they come last on the node, too
	for i, r := range b.results {
		if done.New[i] {
			b.s.meters.results.Inc()
		} else {
			b.s.meters.repeats.Inc()
		}
		b.s.takeRunResult(r, done.New[i])
	}
	b.s.meters.patches.Add(b.patches)
	b.s.meters.documents.Add(b.full)
	b.tellRefused()
	if len(b.Nodes)+len(b.States) > 0 {
		b.s.changes.notify()
	}
}

// put lets a node be in memory as its draft has it: leaf by leaf where that is all there is, which costs a tenth of putting the whole.
func (s *Server) put(d *draft) error {
	if !d.whole {
		if done, err := s.Inventory.Patch(d.Node, d.leaves); done && err == nil {
			return nil
		}
	}
	return s.Inventory.Put(d.Node)
}

// tellRefused logs one line for all messages that were refused: who sends nonsense often does not fill the disk with it.
func (b *batch) tellRefused() {
	if n := len(b.DeadLetters); n > 0 {
		first := b.DeadLetters[0]
		b.s.meters.deadLetters.Add(n)
		for reason, n := range b.refused {
			b.s.meters.refused[reason].Add(n)
		}
		b.s.Log.Warn("messages refused", "count", n, "node", first.Sender, "destination", first.Destination, "err", first.Reason)
	}
}

// follow sends what the messages call for.
func (b *batch) follow(ctx context.Context) {
	for id, hello := range b.hellos {
		b.s.welcome(ctx, b.drafts[id].Node, hello)
	}
	for id := range b.asks {
		if _, greeted := b.hellos[id]; !greeted {
			b.s.meters.factsAsked.Inc()
			b.s.send(ctx, id, wire.TypeAsk, wire.Ask{Facts: true})
		}
	}
	for _, f := range b.fetches {
		b.s.counter.put(f.node, f.Fetch)
	}
	for id, d := range b.drafts {
		if d.changed {
			b.s.defs.touch(id)
		}
	}
	for id, hash := range b.beats {
		b.s.defs.compare(id, hash)
	}
}
