package runs

import (
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// fate is what a node will do when it is asked.
type fate int

const (
	well fate = iota
	fails
	isSilent
	isAway // it is not asked when its turn comes
)

// sim plays a run: nodes in their order, each with its fate and the time that it takes. Its clock stands still but for what is waited for.
type sim struct {
	plan    Plan
	fates   []fate
	takes   []time.Duration
	timeout time.Duration
	gate    func(at time.Duration) bool
	others  func(at time.Duration) int // nodes that hold the lock, or are at work, elsewhere
	lock    int                        // capacity; zero: there is no lock

	now     time.Duration
	next    int
	ends    map[int]time.Duration // of those that are out
	tally   fettle.Tally
	gated   GateKnown
	quiet   time.Time
	sent    []time.Duration // when each node was asked, by its place in the order; away: never
	maxOut  int
	stopped string
	steps   []Step
}

func newSim(p Plan, fates ...fate) *sim {
	s := &sim{plan: p, fates: fates, timeout: time.Minute, ends: map[int]time.Duration{}}
	for range fates {
		s.takes = append(s.takes, time.Second)
	}
	return s
}

var epoch = time.Unix(1_800_000_000, 0)

func (s *sim) known() Known {
	k := Known{
		Now: epoch.Add(s.now), Left: len(s.fates) - s.next, Out: len(s.ends), OK: s.tally.OK, Failed: s.tally.Failed, Silent: s.tally.Silent,
		Quiet: s.quiet, Gate: s.gated,
	}
	k.Ready = k.Left
	if s.others != nil {
		if n := s.others(s.now); s.lock > 0 {
			k.Locks = []LockKnown{{Name: "l", Capacity: s.lock, Holders: n + k.Out, By: "another"}}
		} else {
			k.Elsewhere = n
		}
	}
	return k
}

// run plays until the run has ended, and tells whether it did.
func (s *sim) run() bool {
	for range 10_000 {
		if s.settle(); s.next == len(s.fates) && len(s.ends) == 0 {
			return true
		}
		step := s.plan.Next(s.known())
		s.steps = append(s.steps, step)
		switch {
		case step.Stop != "":
			s.stopped = step.Stop
			s.tally.Never += len(s.fates) - s.next
			s.next = len(s.fates)
		case step.AskGate:
			open := s.gate(s.now)
			if s.gated.Asked = epoch.Add(s.now); open {
				s.gated.Open, s.gated.Since = true, time.Time{}
			} else if s.gated.Open || s.gated.Since.IsZero() {
				s.gated.Open, s.gated.Since, s.gated.Why = false, s.gated.Asked, "closed"
			}
		case step.Ask > 0:
			s.send(step.Ask)
		case !s.wait(step.Look):
			return false
		}
	}
	return false
}

func (s *sim) send(n int) {
	for range n {
		i := s.next
		if s.next++; s.fates[i] == isAway {
			s.tally.Never++
			s.sent = append(s.sent, -1)
			continue
		}
		s.sent = append(s.sent, s.now)
		if s.ends[i] = s.now + s.takes[i]; s.fates[i] == isSilent {
			s.ends[i] = s.now + s.timeout
		}
	}
	s.maxOut = max(s.maxOut, len(s.ends))
}

// settle takes the answers that have come.
func (s *sim) settle() {
	for i, end := range s.ends {
		if end > s.now {
			continue
		}
		delete(s.ends, i)
		s.quiet = epoch.Add(s.now)
		switch s.fates[i] {
		case well:
			s.tally.OK++
		case fails:
			s.tally.Failed++
		case isSilent:
			s.tally.Silent++
		}
	}
}

// wait lets the time pass until the next answer or look, or until others let go.
func (s *sim) wait(look time.Time) bool {
	next := time.Duration(-1)
	sooner := func(at time.Duration) {
		if at > s.now && (next < 0 || at < next) {
			next = at
		}
	}
	for _, end := range s.ends {
		sooner(end)
	}
	if !look.IsZero() {
		sooner(look.Sub(epoch))
	}
	if s.others != nil {
		sooner(s.now + time.Second)
	}
	if next < 0 {
		return false
	}
	s.now = next
	return true
}
