package broker

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"
)

// meters are the broker's counters. They are cheap enough to be counted for every message.
type meters struct {
	connections, logins, superseded               *metrics.Counter
	deferredLogins                                *metrics.Counter
	frames, beats, bytesIn, bytesOut              *metrics.Counter
	received, delivered, redelivered, receipts    *metrics.Counter
	droppedTransient, droppedRedelivery           *metrics.Counter
	committed, commitFailures                     *metrics.Counter
	errors, slow, silent, panics, staleAcks       *metrics.Counter
	refusedFull, refusedConnections, disconnected *metrics.Counter
	failedHandshakes                              *metrics.Counter
	refusedLogins                                 map[string]*metrics.Counter // by the reasons of refusals
}

func newMeters(set *metrics.Set, b *Broker) *meters {
	gauge := func(name string, f func() int64) {
		set.GetOrCreateGauge("fettle_broker_"+name, func() float64 { return float64(f()) })
	}
	gauge("nodes", func() int64 { return int64(b.nodes.count()) })
	gauge("connections", b.open.Load)
	gauge("sessions", b.sessions.Load)
	gauge("subscriptions", b.subscriptions.Load)
	gauge("out_bytes", b.outBytes.Load)
	gauge("held_messages", b.held.messages.Load)
	gauge("held_bytes", b.held.bytes.Load)
	gauge("inflight_bytes", func() int64 { return int64(b.inflight.inUse()) })
	c := func(name string) *metrics.Counter { return set.GetOrCreateCounter("fettle_broker_" + name) }
	m := &meters{
		connections:        c("connections_total"),
		refusedConnections: c("refused_connections_total"),
		failedHandshakes:   c("failed_handshakes_total"),
		logins:             c("logins_total"),
		deferredLogins:     c("deferred_logins_total"),
		superseded:         c("superseded_sessions_total"),
		frames:             c("received_frames_total"),
		beats:              c("sent_heartbeats_total"),
		bytesIn:            c("received_bytes_total"),
		bytesOut:           c("sent_bytes_total"),
		received:           c("received_messages_total"),
		delivered:          c("delivered_messages_total"),
		redelivered:        c("redelivered_messages_total"),
		receipts:           c("receipts_total"),
		droppedTransient:   c(`dropped_messages_total{reason="nobody there"}`),
		droppedRedelivery:  c(`dropped_messages_total{reason="too many deliveries"}`),
		committed:          c("committed_messages_total"),
		commitFailures:     c("commit_failures_total"),
		refusedFull:        c("refused_messages_total"),
		errors:             c("errors_total"),
		slow:               c("slow_consumers_total"),
		silent:             c("silent_connections_total"),
		staleAcks:          c("stale_acks_total"),
		panics:             c("panics_total"),
		disconnected:       c("disconnected_by_operator_total"),
		refusedLogins:      map[string]*metrics.Counter{},
	}
	for _, reason := range refusals {
		m.refusedLogins[reason] = c(fmt.Sprintf("refused_logins_total{reason=%q}", reason))
	}
	for _, kind := range kinds {
		b.gaugeKind(set, kind)
	}
	return m
}
