package checks

import (
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Spent is how long a check had each status, over one node or many. What stands under the empty status is not determined: the node did not have the
// check, or had said nothing yet.
type Spent map[fettle.CheckStatus]time.Duration

// Determined gives the time in which there was a state.
func (s Spent) Determined() (sum time.Duration) {
	for status, d := range s {
		if status != "" {
			sum += d
		}
	}
	return sum
}

// Percent gives the part of the determined time that was spent in a status; zero where nothing is determined.
func (s Spent) Percent(status fettle.CheckStatus) float64 {
	all := s.Determined()
	if all <= 0 {
		return 0
	}
	return float64(s[status]) * 100 / float64(all)
}

// Add adds what another node spent.
func (s Spent) Add(o Spent) {
	for status, d := range o {
		s[status] += d
	}
}

// Timeline reckons how long a check had each status on one node. It is told hard transitions from the newest backwards.
type Timeline struct {
	from, until fettle.Millis // of the span that is asked about
	upper       fettle.Millis // what is after it is reckoned
	status      fettle.CheckStatus
	since       fettle.Millis // when status began, as long as no transition was told; zero: not known
	spent       Spent
}

// NewTimeline begins with what a state is now; the zero state stands for none.
func NewTimeline(from, until fettle.Millis, state fettle.CheckState) *Timeline {
	t := &Timeline{from: from, until: until, upper: until, status: state.Status, since: state.Since, spent: Spent{}}
	if state.Stale != 0 {
		t.status, t.since = fettle.CheckStale, state.Stale
	}
	return t
}

// Tell adds the transition before those that were told.
func (t *Timeline) Tell(at fettle.Millis, from, to fettle.CheckStatus) {
	at = max(min(at, t.upper), t.from)
	if to != t.status {
		to = "" // a link of the chain is missing
	}
	t.spend(to, at)
	t.status, t.since = from, 0
}

// spend gives the time from at to what was told last to a status.
func (t *Timeline) spend(status fettle.CheckStatus, at fettle.Millis) {
	if d := t.upper.Sub(at); d > 0 {
		t.spent[status] += d
	}
	t.upper = at
}

// Spent ends the reckoning.
func (t *Timeline) Spent() Spent {
	if t.since > t.from && t.status != "" {
		t.spend(t.status, max(min(t.since, t.upper), t.from))
		t.status = ""
	}
	t.spend(t.status, t.from)
	return t.spent
}
