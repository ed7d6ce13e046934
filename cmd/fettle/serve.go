package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/audit"
	"github.com/fettle-dev/fettle/catalogue"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/alerts"
	"github.com/fettle-dev/fettle/server/api/client"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/server/auth/directory"
	"github.com/fettle-dev/fettle/server/bridge"
	"github.com/fettle-dev/fettle/server/certs"
	"github.com/fettle-dev/fettle/server/enrol"
	"github.com/fettle-dev/fettle/server/passive"
	"github.com/fettle-dev/fettle/server/remedy"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/broker"
	"github.com/fettle-dev/fettle/wire/trust"
)

// middle is a server with everything around it, opened and not yet running.
type middle struct {
	cfg     serverSettings
	log     *slog.Logger
	store   *store.Store
	server  *server.Server
	broker  *broker.Broker // nil: it is not embedded
	bridge  *bridge.Bridge // nil: it is
	keeper  *auth.Keeper
	certs   *certs.Keeper // nil: no listener speaks TLS
	people  *auth.People
	oidc    *directory.OIDC // nil: there is none
	audit   *audit.Log
	passive *passive.Pusher
	http    net.Listener
	stomp   net.Listener
	handler http.Handler
	context clientContext
	keys    *trust.Authority
	nodes   *enrol.Registry
	alerts  *alerts.Alerts
	// It looks at what the server has committed, and starts runs there.
	remedies *remedy.Remedies
	secret   brokerSecret // of this machine's administrator
	lock     *os.File     // of the state directory
}

// maxLogins is how many nodes a second are let in after a start: about as many as one core greets. Ten thousand are back in a few seconds.
const maxLogins = 2000

