package remedy

import (
	"fmt"

	"github.com/VictoriaMetrics/metrics"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// meters count what is done.
type meters struct {
	started, behind, faults *metrics.Counter
	outcomes                map[fettle.RemedyPhase]*metrics.Counter
	skipped                 map[string]*metrics.Counter // by kind
}

// newMeters registers with set; nil registers nothing.
func newMeters(set *metrics.Set, r *Remedies) *meters {
	if set == nil {
		set = metrics.NewSet()
	}
	m := &meters{
		started: set.NewCounter("fettle_remedies_started_total"), behind: set.NewCounter("fettle_remedies_too_old_total"), faults: set.NewCounter("fettle_remedies_look_errors_total"),
		outcomes: map[fettle.RemedyPhase]*metrics.Counter{}, skipped: map[string]*metrics.Counter{},
	}
	for _, phase := range []fettle.RemedyPhase{fettle.RemedyMended, fettle.RemedyUnmended, fettle.RemedyFailed} {
		m.outcomes[phase] = set.NewCounter(fmt.Sprintf("fettle_remedies_ended_total{outcome=%q}", phase))
	}
	for _, kind := range kinds() {
		m.skipped[kind] = set.NewCounter(fmt.Sprintf("fettle_remedies_skipped_total{reason=%q}", kind))
	}
	for _, phase := range []fettle.RemedyPhase{fettle.RemedyWaiting, fettle.RemedyRunning, fettle.RemedyWatching} {
		set.NewGauge(fmt.Sprintf("fettle_remedies_going{phase=%q}", phase), func() float64 {
			r.mu.Lock()
			defer r.mu.Unlock()
			return float64(r.open[phase])
		})
	}
	count := func(stopped bool) func() float64 {
		return func() (n float64) {
			for _, p := range r.Pauses() {
				if p.Stopped == stopped {
					n++
				}
			}
			return n
		}
	}
	set.NewGauge("fettle_remedies_paused", count(false))
	set.NewGauge("fettle_remedies_stopped_checks", count(true))
	return m
}

// judged counts what was left out at once.
func (m *meters) judged(one store.Remedy) {
	if one.Ended != 0 {
		m.ended(one)
	}
}

// ended counts an end.
func (m *meters) ended(one store.Remedy) {
	if c := m.outcomes[one.Phase]; c != nil {
		c.Inc()
	} else if c := m.skipped[one.Kind]; c != nil && one.Phase == fettle.RemedySkipped {
		c.Inc()
	}
}
