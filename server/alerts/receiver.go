package alerts

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Limits of telling.
const (
	maxItems   = 500             // in one message
	minBackoff = time.Second     // after the first time that a receiver did not take a message, doubled each time
	maxBackoff = 5 * time.Minute //
	hour       = time.Hour
)

// message is what a receiver is told at once.
type message struct {
	Receiver string
	URL      string // of our pages; empty: not known
	At       fettle.Millis
	Items    []item // at least one; the worst first
	Test     bool
}

// receiver is somebody who is told, and what they were told.
type receiver struct {
	name, kind string
	pace
	timeout time.Duration
	gather  time.Duration // how long the first of some items waits for others
	hourly  int           // messages; zero: no limit
	tell    func(ctx context.Context, m message) error

	wake chan struct{} // holds a token when something may have changed

	// All below is guarded by Alerts.mu.
	notices  map[string]*notice // by alert
	unsaved  map[string]*notice // told, and not yet in the store
	began    fettle.Millis      // when the first item that waits became due; zero: none does
	recent   []fettle.Millis    // when messages were sent within the last hour, where that is limited
	tries    int                // since the last message that was taken
	nextTry  fettle.Millis
	lastErr  string
	lastSent fettle.Millis
	waiting  int // items that are due
}

// newReceiver makes a receiver of what the configuration says, and reads its files.
func newReceiver(c Receiver) (r *receiver, err error) {
	r = &receiver{name: c.Name, wake: make(chan struct{}, 1), notices: map[string]*notice{}, unsaved: map[string]*notice{}}
	switch {
	case c.Alertmanager != nil:
		err = c.Alertmanager.open(r)
	case c.Mail != nil:
		err = c.Mail.open(r)
	case c.Webhook != nil:
		err = c.Webhook.open(r)
	}
	return r, err
}

// poke has the receiver look what is due.
func (r *receiver) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// serve tells one receiver what is due until ctx ends. It never holds up the others.
func (a *Alerts) serve(ctx context.Context, r *receiver) {
	for {
		m, wait := a.take(r)
		if len(m.Items) > 0 {
			a.deliver(ctx, r, m)
			if ctx.Err() != nil {
				return
			}
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-r.wake:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// take gives the message that is due to r; without items, how long nothing will be unless it is woken.
func (a *Alerts) take(r *receiver) (m message, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := fettle.MillisOf(a.Now())
	items, next := a.due(r, now)
	r.waiting = len(items)
	if len(items) == 0 {
		r.began = 0
	} else if held := r.heldUntil(now); held > now {
		items, next = nil, held
	}
	if len(items) > 0 {
		r.began = 0
		return message{Receiver: r.name, URL: a.cfg.URL, At: now, Items: items[:min(len(items), maxItems)]}, 0
	}
	wait = time.Hour
	if next != 0 {
		wait = min(max(next.Sub(now), time.Millisecond), wait)
	}
	return message{}, wait
}

// due gives what r is to be told now, and when something else will be due; zero: nothing will.
func (a *Alerts) due(r *receiver, now fettle.Millis) (items []item, next fettle.Millis) {
	for _, one := range a.book.sorted() {
		it, is, at := r.due(one, r.notices[one.Name], routeTo(a.cfg.Routes, r.name, one), now)
		if is {
			items = append(items, it)
		} else if at != 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return items, next
}

// heldUntil tells how long what is due has to wait: for others that come at the same time, for a receiver that did not take the last message,
// and for the hour to have room.
func (r *receiver) heldUntil(now fettle.Millis) fettle.Millis {
	if r.began == 0 {
		r.began = now
	}
	until := max(r.began.Add(r.gather), r.nextTry)
	if r.hourly > 0 {
		r.recent = slices.DeleteFunc(r.recent, func(at fettle.Millis) bool { return now.Sub(at) >= hour })
		if len(r.recent) >= r.hourly {
			until = max(until, r.recent[0].Add(hour))
		}
	}
	return until
}

// deliver tells r, and notes what came of it.
func (a *Alerts) deliver(ctx context.Context, r *receiver, m message) {
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	err := r.tell(limited, m)
	cancel()
	if ctx.Err() != nil && err != nil {
		return // it was interrupted, and is told at the next start
	}
	a.meters.told(r, len(m.Items), time.Since(began), err)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := fettle.MillisOf(a.Now())
	if err != nil {
		a.failed(r, err, now)
		return
	}
	if r.tries > 0 {
		a.Log.Info("a receiver of alerts takes them again", "receiver", r.name)
	}
	r.tries, r.nextTry, r.lastErr, r.lastSent = 0, 0, "", now
	if r.hourly > 0 {
		r.recent = append(r.recent, now)
	}
	id := notificationOf(m).ID
	for _, it := range m.Items {
		r.note(it, id, now)
	}
	// What was told is kept even when we are told to stop meanwhile.
	if err := a.save(context.WithoutCancel(ctx), now); err != nil {
		a.Log.Warn("what was told is not kept yet, and is told again if the server dies now", "err", err)
	}
}

// note notes that r was told an item by the message of an id.
func (r *receiver) note(it item, id string, now fettle.Millis) {
	n := r.notices[it.Alert.Name]
	if n == nil || n.Episode != it.Alert.Episode {
		n = &notice{Receiver: r.name, Alert: it.Alert.Name, Episode: it.Alert.Episode, First: now, Thread: id}
		r.notices[it.Alert.Name] = n
	}
	n.At, n.Status, n.Ended = now, it.Alert.Status, it.Alert.Ended != 0
	n.Told++
	r.unsaved[n.Alert] = n
}

// failed notes that r did not take a message: it is told again, later each time. a.mu is held.
func (a *Alerts) failed(r *receiver, err error, now fettle.Millis) {
	if r.tries == 0 {
		a.Log.Warn("a receiver of alerts does not take them", "receiver", r.name, "err", err)
	}
	r.tries++
	back := maxBackoff
	if r.tries < 10 {
		back = min(minBackoff<<(r.tries-1), maxBackoff)
	}
	back = back/2 + rand.N(back/2+1)
	r.nextTry, r.lastErr = now.Add(back), cut(fmt.Sprint(err), 500)
}