// openMiddle wires a server. It is one straight line on purpose: here, and only here, the parts meet.
func openMiddle(ctx context.Context, cfg serverSettings, log *slog.Logger) (m *middle, err error) {
	m = &middle{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if err = os.MkdirAll(cfg.State, 0o700); err != nil {
		return m, fmt.Errorf("state directory: %w", err)
	}
	if m.lock, err = lockState(cfg.State); err != nil {
		return m, err
	}
	if m.certs, err = openCertificates(ctx, cfg, log); err != nil {
		return m, err
	}
	if err = cfg.keepDatabasePrivate(); err != nil {
		return m, err
	}
	if m.store, err = store.Open(ctx, store.Config{DSN: cfg.dsn()}, log); err != nil {
		return m, err
	}
	m.keeper = auth.New(m.store, log, time.Now)
	if m.audit, err = audit.Open(filepath.Join(cfg.State, auditFile), m.store, log, time.Now); err != nil {
		return m, err
	}
	if err = m.openPeople(); err != nil {
		return m, err
	}
	if err = m.openRegistry(ctx); err != nil {
		return m, err
	}
	if m.passive, err = passive.New(cfg.Passive, log, time.Now); err != nil {
		return m, err
	}

	dest := wire.Destinations{Collective: cfg.Collective}
	in := &intake{sessions: map[fettle.NodeID]string{}}
	meters := metrics.NewSet()
	parts := server.Parts{
		Store: m.store, Inventory: inventory.New(), Board: checks.NewBoard(), Log: log, Audit: m.audit, Signer: m.keys, Verifier: m.nodes, Enroller: m.nodes,
	}
	parts.Catalogue = catalogue.New(catalogue.Config{
		Store: m.store, Signer: m.keys, Log: log, Verifier: trust.NewPinned(m.keys.Root(), m.keys.Certificate().MinEpoch, func() (fettle.Millis, bool) { return 0, false }),
	})
	if err = parts.Catalogue.Load(ctx); err != nil {
		return m, err
	}
	if cfg.foreign() {
		err = m.openBridge(&parts, meters)
	} else {
		err = m.openBroker(&parts, meters, dest, in)
	}
	if err != nil {
		return m, err
	}
	if m.server, err = server.New(cfg.Config, parts); err != nil {
		return m, err
	}
	in.server = m.server
	if err = m.server.Load(ctx); err != nil {
		return m, err
	}
	if err = m.listen(); err != nil {
		return m, err
	}
	if err = m.openAlerts(ctx, meters); err != nil {
		return m, err
	}
	m.remedies, err = remedy.New(ctx, remedy.Parts{Fleet: m.server, Store: m.store, Log: log, Audit: m.audit, Metrics: meters})
	if err != nil {
		return m, fmt.Errorf("remedies: %w", err)
	}
	if m.handler, err = m.faces(meters); err != nil {
		return m, err
	}
	return m, m.introduce(ctx)
}

// openBroker makes the broker inside, and has the server speak through it.
func (m *middle) openBroker(parts *server.Parts, meters *metrics.Set, dest wire.Destinations, in *intake) (err error) {
	cfg := broker.DefaultConfig()
	cfg.MaxLogins = maxLogins
	cfg.Metrics = meters
	cfg.Collected = dest.IsCollected
	cfg.Transient = func(d string) bool { return isTransient(dest, d) }
	if m.broker, err = broker.New(cfg, gate{m.nodes, dest}, in, in, m.log); err != nil {
		return err
	}
	parts.Send, parts.Heard = &outlet{m.broker}, m.broker.Heard
	return nil
}

// introduce writes the context with which the local user's command line finds this server.
func (m *middle) introduce(ctx context.Context) error {
	file := filepath.Join(m.cfg.State, contextFile)
	m.context.URL, m.context.CA = m.httpURL(), m.ca()
	if old, err := readContext(file); err == nil {
		if _, err := m.keeper.Authenticate(ctx, old.Token); err == nil {
			m.context.Token = old.Token
		}
	}
	if m.context.Token == "" {
		secret, err := m.keeper.CreateToken(ctx, "local", auth.Admin, 0)
		if err != nil {
			return err
		}
		m.context.Token = secret
	}
	if err := writeContext(file, m.context); err != nil {
		return err
	}
	return m.introduceToUser(ctx)
}

// introduceToUser writes the user's own context, unless it leads to another server that answers.
func (m *middle) introduceToUser(ctx context.Context) error {
	own, err := ownContextFile()
	if err != nil {
		return nil //nolint:nilerr // a service without a home has no command line to be found by
	}
	old, err := readContext(own)
	if err == nil && old.URL != m.context.URL && answers(ctx, old) {
		m.log.Info("the user's own context leads to another server, and stays", "file", own)
		return nil
	}
	if err := writeContext(own, m.context); err != nil {
		m.log.Warn("the user's own context cannot be written", "err", err)
	}
	return nil
}

// dialable gives the address at which this machine reaches a listener: one that listens everywhere is reached by loopback.
func dialable(a net.Addr) string {
	tcp, is := a.(*net.TCPAddr)
	if !is || !tcp.IP.IsUnspecified() {
		return a.String()
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
}

// answers tells whether the server of c lives.
func answers(ctx context.Context, c clientContext) bool {
	ctx, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	server, err := client.New(c.URL, c.Token, c.CA)
	return err == nil && server.Healthy(ctx)
}

// run serves until ctx ends: first the listeners close, then the parts, so that what was received is committed and receipted.
func (m *middle) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	web := &http.Server{
		ErrorLog: slog.NewLogLogger(m.log.Handler(), slog.LevelDebug), // strangers' handshakes, mostly
		Handler:  m.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	worked := make(chan error, 1)
	go func() { worked <- m.work(work) }() // waited for at the end of this function
	doors, closeDoors := context.WithCancel(context.WithoutCancel(ctx))
	defer closeDoors()
	g.Go(func() error { return m.serveBroker(doors) })
	g.Go(func() error {
		<-ctx.Done()
		m.server.StopListening() // before connections are closed: whose they are is not late for that
		closeDoors()
		return nil
	})
	g.Go(func() error {
		if err := m.serveHTTP(web); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("http: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin/2)
		defer cancel()
		if err := web.Shutdown(grace); err != nil {
			return web.Close()
		}
		return nil
	})
	err := g.Wait()
	stopWork()
	return errors.Join(err, <-worked)
}

func (m *middle) close() error {
	faults := []error{m.audit.Close()}
	for _, c := range []io.Closer{m.http, m.stomp} {
		if l, is := c.(net.Listener); is && l != nil {
			if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
				faults = append(faults, err)
			}
		}
	}
	if m.store != nil {
		faults = append(faults, m.store.Close())
	}
	if m.lock != nil {
		faults = append(faults, m.lock.Close())
	}
	return errors.Join(faults...)
}

// ready is the line that scripts wait for.
func (m *middle) ready(role string) string {
	file, err := filepath.Abs(filepath.Join(m.cfg.State, contextFile))
	if err != nil {
		file = filepath.Join(m.cfg.State, contextFile)
	}
	return fmt.Sprintf("ready role=%s http=%s stomp=%s context=%s", role, m.context.URL, m.stompURL(), file)
}

func (a *app) serverCommand() *cobra.Command {
	cfg := defaultServerSettings()
	cmd := &cobra.Command{
		Use: "server", Short: "run the server, with a broker inside or beside it", Args: cobra.NoArgs, GroupID: groupRoles,
		Example: "  fettle server\n  fettle server --state ./var --http 127.0.0.1:8420 --stomp 127.0.0.1:61613\n  fettle server --store mysql://fettle:secret@db:3306/fettle\n" +
			"  fettle server --broker rabbitmq --broker-url stomps://fettle:secret@mq1:61614/fettle,stomps://mq2:61614/fettle",
	}
	s := newRole(cmd, "server", &cfg)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.settle(cmd); err != nil {
			return err
		}
		cfg.File = s.file
		ctx := cmd.Context()
		m, err := openMiddle(ctx, cfg, newLog(a.stderr, cfg.LogLevel, cfg.LogFormat))
		if err != nil {
			return err
		}
		fmt.Fprintln(a.stdout, m.ready("server"))
		return errors.Join(m.run(ctx), m.close())
	}
	return cmd
}
