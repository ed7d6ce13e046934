package server

import (
	"fmt"
	"io"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/prometheus/client_golang/prometheus"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/wire"
)

// meters are the server's own counters; they are cheap enough for the hot path.
type meters struct {
	set           *metrics.Set
	messages      *metrics.Counter
	batches       *metrics.Counter
	batchSeconds  *metrics.Summary
	commitErrors  *metrics.Counter
	deadLetters   *metrics.Counter
	refused       map[string]*metrics.Counter // dead letters by reason
	replays       *metrics.Counter
	enrolments    map[string]*metrics.Counter // by answer
	patches       *metrics.Counter
	documents     *metrics.Counter
	factsAsked    *metrics.Counter
	results       *metrics.Counter
	repeats       *metrics.Counter
	tasksSent     *metrics.Counter
	pieces        *metrics.Counter // of archives
	tasksAway     *metrics.Counter
	runsStarted   *metrics.Counter
	resultSeconds *metrics.Summary
}

func newMeters() *meters {
	set := metrics.NewSet()
	m := &meters{
		set:           set,
		messages:      set.NewCounter("fettle_server_messages_total"),
		batches:       set.NewCounter("fettle_server_batches_total"),
		batchSeconds:  set.NewSummary("fettle_server_batch_seconds"),
		commitErrors:  set.NewCounter("fettle_server_commit_errors_total"),
		deadLetters:   set.NewCounter("fettle_server_dead_letters_total"),
		patches:       set.NewCounter("fettle_server_facts_patches_total"),
		documents:     set.NewCounter("fettle_server_facts_documents_total"),
		factsAsked:    set.NewCounter("fettle_server_facts_asked_total"),
		results:       set.NewCounter("fettle_server_results_total"),
		repeats:       set.NewCounter("fettle_server_results_repeated_total"),
		tasksSent:     set.NewCounter("fettle_server_tasks_sent_total"),
		pieces:        set.NewCounter("fettle_server_archive_pieces_sent_total"),
		tasksAway:     set.NewCounter("fettle_server_tasks_away_total"),
		runsStarted:   set.NewCounter("fettle_server_runs_started_total"),
		resultSeconds: set.NewSummary("fettle_server_result_seconds"),
		replays:       set.NewCounter("fettle_server_replays_total"),
		refused:       map[string]*metrics.Counter{}, enrolments: map[string]*metrics.Counter{},
	}
	for _, reason := range reasons {
		m.refused[reason] = set.NewCounter(fmt.Sprintf("fettle_server_refused_total{reason=%q}", reason))
	}
	for _, answer := range []string{wire.EnrolledYes, wire.EnrolledPending, wire.EnrolledRefused} {
		m.enrolments[answer] = set.NewCounter(fmt.Sprintf("fettle_server_enrolments_total{answer=%q}", answer))
	}
	return m
}

// enrolled counts an answer to an enrolment.
func (m *meters) enrolled(answer string) { m.enrolments[answer].Inc() }

func (m *meters) batch(messages int, took time.Duration) {
	m.messages.Add(messages)
	m.batches.Inc()
	m.batchSeconds.Update(took.Seconds())
}

// WriteMetrics writes the server's own meters in the Prometheus text format.
func (s *Server) WriteMetrics(w io.Writer) { s.meters.set.WritePrometheus(w) }

// Counts gives the number of nodes by liveness; each value of Liveness is there.
func (s *Server) Counts() map[fettle.Liveness]int {
	c := s.Inventory.Counts()
	return map[fettle.Liveness]int{fettle.Alive: c.Alive, fettle.Late: c.Late, fettle.Silent: c.Silent}
}

// Gatherer gives the nodes by liveness and the verdicts of all checks that are defined, for Prometheus.
func (s *Server) Gatherer() prometheus.Gatherer { return s.gatherer }

func (s *Server) newGatherer() prometheus.Gatherer {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		checks.NewCollector(func() []checks.NamedVerdict { return s.Board.NamedVerdicts(fettle.MillisOf(s.Now())) }, s.tellLeftOut),
		&fleetCollector{
			server: s, nodes: prometheus.NewDesc("fettle_nodes", "Nodes of the inventory, by liveness.", []string{"liveness"}, nil),
			runs: prometheus.NewDesc("fettle_runs_going", "Runs that have not ended.", nil, nil),
		},
	)
	return registry
}

// tellLeftOut says in the log what /metrics has no room for.
func (s *Server) tellLeftOut(left checks.LeftOut) {
	if left == (checks.LeftOut{}) {
		s.Log.Info("metrics have room for all verdicts and perfdata again")
		return
	}
	s.Log.Warn("metrics leave out what they have no room for", "verdicts", left.Verdicts, "perfdata_labels", left.Labels)
}

// fleetCollector counts nodes and runs at each scrape.
type fleetCollector struct {
	server      *Server
	nodes, runs *prometheus.Desc
}

// Describe gives the series there are.
func (c *fleetCollector) Describe(out chan<- *prometheus.Desc) { out <- c.nodes; out <- c.runs }

// Collect counts.
func (c *fleetCollector) Collect(out chan<- prometheus.Metric) {
	for liveness, n := range c.server.Counts() {
		out <- prometheus.MustNewConstMetric(c.nodes, prometheus.GaugeValue, float64(n), string(liveness))
	}
	out <- prometheus.MustNewConstMetric(c.runs, prometheus.GaugeValue, float64(len(c.server.runs.all())))
}
