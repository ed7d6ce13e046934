package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/VictoriaMetrics/metrics"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/bridge"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// embedded is the broker that the server carries inside.
const embedded = "embedded"

// foreign tells whether the broker is another program.
func (c serverSettings) foreign() bool { return c.Broker != embedded }

// brokerFaults reports what is wrong with the settings of the broker, each by its key.
func (c serverSettings) brokerFaults() error {
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
	}
	if _, err := wire.DialectOf(c.Broker); err != nil || c.Broker == "" {
		bad("broker", "%q is neither embedded, rabbitmq nor activemq", c.Broker)
		return errors.Join(faults...)
	}
	if !c.foreign() {
		if len(c.BrokerURL) > 0 {
			bad("broker-url", "the embedded broker has none; it listens on stomp")
		}
		return errors.Join(append(faults, listenFault("stomp", c.STOMP))...)
	}
	faults = append(faults, c.bridge(nil).Validate())
	for i, text := range c.BrokerURL {
		if !c.Insecure && readable(text) {
			bad("broker-url", "address %d leads to another machine without TLS, and the passcode would travel readable: say stomps://, or insecure: true", i+1)
		}
	}
	return errors.Join(faults...)
}

// readable tells whether an address is without TLS and not of this machine.
func readable(text string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "stomp" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}

// bridge gives the settings of the connection to a broker that is not embedded.
func (c serverSettings) bridge(meters *metrics.Set) bridge.Config {
	return bridge.Config{Broker: c.Broker, URLs: c.BrokerURL, Collective: c.Collective, Prefetch: c.BrokerPrefetch, Metrics: meters}
}

// openBridge makes the connection to a broker that is not embedded, and has the server speak through it.
func (m *middle) openBridge(parts *server.Parts, meters *metrics.Set) (err error) {
	cfg := m.cfg.bridge(meters)
	if m.cfg.BrokerCA != "" {
		if cfg.TLS, err = trust.AuthorityTLS(m.cfg.BrokerCA); err != nil {
			return fmt.Errorf("broker-ca: %w", err)
		}
	}
	if m.bridge, err = bridge.New(cfg, m.log); err != nil {
		return err
	}
	parts.Send, parts.Away = m.bridge, m.bridge.Away
	return nil
}

// serveBroker works until ctx ends: as a broker, or with one.
func (m *middle) serveBroker(ctx context.Context) error {
	if m.bridge != nil {
		return m.bridge.Run(ctx, m.server)
	}
	return m.broker.Serve(ctx, m.stomp)
}

// stompURL is where agents find the broker.
func (m *middle) stompURL() string {
	if m.bridge != nil {
		return strings.Join(m.bridge.Servers(), ",")
	}
	return m.url("stomp", m.stomp.Addr(), m.cfg.secures(m.cfg.STOMP))
}
