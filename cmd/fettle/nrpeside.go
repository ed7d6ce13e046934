package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent/actions"
	"github.com/fettle-dev/fettle/agent/nrpe"
)

// nrpeCertFile is the certificate that an agent makes for its NRPE listener, in its state directory.
const nrpeCertFile = "nrpe.pem"

// nrpeSettings are what an agent can be told about answering check_nrpe.
type nrpeSettings struct {
	Listen      string   `yaml:"nrpe-listen" help:"address at which the agent answers check_nrpe, such as 0.0.0.0:5666; empty: none"`
	Allow       []string `yaml:"nrpe-allow" help:"addresses and networks whose check_nrpe is answered, such as 10.0.0.0/8; empty: this machine"`
	Insecure    bool     `yaml:"nrpe-insecure" help:"answer without TLS (check_nrpe -n), on a loopback address only"`
	Cert        string   `yaml:"nrpe-cert" help:"file in PEM with the certificate that check_nrpe is shown; empty: the agent makes one, nrpe.pem in the state directory"`
	Key         string   `yaml:"nrpe-key" help:"file in PEM with the private key of nrpe-cert"`
	ClientCA    string   `yaml:"nrpe-client-ca" help:"file in PEM: check_nrpe has to show a certificate of this authority (-C, -K); empty: none"`
	Connections int      `yaml:"nrpe-connections" help:"connections of check_nrpe at once"`
}

func defaultNRPESettings() nrpeSettings { return nrpeSettings{Connections: nrpe.DefaultConnections} }

// faults are what is wrong, each by its key.
func (c nrpeSettings) faults() (out []error) {
	bad := func(key, format string, args ...any) {
		out = append(out, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
	}
	if _, err := nrpe.ParseAllow(c.Allow); err != nil {
		bad("nrpe-allow", "%v", err)
	}
	if (c.Cert == "") != (c.Key == "") {
		bad("nrpe-cert", "nrpe-cert and nrpe-key belong together, and one of them is missing")
	}
	if c.Connections < 1 || c.Connections > 10_000 {
		bad("nrpe-connections", "%d is not between 1 and 10000", c.Connections)
	}
	if c.Listen == "" {
		return out
	}
	if err := listenFault("nrpe-listen", c.Listen); err != nil {
		return append(out, err)
	}
	switch {
	case c.Insecure && !isLoopback(c.Listen):
		bad("nrpe-insecure", "without TLS it listens on loopback only, such as 127.0.0.1:5666, and %s is no such address", c.Listen)
	case c.Insecure && (c.Cert != "" || c.ClientCA != ""):
		bad("nrpe-insecure", "it says to do without TLS, and nrpe-cert or nrpe-client-ca say not to")
	case len(c.Allow) == 0 && !isLoopback(c.Listen):
		bad("nrpe-allow", "%s is reached from elsewhere: say whose check_nrpe is answered, such as 10.0.0.5", c.Listen)
	}
	return out
}

// nrpeSide is the NRPE listener of an agent, opened and not yet serving.
type nrpeSide struct {
	listener *nrpe.Listener
	at       net.Listener
}

// openNRPE opens the listener; nil: none is asked for. name is the node's.
func openNRPE(cfg nrpeSettings, state, name string, table *actions.Table, log *slog.Logger) (*nrpeSide, error) {
	if cfg.Listen == "" {
		return nil, nil //nolint:nilnil // no listener is an answer
	}
	allow, err := nrpe.ParseAllow(cfg.Allow)
	if err != nil {
		return nil, err
	}
	lc := nrpe.Config{Allow: allow, Connections: cfg.Connections, Version: version}
	if !cfg.Insecure {
		if lc.TLS, err = nrpe.TLS(nrpe.Files{Cert: cfg.Cert, Key: cfg.Key, Own: filepath.Join(state, nrpeCertFile), Name: name, ClientCA: cfg.ClientCA}); err != nil {
			return nil, fmt.Errorf("nrpe: %w", err)
		}
	}
	at, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("nrpe: %w", err)
	}
	return &nrpeSide{listener: nrpe.New(lc, table.AnswerNRPE, log), at: at}, nil
}

// run answers until ctx ends.
func (n *nrpeSide) run(ctx context.Context) error {
	if n == nil {
		return nil
	}
	return n.listener.Serve(ctx, n.at)
}

// ready is what the ready line says of it.
func (n *nrpeSide) ready() string {
	if n == nil {
		return ""
	}
	return " nrpe=" + dialable(n.at.Addr())
}
