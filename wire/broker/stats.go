package broker

import (
	"cmp"
	"slices"
)

// Stats is what the broker is doing at a moment. Counters count since it was made.
type Stats struct {
	Connections   int `json:"connections"`
	Sessions      int `json:"sessions"` // connections that are logged in
	Nodes         int `json:"nodes"`    // sessions of nodes
	Subscriptions int `json:"subscriptions"`

	OutBytes      int `json:"out_bytes"`      // wait to be written
	HeldMessages  int `json:"held_messages"`  // in queues
	HeldBytes     int `json:"held_bytes"`     // the same
	InflightBytes int `json:"inflight_bytes"` // of unfinished frames, open transactions and uncommitted messages

	Received    uint64 `json:"received"`  // messages, from clients
	Delivered   uint64 `json:"delivered"` // messages, to clients
	Redelivered uint64 `json:"redelivered"`
	Committed   uint64 `json:"committed"`
	Dropped     uint64 `json:"dropped"` // messages to nobody, or delivered too often
	Slow        uint64 `json:"slow"`    // consumers that were cut off
	Superseded  uint64 `json:"superseded"`
	Errors      uint64 `json:"errors"` // ERROR frames
	Panics      uint64 `json:"panics"`

	Destinations []DestinationStats `json:"destinations"` // by name
}

// DestinationStats is a topic or queue that is in use. A topic holds nothing.
type DestinationStats struct {
	Name      string `json:"name"`
	Consumers int    `json:"consumers"`
	Messages  int    `json:"messages"` // ready and pending
	Pending   int    `json:"pending"`  // given to a consumer and not acknowledged
	Bytes     int    `json:"bytes"`
}

// Stats tells what the broker is doing.
func (b *Broker) Stats() Stats {
	return Stats{
		Connections:   int(b.open.Load()),
		Sessions:      int(b.sessions.Load()),
		Nodes:         b.nodes.count(),
		Subscriptions: int(b.subscriptions.Load()),
		OutBytes:      int(b.outBytes.Load()),
		HeldMessages:  int(b.held.messages.Load()),
		HeldBytes:     int(b.held.bytes.Load()),
		InflightBytes: b.inflight.inUse(),
		Received:      b.m.received.Get(),
		Delivered:     b.m.delivered.Get(),
		Redelivered:   b.m.redelivered.Get(),
		Committed:     b.m.committed.Get(),
		Dropped:       b.m.droppedTransient.Get() + b.m.droppedRedelivery.Get(),
		Slow:          b.m.slow.Get(),
		Superseded:    b.m.superseded.Get(),
		Errors:        b.m.errors.Get(),
		Panics:        b.m.panics.Get(),
		Destinations:  b.table.stats(),
	}
}

func (t *table) stats() []DestinationStats {
	var out []DestinationStats
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for _, tp := range s.topics {
			out = append(out, DestinationStats{Name: tp.name, Consumers: len(tp.subscribers())})
		}
		for _, q := range s.queues {
			out = append(out, q.stats())
		}
		s.mu.RUnlock()
	}
	slices.SortFunc(out, func(a, b DestinationStats) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

func (q *queue) stats() DestinationStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := DestinationStats{Name: q.name, Consumers: len(q.subs), Messages: q.messages, Bytes: q.bytes}
	for _, s := range q.subs {
		d.Pending += s.pending.n
	}
	return d
}
