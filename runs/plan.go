package runs

import (
	"cmp"
	"fmt"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// none is the limit of what has none.
const none = -1

// Plan is a pace made exact for a roster. It does not change.
type Plan struct {
	roster      int
	canary      int // zero: there is none
	batch       int // zero: the rest goes as one
	sleep       time.Duration
	concurrency int // zero: no limit
	maxFailed   int // none: no limit
	maxSilent   int // none: no limit
	gate        bool
	gateWait    time.Duration
}

// NewPlan makes a pace exact for a roster of so many nodes. ErrInvalid: what Check says.
func NewPlan(p fettle.Pace, roster int) (Plan, error) {
	if err := Check(p); err != nil {
		return Plan{}, err
	}
	plan := Plan{
		roster: roster, canary: min(p.Canary, roster), sleep: time.Duration(p.BatchSleep) * time.Millisecond, concurrency: p.Concurrency, gate: p.While != "",
		gateWait: cmp.Or(time.Duration(p.WhileTimeout)*time.Millisecond, DefaultWait),
	}
	var err error
	if plan.batch, err = atLeast(p.Batch, roster, 0); err != nil {
		return Plan{}, err
	}
	if plan.maxFailed, err = atMost(p.MaxFailed, roster, none); err != nil {
		return Plan{}, err
	}
	plan.maxSilent, err = atMost(p.MaxSilent, roster, none)
	return plan, err
}

// Known is what is known of a run at a moment. Roster = Left + Out + OK + Failed + Silent, and those who were never asked and will not be.
type Known struct {
	Now       time.Time
	Left      int       // not asked yet
	Ready     int       // of these, how many may be asked now
	NextReady time.Time // when the first of those who may not becomes ready; zero: nobody waits for that
	Out       int       // asked, and neither answered nor silent
	OK        int
	Failed    int
	Silent    int
	Quiet     time.Time   // when one of those who were asked ended last; zero: nobody has
	Elsewhere int         // nodes that are not out, on which the action goes for another reason
	Locks     []LockKnown // of the run, by name
	Gate      GateKnown   // what the gate was when it was asked last
	Held      string      // why nothing may go out, whatever the pace says; empty: it may
}

// asked is how many were asked so far.
func (k Known) asked() int { return k.Out + k.OK + k.Failed + k.Silent }

// LockKnown is one of a run's locks.
type LockKnown struct {
	Name     string
	Capacity int    // how many may hold it, as this run has it
	Holders  int    // how many do, in all runs
	By       string // who holds it beside this run, for people; empty: nobody
}

// GateKnown is what the gate was.
type GateKnown struct {
	Asked time.Time // when; zero: never
	Open  bool
	Why   string    // why it is not open
	Since time.Time // since when it has been closed without a break; zero: it is open
}

// How old an answer of the gate may be, and how often a closed one is asked.
const (
	GateFresh = time.Second
	GateEvery = 2 * time.Second
)

// Step is what is to be done now.
type Step struct {
	Ask      int       // so many nodes, the next in the order
	AskGate  bool      // ask the gate, and then Next again
	Stop     string    // nobody is to be asked any more, for this reason; empty: it goes on
	Look     time.Time // when to look again, should nothing happen before; zero: only when something happens
	Progress fettle.Progress
}

// Next says what is to be done. It goes on asking the canaries, then batch by batch, and never more at once than the concurrency and the locks
// leave room for.
func (p Plan) Next(k Known) Step {
	if k.Left == 0 {
		return p.step(k, fettle.PhaseAnswering, "")
	}
	if why := p.stop(k); why != "" {
		s := p.step(k, fettle.PhaseAnswering, "")
		s.Stop, s.Progress.Stopped = why, why
		return s
	}
	if k.Held != "" {
		return p.wait(k, k.Held)
	}
	at := p.place(k.asked())
	if at.begins && at.batch > 1 {
		if s, waits := p.between(k, at); waits {
			return s
		}
	}
	if p.gate && (at.begins || p.batch == 0 && at.batch > p.canaries()) {
		if s, waits := p.atGate(k); waits {
			return s
		}
	}
	return p.ask(k, at)
}

// stop tells why nobody is to be asked any more; empty: it goes on.
func (p Plan) stop(k Known) string {
	switch {
	case p.canary > 0 && k.asked() <= p.canary && k.Failed+k.Silent > 0:
		return fmt.Sprintf("canary: of %d asked %d failed and %d were silent", k.asked(), k.Failed, k.Silent)
	case p.maxFailed != none && k.Failed > p.maxFailed:
		return fmt.Sprintf("%d failed, and %d may", k.Failed, p.maxFailed)
	case p.maxSilent != none && k.Silent > p.maxSilent:
		return fmt.Sprintf("%d were silent, and %d may be", k.Silent, p.maxSilent)
	}
	return ""
}

// place is where in the plan the next node stands.
type place struct {
	batch  int  // from 1; the canaries are the first, where there are any
	room   int  // how many the batch still takes
	begins bool // nobody of the batch was asked yet
}

func (p Plan) canaries() int {
	if p.canary > 0 {
		return 1
	}
	return 0
}

func (p Plan) place(asked int) place {
	if asked < p.canary {
		return place{batch: 1, room: p.canary - asked, begins: asked == 0}
	}
	in := asked - p.canary
	if p.batch == 0 {
		return place{batch: p.canaries() + 1, room: p.roster - in, begins: in == 0}
	}
	return place{batch: p.canaries() + in/p.batch + 1, room: p.batch - in%p.batch, begins: in%p.batch == 0}
}

// batches is how many there are, should nobody of the roster be left out.
func (p Plan) batches() int {
	rest := p.roster - p.canary
	switch {
	case p.batch == 0 && p.canary == 0:
		return 0
	case p.batch == 0:
		return p.canaries() + min(1, rest)
	}
	return p.canaries() + (rest+p.batch-1)/p.batch
}

// between waits for the answers of the batch before, and then sleeps.
func (p Plan) between(k Known, at place) (Step, bool) {
	canary := p.canary > 0 && at.batch == 2
	what := fmt.Sprintf("batch %d", at.batch-1)
	if canary {
		what = "the canaries"
	}
	if k.Out > 0 {
		s := p.step(k, fettle.PhaseAsking, fmt.Sprintf("%s: %d have not answered yet", what, k.Out))
		if canary {
			s.Progress.Phase = fettle.PhaseCanary
		}
		s.Progress.Batch = at.batch - 1
		return s, true
	}
	if until := k.Quiet.Add(p.sleep); p.sleep > 0 && k.Now.Before(until) {
		s := p.wait(k, fmt.Sprintf("the sleep of %s after %s", p.sleep, what))
		s.Look, s.Progress.Batch = until, at.batch-1
		return s, true
	}
	return Step{}, false
}

// atGate asks the gate, waits while it is closed, and gives up in the end.
func (p Plan) atGate(k Known) (Step, bool) {
	g := k.Gate
	age := k.Now.Sub(g.Asked)
	switch {
	case g.Asked.IsZero(), g.Open && age >= GateFresh, !g.Open && age >= GateEvery:
		return Step{AskGate: true}, true
	case g.Open:
		return Step{}, false
	case k.Now.Sub(g.Since) >= p.gateWait:
		s := p.step(k, fettle.PhaseAnswering, "")
		s.Stop = fmt.Sprintf("the gate was closed for %s: %s", p.gateWait, g.Why)
		s.Progress.Stopped = s.Stop
		return s, true
	}
	s := p.wait(k, "the gate: "+g.Why)
	s.Look = g.Asked.Add(GateEvery)
	if until := g.Since.Add(p.gateWait); until.Before(s.Look) {
		s.Look = until
	}
	return s, true
}

// ask gives as many as there is room for.
func (p Plan) ask(k Known, at place) Step {
	n := min(k.Left, at.room)
	if n > k.Ready {
		if k.Ready == 0 {
			s := p.wait(k, "the time at which the next node is due")
			s.Look = k.NextReady
			return s
		}
		n = k.Ready
	}
	if p.concurrency > 0 {
		if free := p.concurrency - k.Out - k.Elsewhere; free <= 0 {
			s := p.step(k, fettle.PhaseAsking, fmt.Sprintf("%d of %d nodes at once are at work", k.Out, p.concurrency))
			if k.Elsewhere > 0 {
				s = p.wait(k, fmt.Sprintf("%d nodes at once: %d are at work here, and %d elsewhere", p.concurrency, k.Out, k.Elsewhere))
			}
			return s
		} else {
			n = min(n, free)
		}
	}
	for _, l := range k.Locks {
		free := l.Capacity - l.Holders
		if free <= 0 {
			s := p.step(k, fettle.PhaseAsking, fmt.Sprintf("lock %s: %d of %d are held", l.Name, l.Holders, l.Capacity))
			if l.By != "" {
				s = p.wait(k, fmt.Sprintf("lock %s: %d of %d are held, by %s", l.Name, l.Holders, l.Capacity, l.By))
			}
			return s
		}
		n = min(n, free)
	}
	phase := fettle.PhaseAsking
	if at.batch == 1 && p.canary > 0 {
		phase = fettle.PhaseCanary
	}
	s := p.step(k, phase, "")
	s.Ask = n
	return s
}

// wait is a step in which nothing goes out for a reason that is not this run's own nodes.
func (p Plan) wait(k Known, why string) Step { return p.step(k, fettle.PhaseWaiting, why) }

func (p Plan) step(k Known, phase fettle.RunPhase, why string) Step {
	s := Step{Progress: fettle.Progress{Phase: phase, Batches: p.batches(), WaitingFor: why}}
	if s.Progress.Batches > 0 {
		s.Progress.Batch = min(p.place(k.asked()).batch, s.Progress.Batches)
	}
	return s
}
