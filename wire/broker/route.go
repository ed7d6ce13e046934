package broker

import "github.com/fettle-dev/fettle/wire"

// encode encodes a message once for all who will receive it.
func (b *Broker) encode(dest string, header []wire.Field, body []byte) *encoded {
	return encodeMessage(b.prefix, b.messageSeq.Add(1), dest, header, body)
}

// route gives a message to its topic or queue, and tells how many took it.
func (b *Broker) route(dest string, isTopic bool, msg *encoded) (taken int, err error) {
	if isTopic {
		return b.publish(dest, msg), nil
	}
	err = b.table.use(dest, !b.transient(dest), func(q *queue) error {
		ok, err := q.put(msg)
		if ok {
			taken = 1
		}
		return err
	})
	switch {
	case err != nil:
		b.m.refusedFull.Inc()
	case taken == 0:
		b.m.droppedTransient.Inc()
	}
	return taken, err
}

func (b *Broker) publish(dest string, msg *encoded) int {
	t := b.table.topic(dest)
	if t == nil {
		return 0
	}
	n := t.publish(msg)
	b.m.delivered.Add(n)
	return n
}

// reserve makes sure that all messages of steps have room in their queues, or takes nothing.
func (b *Broker) reserve(steps []step) error {
	for i, st := range steps {
		if st.msg == nil || st.topic {
			continue
		}
		err := b.table.use(st.dest, true, func(q *queue) error { return q.reserve(st.msg.size()) })
		if err != nil {
			b.m.refusedFull.Inc()
			b.unreserve(steps[:i])
			return err
		}
	}
	return nil
}

func (b *Broker) unreserve(steps []step) {
	for _, st := range steps {
		if st.msg != nil && !st.topic {
			_ = b.table.use(st.dest, true, func(q *queue) error { q.unreserve(st.msg.size()); return nil })
		}
	}
}

// routeReserved is route for a message for which reserve has made room.
func (b *Broker) routeReserved(st step) {
	if st.topic {
		b.publish(st.dest, st.msg)
		return
	}
	_ = b.table.use(st.dest, true, func(q *queue) error {
		if !q.putReserved(st.msg) {
			b.m.droppedTransient.Inc()
		}
		return nil
	})
}

// subscribe adds s to dest. A queue gives nothing yet.
func (b *Broker) subscribe(s *subscription, dest string, isTopic bool) {
	b.subscriptions.Add(1)
	if isTopic {
		s.head = s.topicHead()
		b.table.joinTopic(dest, s)
		return
	}
	_ = b.table.use(dest, true, func(q *queue) error {
		s.queue = q
		q.join(s)
		return nil
	})
}

// unsubscribe takes s out of its destination.
func (b *Broker) unsubscribe(s *subscription) {
	b.subscriptions.Add(-1)
	if s.topic != nil {
		if s.topic.leave(s) {
			b.table.dropTopic(s.topic)
		}
		return
	}
	s.queue.leave(s)
	b.table.free(s.queue)
}
