package checks

import (
	"hash/fnv"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/calendar"
)

// Spans of a check that says nothing of its own.
const (
	DefaultInterval = time.Minute
	MinInterval     = time.Second      // a shorter one is taken as this: the node has other things to do
	FirstWithin     = 10 * time.Second // a check that is new to a node is first run within this, not only after its interval
)

// Schedule says when one check is due on one node. All nodes share the interval, and each has its own place in it.
type Schedule struct {
	Interval time.Duration
	Retry    time.Duration // the interval while the state is soft
	Splay    time.Duration // the node's place within Interval, counted from 1970; of Cron: how long after its turn
	Cron     calendar.Cron // zero: every Interval
	Ahead    time.Duration // of Cron: how far the server's clock is ahead of the node's
}

// ScheduleOf gives the schedule of check on node. It is the same after every restart: Splay comes from the two names alone.
func ScheduleOf(check fettle.Check, node fettle.NodeID) Schedule {
	s := Schedule{Interval: interval(check), Retry: time.Duration(check.Retry) * time.Millisecond}
	if s.Retry <= 0 {
		s.Retry = s.Interval
	}
	s.Retry = max(s.Retry, MinInterval)
	h := fnv.New64a()
	h.Write([]byte(node))
	h.Write([]byte{0})
	h.Write([]byte(check.Name))
	within := s.Interval
	if check.Splay > 0 {
		within = min(within, time.Duration(check.Splay)*time.Millisecond)
	}
	if check.Cron != "" {
		s.Cron, _ = calendar.Parse(check.Cron, "") // what is no expression was refused where the check was defined; here it is the interval then
	}
	if !s.Cron.IsZero() && check.Splay <= 0 {
		return s
	}
	s.Splay = time.Duration(h.Sum64() % uint64(within))
	return s
}

func interval(check fettle.Check) time.Duration {
	if check.Interval <= 0 {
		return DefaultInterval
	}
	return max(time.Duration(check.Interval)*time.Millisecond, MinInterval)
}

// First gives when a check that is new to the node at now is due. One by cron waits for its turn.
func (s Schedule) First(now time.Time) time.Time {
	if !s.Cron.IsZero() {
		return s.Next(now, false)
	}
	return now.Add(s.Splay % min(s.Interval, FirstWithin))
}

// Next gives when the check is due after now, where its run has just ended: what was missed meanwhile is not caught up.
func (s Schedule) Next(now time.Time, soft bool) time.Time {
	if soft && (s.Cron.IsZero() || s.Retry < s.Interval) {
		return now.Add(s.Retry)
	}
	if !s.Cron.IsZero() {
		return s.turn(now)
	}
	since := (time.Duration(now.UnixNano()) - s.Splay) % s.Interval
	if since < 0 {
		since += s.Interval
	}
	return now.Add(s.Interval - since)
}

// turn gives when the check's turn comes after now: the first moment of the expression, by the server's clock, that is not over for this node.
func (s Schedule) turn(now time.Time) time.Time {
	by := now.Add(s.Ahead)
	next, ok := s.Cron.After(by.Add(-s.Splay))
	if !ok {
		return now.Add(s.Interval)
	}
	return now.Add(next.Add(s.Splay).Sub(by))
}
