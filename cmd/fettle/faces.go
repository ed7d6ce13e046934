package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/VictoriaMetrics/metrics"

	"github.com/fettle-dev/fettle/server/api"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/web"
)

// faces puts REST, the pages and the metrics on one router.
func (m *middle) faces(meters *metrics.Set) (http.Handler, error) {
	if m.certs != nil {
		meters.GetOrCreateGauge("fettle_server_certificate_expires_seconds", func() float64 { return float64(m.certs.Expires().Unix()) })
	}
	r := api.NewEngine(m.log)
	cfg := api.Config{
		MetricsToken: m.cfg.MetricsToken, Meters: []func(io.Writer){meters.WritePrometheus, m.audit.WriteMetrics, m.passive.WriteMetrics}, Docs: web.Docs(),
		People: m.people, Audit: m.audit, Enrolments: enrolments{m.nodes, m.server}, Alerts: m.alerts, Remedies: m.remedies,
		ShrinkTo: float64(m.cfg.ShrinkTo) / 100, ShrinkHold: m.cfg.ShrinkHold,
	}
	if cfg.ShrinkTo == 0 {
		cfg.ShrinkTo = -1 // nothing is held; zero would be the default
	}
	if m.broker != nil {
		cfg.Broker = brokerView{m.broker}
	}
	if err := api.Mount(r, cfg, m.server, m.keeper, m.log); err != nil {
		return nil, err
	}
	pages := web.Config{NotFound: api.NotFound, People: m.people, Audit: m.audit, Remedies: m.remedies}
	if m.broker != nil {
		pages.Broker = brokerView{m.broker}
	}
	if m.oidc != nil {
		pages.SignOn = m.oidc
	}
	if err := web.Mount(r, pages, m.server, m.keeper, m.log); err != nil {
		return nil, err
	}
	proxies, err := m.cfg.proxies()
	return api.Behind(proxies, r), err
}

// loginLink gives a link that lets a person in, once, within a quarter of an hour.
func (m *middle) loginLink(ctx context.Context) (string, error) {
	code, err := m.keeper.LoginLink(ctx, "local", auth.Admin)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s/login?code=%s", m.context.URL, code), nil
}
