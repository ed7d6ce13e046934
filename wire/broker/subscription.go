package broker

import (
	"strconv"

	"github.com/fettle-dev/fettle/wire"
)

// ackMode is what a subscription's ack header says.
type ackMode uint8

const (
	ackAuto       ackMode = iota // a message is done with when it has been written to the socket
	ackClient                    // an ACK counts for all messages before it too
	ackIndividual                //
)

func parseAckMode(s string) (ackMode, bool) {
	switch s {
	case "", "auto":
		return ackAuto, true
	case "client":
		return ackClient, true
	case "client-individual":
		return ackIndividual, true
	}
	return 0, false
}

// subscription is one SUBSCRIBE. It belongs to a topic or to a queue, and never to both.
type subscription struct {
	c     *conn
	id    string
	num   uint64 // names it in the ack headers of STOMP 1.2
	ack   ackMode
	head  []byte // the first lines of a MESSAGE, up to and with the subscription header
	topic *topic
	queue *queue

	// guarded by queue.mu
	credit  int              // how many more messages it may be given before it acknowledges some
	pending list             // given and not acknowledged, in the order of giving
	byID    map[uint64]*item // the same; nil: none yet
	stopped bool             // its connection takes nothing any more
}

// topicHead gives the head of a message of a topic. Topics do not wait for acknowledgements, but a client that asked for them gets
// something to acknowledge.
func (s *subscription) topicHead() []byte {
	if s.ack == ackAuto || s.c.dec.Version == wire.STOMP11 {
		return s.head
	}
	return s.appendAck(append([]byte(nil), s.head...), 0)
}

// queueHead gives the head of a message of a queue.
func (s *subscription) queueHead(it *item) []byte {
	needAck := s.ack != ackAuto && s.c.dec.Version == wire.STOMP12
	if !needAck && it.deliveries == 0 {
		return s.head
	}
	b := append(make([]byte, 0, len(s.head)+64), s.head...)
	if needAck {
		b = s.appendAck(b, it.msg.id)
	}
	if it.deliveries > 0 {
		b = append(b, "redelivered:true\ndelivery-count:"...)
		b = strconv.AppendInt(b, int64(it.deliveries+1), 10)
		b = append(b, '\n')
	}
	return b
}

func (s *subscription) appendAck(b []byte, message uint64) []byte {
	b = append(b, "ack:"...)
	b = strconv.AppendUint(b, s.num, 10)
	b = append(b, '-')
	b = strconv.AppendUint(b, message, 10)
	return append(b, '\n')
}

// add notes that it has been given to s. The caller holds queue.mu.
func (s *subscription) add(it *item) {
	s.credit--
	s.pending.pushBack(it)
	if s.byID == nil {
		s.byID = map[uint64]*item{}
	}
	s.byID[it.msg.id] = it
}

// remove undoes add. The caller holds queue.mu.
func (s *subscription) remove(it *item) {
	s.credit++
	s.pending.remove(it)
	delete(s.byID, it.msg.id)
}
