package broker

import "time"

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
	Logins      uint64 `json:"logins"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`

	RefusedLogins      map[string]uint64 `json:"refused_logins"`      // by reason; each reason is there
	RefusedConnections uint64            `json:"refused_connections"` // there were too many

	// Rates are a second, over the last few seconds in which Serve ran.
	LoginRate     float64 `json:"login_rate"`
	ReceivedRate  float64 `json:"received_rate"`
	DeliveredRate float64 `json:"delivered_rate"`
	BytesInRate   float64 `json:"bytes_in_rate"`
	BytesOutRate  float64 `json:"bytes_out_rate"`

	Uptime time.Duration `json:"uptime"`
}

// Stats tells what the broker is doing.
func (b *Broker) Stats() Stats {
	refused := make(map[string]uint64, len(b.m.refusedLogins))
	for reason, n := range b.m.refusedLogins {
		refused[reason] = n.Get()
	}
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
		Logins:        b.m.logins.Get(),
		BytesIn:       b.m.bytesIn.Get(),
		BytesOut:      b.m.bytesOut.Get(),

		RefusedLogins:      refused,
		RefusedConnections: b.m.refusedConnections.Get(),

		LoginRate:     b.pace.logins.perSecond(),
		ReceivedRate:  b.pace.received.perSecond(),
		DeliveredRate: b.pace.delivered.perSecond(),
		BytesInRate:   b.pace.bytesIn.perSecond(),
		BytesOutRate:  b.pace.bytesOut.perSecond(),
		Uptime:        b.since(0),
	}
}
