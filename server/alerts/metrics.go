package alerts

import (
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// meters count what is told.
type meters struct {
	looks, lookErrors *metrics.Counter
	messages, items   map[string]*metrics.Counter // by receiver
	failures          map[string]*metrics.Counter
	seconds           map[string]*metrics.Summary
}

// newMeters registers with set; nil registers nothing.
func newMeters(set *metrics.Set, a *Alerts) *meters {
	if set == nil {
		set = metrics.NewSet()
	}
	m := &meters{
		looks: set.NewCounter("fettle_alerts_looks_total"), lookErrors: set.NewCounter("fettle_alerts_look_errors_total"),
		messages: map[string]*metrics.Counter{}, items: map[string]*metrics.Counter{}, failures: map[string]*metrics.Counter{}, seconds: map[string]*metrics.Summary{},
	}
	set.NewGauge("fettle_alerts_firing", func() float64 { firing, _ := a.count(); return float64(firing) })
	set.NewGauge("fettle_alerts_dropped", func() float64 { _, dropped := a.count(); return float64(dropped) })
	for _, r := range a.receivers {
		label := fmt.Sprintf("{receiver=%q,kind=%q}", r.name, r.kind)
		m.messages[r.name] = set.NewCounter("fettle_alerts_messages_total" + label)
		m.items[r.name] = set.NewCounter("fettle_alerts_notifications_total" + label)
		m.failures[r.name] = set.NewCounter("fettle_alerts_failures_total" + label)
		m.seconds[r.name] = set.NewSummary("fettle_alerts_message_seconds" + label)
		set.NewGauge("fettle_alerts_waiting"+label, func() float64 { return float64(a.waiting(r)) })
	}
	return m
}

// told counts a message with n items.
func (m *meters) told(r *receiver, n int, took time.Duration, err error) {
	m.seconds[r.name].Update(took.Seconds())
	if err != nil {
		m.failures[r.name].Inc()
		return
	}
	m.messages[r.name].Inc()
	m.items[r.name].Add(n)
}

// count gives how many alerts go on, and for how many there was no room.
func (a *Alerts) count() (firing, dropped int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.book.alerts {
		if one.Ended == 0 {
			firing++
		}
	}
	return firing, a.book.dropped
}

func (a *Alerts) waiting(r *receiver) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return r.waiting
}
