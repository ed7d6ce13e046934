package server

import (
	"context"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// maxStep is how far the server's wall clock may be set before nodes are told. Agents judge the expiry of a task by the time that they were told,
// carried forward by their own monotonic clock: where ours was set back, every new task would have expired for them.
const maxStep = time.Second

// stepped gives how far the wall clock was set between two moments, by what the monotonic clock says has passed. Moments without a monotonic
// reading say nothing.
func stepped(from, to time.Time) time.Duration {
	return to.Round(0).Sub(from.Round(0)) - to.Sub(from)
}

// watchClock tells the nodes the time anew where the wall clock was set since a moment, and gives the moment from which to watch on.
func (s *Server) watchClock(ctx context.Context, since time.Time) time.Time {
	now := s.Now()
	if step := stepped(since, now); step.Abs() > maxStep {
		s.Log.Warn("the clock of this machine was set", "took", step)
		s.tellTime(ctx)
	}
	return now
}

// tellTime has every node that is there say hello again: the answer to it tells the time, and answers to anything else would not be believed.
// The nodes still judge by the clock as it was, so what is sent to them must not expire soon.
func (s *Server) tellTime(ctx context.Context) {
	for _, id := range s.presence.identities() {
		if s.presence.liveness(id) == fettle.Alive {
			s.sendUntil(ctx, id, wire.TypeAsk, wire.Ask{Hello: true}, fettle.MillisOf(s.Now()).Add(fettle.MaxExpiry))
		}
	}
}
