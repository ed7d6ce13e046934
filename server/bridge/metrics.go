package bridge

import "github.com/VictoriaMetrics/metrics"

// meters are counted on the hot path.
type meters struct {
	received     *metrics.Counter
	redelivered  *metrics.Counter
	acknowledged *metrics.Counter
	sent         *metrics.Counter
	unsent       *metrics.Counter
	lost         *metrics.Counter
}

// newMeters registers with set; nil registers nothing.
func newMeters(set *metrics.Set, b *Bridge) *meters {
	if set == nil {
		set = metrics.NewSet()
	}
	set.NewGauge("fettle_bridge_up", func() float64 {
		if b.Away() != nil {
			return 0
		}
		return 1
	})
	set.NewGauge("fettle_bridge_outstanding_messages", func() float64 { return float64(b.waiting()) })
	return &meters{
		received:     set.NewCounter("fettle_bridge_received_messages_total"),
		redelivered:  set.NewCounter("fettle_bridge_redelivered_messages_total"),
		acknowledged: set.NewCounter("fettle_bridge_acknowledged_messages_total"),
		sent:         set.NewCounter("fettle_bridge_sent_messages_total"),
		unsent:       set.NewCounter("fettle_bridge_unsent_messages_total"),
		lost:         set.NewCounter("fettle_bridge_lost_connections_total"),
	}
}
