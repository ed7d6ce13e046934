package main

import (
	"context"

	"github.com/VictoriaMetrics/metrics"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/alerts"
)

// openAlerts makes those who are told of what is wrong.
func (m *middle) openAlerts(ctx context.Context, meters *metrics.Set) (err error) {
	cfg := m.cfg.Alerts
	if cfg.URL == "" {
		cfg.URL = m.httpURL()
	}
	m.alerts, err = alerts.New(ctx, cfg, alerts.Parts{Source: verdictSource{m.server}, Store: m.store, Log: m.log, Metrics: meters})
	return err
}

// verdictSource gives alerts the verdicts of a server.
type verdictSource struct{ server *server.Server }

// Verdicts gives those of all checks and groups.
func (s verdictSource) Verdicts(ctx context.Context) ([]fettle.Verdict, error) {
	return s.server.Verdicts(ctx)
}

// About gives what people say of a check or a group; no name is both.
func (s verdictSource) About(ctx context.Context, name string) alerts.About {
	if def, err := s.server.CheckDefinition(ctx, name); err == nil {
		return alerts.About{Owner: def.Owner, Runbook: def.Runbook, Notes: def.Notes, Labels: def.Labels}
	}
	if g, err := s.server.Group(ctx, name); err == nil {
		return alerts.About{Owner: g.Owner, Runbook: g.Runbook, Notes: g.Notes, Labels: g.Labels}
	}
	return alerts.About{}
}

// Flaps tells whether a state changes too often to be believed.
func (s verdictSource) Flaps(check string, node fettle.NodeID) bool {
	state, known := s.server.Board.State(check, node)
	return known && state.Flapping
}
