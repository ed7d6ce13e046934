package agent

import "github.com/VictoriaMetrics/metrics"

// meters count what an agent does. Agents that share a set share their meters.
type meters struct {
	sent, received, dropped *metrics.Counter                // messages
	refused                 [len(refusals)]*metrics.Counter // messages, by why
	tasks, results, checks  *metrics.Counter
}

func newMeters(set *metrics.Set) *meters {
	counter := func(name string) *metrics.Counter {
		if set == nil {
			return new(metrics.Counter)
		}
		return set.GetOrCreateCounter(name)
	}
	m := &meters{
		sent:     counter("fettle_agent_sent_messages_total"),
		received: counter("fettle_agent_received_messages_total"),
		dropped:  counter("fettle_agent_dropped_messages_total"),
		tasks:    counter("fettle_agent_tasks_total"),
		results:  counter("fettle_agent_results_total"),
		checks:   counter("fettle_agent_checks_total"),
	}
	for why, name := range refusals {
		m.refused[why] = counter(`fettle_agent_refused_messages_total{reason="` + name + `"}`)
	}
	return m
}
