package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/api"
	"github.com/fettle-dev/fettle/server/enrol"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// renewEvery is how often it is looked whether the server's certificate has to be renewed: it holds for a year.
const renewEvery = 6 * time.Hour

// openRegistry opens the server's keys, which it makes at the first start, and what it knows of those of the nodes.
func (m *middle) openRegistry(ctx context.Context) (err error) {
	if m.keys, err = trust.OpenAuthority(m.cfg.State, time.Now); err != nil {
		return err
	}
	ca, pin := m.brokerCA()
	m.nodes, err = enrol.New(enrol.Config{
		CA: ca, CAPin: pin, Approval: m.cfg.EnrolApproval, Root: m.keys.Root(), LoginKey: m.keys.LoginKey(), Keys: m.keys,
		Cut: func(id fettle.NodeID, reason string) {
			if m.broker != nil {
				_, _ = m.broker.Disconnect(string(id), reason) // it may not be connected
			}
		},
	}, m.store, m.log)
	if err != nil {
		return err
	}
	if m.secret, err = keepSecret(m.cfg.State, m.nodes.Local().String()); err != nil {
		return err
	}
	return m.nodes.Load(ctx)
}

// isTransient tells which queues live as long as their reader: what is sent to a node that is away is sent again when it says hello.
func isTransient(dest wire.Destinations, name string) bool {
	_, node := dest.IsNode(name)
	_, join := dest.IsJoin(name)
	return node || join
}

// work runs the parts that must outlive the listeners.
func (m *middle) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.server.Run(ctx) })
	g.Go(func() error { return m.nodes.Run(ctx) })
	g.Go(func() error { return m.renew(ctx) })
	g.Go(func() error { return m.audit.Run(ctx) })
	g.Go(func() error { return m.passive.Run(ctx, m.server) })
	g.Go(func() error { return m.alerts.Run(ctx) })
	g.Go(func() error { return m.remedies.Run(ctx) })
	return g.Wait()
}

// renew keeps the server's certificate from ending, until ctx ends.
func (m *middle) renew(ctx context.Context) error {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		renewed, err := m.keys.Renew()
		switch {
		case errors.Is(err, fettle.ErrUnavailable):
			m.log.Error("agents will not believe this server for long", "err", err)
		case err != nil:
			m.log.Error("renew the server's certificate", "err", err)
		case renewed:
			m.log.Info("the server's certificate is renewed")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// enrolments is the registry with what an order of a person calls for at once.
type enrolments struct {
	*enrol.Registry
	server *server.Server
}

var _ api.Enrolments = enrolments{}

// Rotate notes that a node is to make itself a new key, and tells it so if it is there.
func (e enrolments) Rotate(ctx context.Context, id fettle.NodeID, caller string) error {
	if err := e.Registry.Rotate(ctx, id, caller); err != nil {
		return err
	}
	e.server.RotateKey(ctx, id)
	return nil
}
