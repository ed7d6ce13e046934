package broker

import (
	"runtime"
	"sync"
)

// wideFanout is the number of subscribers from which on a message is written by the publisher's own goroutines, as far as the sockets take
// it, and not by a goroutine for each subscriber.
const wideFanout = 256

// topic reaches those who are subscribed at the moment of publishing.
type topic struct {
	name    string
	in, out flow // messages that came, and that subscribers took

	mu   sync.Mutex // guards the fields below
	subs map[*subscription]struct{}
	snap []*subscription // subs as a list that is never changed; nil: to be made
	gone bool            // it has been freed: look it up again
}

// join adds s, and tells whether t is still in use.
func (t *topic) join(s *subscription) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gone {
		return false
	}
	t.subs[s] = struct{}{}
	t.snap = nil
	return true
}

// leave takes s out, and tells whether t is to be freed because nobody is left.
func (t *topic) leave(s *subscription) (idle bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subs, s)
	t.snap = nil
	t.gone = len(t.subs) == 0
	return t.gone
}

func (t *topic) subscribers() []*subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.snap == nil {
		t.snap = make([]*subscription, 0, len(t.subs))
		for s := range t.subs {
			t.snap = append(t.snap, s)
		}
	}
	return t.snap
}

// publish gives msg to every subscriber, and tells how many there were that took it. It never waits for any of them.
func (t *topic) publish(msg *encoded) int {
	n := t.fanOut(msg)
	t.in.add(1)
	t.out.add(n)
	return n
}

func (t *topic) fanOut(msg *encoded) int {
	subs := t.subscribers()
	if len(subs) < wideFanout {
		return publishTo(subs, msg, (*conn).push)
	}
	workers := runtime.GOMAXPROCS(0)
	taken := make([]int, workers)
	var wg sync.WaitGroup
	for w := range workers {
		part := subs[w*len(subs)/workers : (w+1)*len(subs)/workers]
		wg.Go(func() { taken[w] = publishTo(part, msg, (*conn).pushNow) })
	}
	wg.Wait()
	n := 0
	for _, k := range taken {
		n += k
	}
	return n
}

func publishTo(subs []*subscription, msg *encoded, push func(*conn, chunk) bool) (taken int) {
	for _, s := range subs {
		if push(s.c, chunk{head: s.head, tail: msg.tail(s.c.dec.Version)}) {
			taken++
			s.c.delivered.add(1)
		}
	}
	return taken
}
