package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

// devWait is how long dev waits for its own agent's facts before it says so and is ready all the same.
const devWait = 15 * time.Second

func (a *app) devCommand() *cobra.Command {
	srv, agt := defaultServerSettings(), defaultAgentSettings()
	srv.State, agt.State = "./var", "./var"
	cmd := &cobra.Command{
		Use: "dev", Short: "server and agent of this machine in one process, for a first look", Args: cobra.NoArgs, GroupID: groupRoles,
		Long: "Runs a server with its broker and SQLite, and an agent of this machine, in one process. Prints the address, a link that signs\n" +
			"a browser in, and commands to try. Everything is kept in the state directory; Ctrl-C ends it.",
		Example: "  fettle dev\n  fettle dev --state /tmp/fettle --http 127.0.0.1:0 --stomp 127.0.0.1:0\n  fettle dev --nrpe-config ./nrpe.cfg --facts-dir ./facts.d",
	}
	s := newRole(cmd, "dev", &srv, &agt)
	for _, key := range []string{"server", "secret-file", "join", "pool", "broker", "broker-url", "broker-ca", "broker-prefetch"} {
		if err := cmd.Flags().MarkHidden(key); err != nil {
			continue // it has no such flag any more
		}
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.settle(cmd); err != nil {
			return err
		}
		srv.File = s.file
		return a.dev(cmd.Context(), srv, agt)
	}
	return cmd
}

// dev runs both parts. The agent connects as any other would, by the address and the secret.
func (a *app) dev(ctx context.Context, srv serverSettings, agt agentSettings) error {
	srv.Broker, srv.BrokerURL = embedded, nil
	log := newLog(a.stderr, srv.LogLevel, srv.LogFormat)
	m, err := openMiddle(ctx, srv, log)
	if err != nil {
		return err
	}
	agt.Server, agt.CA = []string{m.stompURL()}, m.ca()
	agt.Broker = embedded
	agt.State = filepath.Join(srv.State, "agent")
	n, err := openNode(ctx, agt, m.secret, log, nil)
	if err != nil {
		return errors.Join(err, m.close())
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.run(ctx) })
	g.Go(func() error { return n.run(ctx) })
	g.Go(func() error { return a.welcome(ctx, m, n) })
	return errors.Join(g.Wait(), m.close())
}

// welcome waits until the machine can be asked for, and tells a person how.
func (a *app) welcome(ctx context.Context, m *middle, n *node) error {
	waiting, cancel := context.WithTimeout(ctx, devWait)
	defer cancel()
	changes := m.server.Changes(waiting)
	for {
		if own, known := m.server.Inventory.Get(n.id); known && own.Hash != "" {
			break
		}
		if _, open := <-changes; !open {
			break
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	fmt.Fprintln(a.stdout, m.ready("dev")+n.nrpe.ready())
	link, err := m.loginLink(ctx)
	if ctx.Err() != nil {
		return nil // told to stop as soon as it was ready
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, `
pages     %s
sign in   %s   (once, within 15 minutes)

try       %s find 'facts.kernel == "Linux"'
          %s facts os.release.major
          %s check check_load
`, m.context.URL, link, a.self(), a.self(), a.self())
	return nil
}
