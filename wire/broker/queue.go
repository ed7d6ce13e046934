package broker

import (
	"fmt"
	"sync"

	"github.com/fettle-dev/fettle"
)

// queue holds messages until a subscriber is done with them. Its bounds count what is ready, what is pending and what is reserved.
type queue struct {
	b         *Broker
	name      string
	transient bool
	in, out   flow // messages that came, and that were given to consumers

	mu       sync.Mutex // guards the fields below, and those of its subscriptions
	ready    list
	messages int // ready, pending and reserved
	bytes    int // the same
	subs     []*subscription
	turn     int // the subscriber to be asked first
}

// put adds a message and hands out what can be. taken is false if the queue is transient and nobody is there.
func (q *queue) put(msg *encoded) (taken bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.transient && len(q.subs) == 0 {
		return false, nil
	}
	if err := q.take(msg.size()); err != nil {
		if q.transient && q.bytes > lagging {
			q.cutOff()
		}
		return false, err
	}
	q.add(msg)
	return true, nil
}

// add adds a message that has been counted. The caller holds q.mu.
func (q *queue) add(msg *encoded) {
	q.in.add(1)
	q.ready.pushBack(&item{msg: msg, at: q.b.now()})
	q.dispatch()
}

// cutOff ends the connections of those who let a transient queue fill: it is theirs, and what it holds counts as waiting to be written to
// them. The caller holds q.mu.
func (q *queue) cutOff() {
	for _, s := range q.subs {
		s.c.mu.Lock()
		s.c.cutOff("did not acknowledge")
		s.c.mu.Unlock()
	}
}

// reserve makes sure of the room for a message that putReserved will add or unreserve will not.
func (q *queue) reserve(size int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.take(size)
}

func (q *queue) putReserved(msg *encoded) (taken bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.transient && len(q.subs) == 0 {
		q.give(msg.size())
		return false
	}
	q.add(msg)
	return true
}

func (q *queue) unreserve(size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.give(size)
}

// take counts one message more, unless a bound says no. The caller holds q.mu.
func (q *queue) take(size int) error {
	cfg := &q.b.cfg
	maxBytes := cfg.MaxQueueBytes
	if q.transient {
		maxBytes = cfg.MaxOut
	}
	switch {
	case q.messages+1 > cfg.MaxQueueMessages:
		return fmt.Errorf("%s holds %d messages, and %d are allowed: %w", q.name, q.messages, cfg.MaxQueueMessages, fettle.ErrUnavailable)
	case q.bytes+size > maxBytes:
		return fmt.Errorf("%s holds %d bytes, and %d are allowed: %w", q.name, q.bytes, maxBytes, fettle.ErrUnavailable)
	case !q.b.held.take(size):
		return fmt.Errorf("the queues together hold as much as they may: %w", fettle.ErrUnavailable)
	}
	q.messages++
	q.bytes += size
	return nil
}

// give undoes take. The caller holds q.mu.
func (q *queue) give(size int) {
	q.messages--
	q.bytes -= size
	q.b.held.give(size)
}

// dispatch hands out what is ready to those who have credit and room. It never waits. The caller holds q.mu.
func (q *queue) dispatch() {
	for q.ready.n > 0 {
		s := q.next()
		if s == nil {
			return
		}
		it := q.ready.head
		q.ready.remove(it)
		s.add(it)
		ch := chunk{head: s.queueHead(it), tail: it.msg.tail(s.c.dec.Version)}
		if s.ack == ackAuto {
			ch.sub, ch.id = s, it.msg.id
		}
		if !s.c.push(ch) {
			s.stopped = true
			s.remove(it)
			q.ready.pushFront(it)
			continue
		}
		q.b.m.delivered.Inc()
		q.out.add(1)
		s.c.delivered.add(1)
		if it.deliveries > 0 {
			q.b.m.redelivered.Inc()
		}
	}
}

// next gives the subscriber whose turn it is, of those that can take a message now. The caller holds q.mu.
func (q *queue) next() *subscription {
	for i := range q.subs {
		s := q.subs[(q.turn+i)%len(q.subs)]
		if s.credit > 0 && !s.stopped && s.c.hasRoom(q) {
			q.turn = (q.turn + i + 1) % len(q.subs)
			return s
		}
	}
	return nil
}

// kick hands out what can be handed out now.
func (q *queue) kick() {
	q.mu.Lock()
	q.dispatch()
	q.mu.Unlock()
}

// join adds s without giving it anything yet.
func (q *queue) join(s *subscription) {
	q.mu.Lock()
	q.subs = append(q.subs, s)
	q.mu.Unlock()
}

// leave takes s out. What it was given comes back, in order, before everything else.
func (q *queue) leave(s *subscription) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, o := range q.subs {
		if o == s {
			q.subs = append(q.subs[:i], q.subs[i+1:]...)
			break
		}
	}
	s.stopped = true
	for s.pending.tail != nil {
		q.takeBack(s, s.pending.tail)
	}
	if q.transient && len(q.subs) == 0 {
		for q.ready.n > 0 {
			it := q.ready.head
			q.ready.remove(it)
			q.give(it.msg.size())
			q.b.m.droppedTransient.Inc()
		}
	}
	q.dispatch()
}

// takeBack puts a message that s was given back to the front, or drops it if that has happened too often. The caller holds q.mu.
func (q *queue) takeBack(s *subscription, it *item) {
	s.remove(it)
	it.deliveries++
	if it.deliveries >= q.b.cfg.MaxDeliveries {
		q.give(it.msg.size())
		q.b.m.droppedRedelivery.Inc()
		return
	}
	q.ready.pushFront(it)
}

// settle is an ACK, or a NACK, of s for one message or, where s.ack is ackClient, for all up to it. It tells whether that was pending.
func (q *queue) settle(s *subscription, id uint64, nack bool) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	it := s.byID[id]
	if it == nil {
		return false
	}
	for it != nil {
		before := it.prev
		if nack {
			q.takeBack(s, it)
		} else {
			s.remove(it)
			q.give(it.msg.size())
		}
		if s.ack != ackClient {
			break
		}
		it = before
	}
	q.dispatch()
	return true
}

// written notes that messages to s, which acknowledges by itself, have gone to its socket.
func (q *queue) written(s *subscription, chunks []chunk) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, ch := range chunks {
		if it := s.byID[ch.id]; it != nil {
			s.remove(it)
			q.give(it.msg.size())
		}
	}
	q.dispatch()
}

// idle tells whether nothing and nobody is in q.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages == 0 && len(q.subs) == 0
}
