package agent

import (
	"errors"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// reason is why a message was not acted upon.
type reason int

const (
	refusedDenied   reason = iota // unsigned, wrongly signed, or for somebody else
	refusedInvalid                // not to be read
	refusedReplayed               // it came before
	refusedExpired                // it came too late
)

// refusals are the reasons as a meter's label says them.
var refusals = [...]string{refusedDenied: "denied", refusedInvalid: "invalid", refusedReplayed: "replayed", refusedExpired: "expired"}

// errReplayed is what receive says of a message that came before.
var errReplayed = errors.New("replayed")

func reasonOf(err error) reason {
	switch {
	case errors.Is(err, errReplayed):
		return refusedReplayed
	case errors.Is(err, wire.ErrExpired):
		return refusedExpired
	case errors.Is(err, fettle.ErrInvalid):
		return refusedInvalid
	}
	return refusedDenied
}

// refuse counts a message that is not acted upon, and says so, if not for each one: who holds the broker could fill a disk with it.
func (a *Agent) refuse(err error) {
	why := reasonOf(err)
	a.meters.refused[why].Inc()
	if count, say := a.sparse.say(why); say {
		tell := a.log.Warn
		if why == refusedExpired || why == refusedReplayed { // a broker that delivers twice or late is none to wonder at
			tell = a.log.Debug
		}
		tell("messages are refused", "reason", refusals[why], "count", count, "err", err)
	}
}

// sayEvery is how often refusals of one kind are logged.
const sayEvery = time.Minute

// sparse is a log that says the first of a kind at once, and then how many there were. It is safe for concurrent use.
type sparse struct {
	mu    sync.Mutex // guards all below
	count [len(refusals)]int
	said  [len(refusals)]time.Time
}

// say counts one, and tells how many to speak of now.
func (s *sparse) say(why reason) (count int, now bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count[why]++
	if !s.said[why].IsZero() && time.Since(s.said[why]) < sayEvery {
		return 0, false
	}
	count, s.count[why], s.said[why] = s.count[why], 0, time.Now()
	return count, true
}
