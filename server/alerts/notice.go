package alerts

import (
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// notice is what a receiver was told of an alert.
type notice struct {
	Receiver string             `json:"-"`
	Alert    string             `json:"-"`
	Episode  string             `json:"episode"`
	Status   fettle.CheckStatus `json:"status"` // that was told last
	At       fettle.Millis      `json:"-"`      // when
	First    fettle.Millis      `json:"first"`  // when it was told for the first time in this episode
	Told     int                `json:"told"`   // how often
	Ended    bool               `json:"ended,omitempty"`
	Thread   string             `json:"thread,omitempty"` // the id of the first message of this episode
}

// item is something that a receiver is to be told.
type item struct {
	Alert  Alert
	Was    fettle.CheckStatus // what it was told last, if that was something else; empty: nothing, or the same
	Told   int                // how often it was told before, in this episode
	Thread string             // the id of the first message about it; empty: there was none
	Repeat bool               // nothing has changed since
}

// routeTo gives the first route, of those that lead to a receiver, that an alert takes; nil: none does.
func routeTo(routes []Route, receiver string, a *Alert) *Route {
	for i := range routes {
		r := &routes[i]
		if !r.matches(a) {
			continue
		}
		if slices.Contains(r.Receivers, receiver) {
			return r
		}
		if !r.Continue {
			return nil
		}
	}
	return nil
}

// pace is what kinds of receivers differ in.
type pace struct {
	again  time.Duration // what goes on is told again so often, whatever the route says; zero: as the route says
	linger time.Duration // an end is told again for so long; zero: it is told once
}

// due tells whether a receiver is to be told of a at a moment, and when it is to be asked again if not; zero: when something changes.
func (p pace) due(a *Alert, n *notice, route *Route, now fettle.Millis) (it item, is bool, next fettle.Millis) {
	if n != nil && n.Episode != a.Episode && n.Ended {
		n = nil
	}
	told := n != nil // perhaps of an earlier episode, whose end was never told: for the receiver it has not ended
	it.Alert = *a
	if told {
		it.Told, it.Thread = n.Told, n.Thread
	}
	switch {
	case a.Ended != 0 && !told:
		return it, false, 0 // who has not heard that it began need not hear that it ended
	case a.Ended != 0 && !n.Ended:
		if n.Status != a.Status {
			it.Was = n.Status
		}
		return it, true, 0
	case a.Ended != 0:
		if p.linger == 0 || now.Sub(a.Ended) > p.linger {
			return it, false, 0
		}
		it.Repeat = true
		return p.at(it, n.At.Add(p.again), now)
	case route == nil && !told:
		return it, false, 0
	case !told:
		return p.at(it, a.Since.Add(route.For), now)
	case n.Status != a.Status:
		it.Was = n.Status
		return it, true, 0
	}
	it.Repeat = true
	switch {
	case p.again != 0:
		return p.at(it, n.At.Add(p.again), now)
	case route == nil || route.Repeat < 0:
		return it, false, 0
	}
	return p.at(it, n.At.Add(route.Repeat), now)
}

// at says that an item is due at a moment.
func (p pace) at(it item, when, now fettle.Millis) (item, bool, fettle.Millis) {
	if now >= when {
		return it, true, 0
	}
	return it, false, when
}

// over tells whether a receiver has nothing to be told of a any more.
func (p pace) over(a *Alert, n *notice, now fettle.Millis) bool {
	if a.Ended == 0 {
		return false
	}
	if n == nil || n.Episode != a.Episode && n.Ended {
		return true
	}
	return n.Ended && (p.linger == 0 || now.Sub(a.Ended) > p.linger)
}
