package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/agent/actions"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// agentSettings are all that an agent can be told.
type agentSettings struct {
	State      string        `yaml:"state" help:"directory for what the agent must not forget"`
	Server     []string      `yaml:"server" help:"where the broker is, stomp://host:port or stomps://host:port; several, with commas between, for failover"`
	Broker     string        `yaml:"broker" help:"what kind of broker it is: embedded, rabbitmq or activemq"`
	Identity   string        `yaml:"identity" help:"name of this node; empty: its FQDN"`
	SecretFile string        `yaml:"secret-file" help:"file with login:passcode, where the passcode is a join token; empty: broker.secret in the state directory, if it is there"`
	CA         string        `yaml:"ca" help:"file in PEM with the authority of the broker's certificate; empty: the one that the join token names, or the system's"`
	ClientCert string        `yaml:"client-cert" help:"file in PEM with the certificate of this node, for a broker that asks for one"`
	ClientKey  string        `yaml:"client-key" help:"file in PEM with the private key of client-cert"`
	Join       string        `yaml:"join" secret:"true" help:"join token with which this node enrols, the first time that it runs"`
	Pool       string        `yaml:"pool" help:"not used: the pool of a node comes by its join token"`
	NRPEConfig string        `yaml:"nrpe-config" help:"NRPE configuration whose commands this node offers"`
	PluginDirs []string      `yaml:"plugin-dirs" help:"directories whose Nagios plugins check.run may run"`
	PolicyFile string        `yaml:"policy-file" help:"this node's own policy, which has the last word on what is done here; none where it is not there"`
	AuditFile  string        `yaml:"audit-file" help:"file in which every task is noted; empty: audit.log in the state directory"`
	Collective string        `yaml:"collective" help:"what destinations begin with; empty stands for fettle"`
	KeyMaxAge  time.Duration `yaml:"key-max-age" help:"the node makes new keys when its own are older; 0: when it is told to"`
	FactsEvery time.Duration `yaml:"facts-interval" help:"how often facts are collected"`
	VolatileEv time.Duration `yaml:"volatile-interval" help:"how often volatile facts are published at most"`
	Beat       time.Duration `yaml:"beat-interval" help:"how often the agent says that it is there, until the server says otherwise"`
	RunSlots   int           `yaml:"run-slots" help:"actions of runs at once"`
	CheckSlots int           `yaml:"check-slots" help:"checks at once"`
	LogLevel   string        `yaml:"log-level" help:"debug, info, warn or error"`
	LogFormat  string        `yaml:"log-format" help:"text or json"`

	nrpeSettings `yaml:",inline"`
	facts.Config `yaml:",inline"`
}

// defaultPolicy is where an administrator puts the node's own policy. Another file that is named has to be there.
const defaultPolicy = "/etc/fettle/policy.yaml"

// Of the log of what was asked of a node: the size of one file in bytes, and how many older ones are kept.
const (
	auditBytes = 8 << 20
	auditOld   = 4
)

// defaultNRPEConfig is where Debian and Red Hat have it.
const defaultNRPEConfig = "/etc/nagios/nrpe.cfg"

func defaultAgentSettings() agentSettings {
	a := agent.DefaultConfig()
	cfg := agentSettings{
		State: filepath.Join(stateDir, "agent"), NRPEConfig: defaultNRPEConfig, PolicyFile: defaultPolicy, FactsEvery: a.FactsInterval, VolatileEv: a.VolatileInterval, Beat: a.BeatInterval,
		RunSlots: a.RunSlots, CheckSlots: a.CheckSlots, PluginDirs: []string{"/usr/lib/nagios/plugins", "/usr/lib64/nagios/plugins"},
		LogLevel: "info", LogFormat: "text", Config: facts.DefaultConfig(), Broker: embedded,
		nrpeSettings: defaultNRPESettings(),
	}
	cfg.Version = version
	return cfg
}

// Validate reports every fault, each by its key.
func (c agentSettings) Validate() error {
	faults := append([]error{c.Config.Validate(), logFaults(c.LogLevel, c.LogFormat)}, c.nrpeSettings.faults()...)
	bad := func(key, format string, args ...any) {
		faults = append(faults, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
	}
	if c.State == "" {
		bad("state", "a directory is needed")
	}
	if c.Identity != "" {
		if _, err := fettle.ParseNodeID(c.Identity); err != nil {
			bad("identity", "%v", err)
		}
	}
	if _, err := wire.DialectOf(c.Broker); err != nil || c.Broker == "" {
		bad("broker", "%q is neither embedded, rabbitmq nor activemq", c.Broker)
	}
	if c.Join != "" {
		if _, err := trust.ParseJoinToken(c.Join); err != nil {
			bad("join", "%v", err)
		}
	}
	if c.Pool != "" {
		bad("pool", "the pool of a node comes by the join token with which it enrols")
	}
	for key, d := range map[string]time.Duration{"facts-interval": c.FactsEvery, "volatile-interval": c.VolatileEv, "beat-interval": c.Beat} {
		if d < time.Second || d > 24*time.Hour {
			bad(key, "%s is not between 1s and 24h", d)
		}
	}
	if c.KeyMaxAge != 0 && c.KeyMaxAge < agent.MinKeyAge {
		bad("key-max-age", "%s is less than %s, and not 0", c.KeyMaxAge, agent.MinKeyAge)
	}
	for key, n := range map[string]int{"run-slots": c.RunSlots, "check-slots": c.CheckSlots} {
		if n < 1 || n > 1000 {
			bad(key, "%d is not between 1 and 1000", n)
		}
	}
	return errors.Join(faults...)
}

// node is an agent with everything around it, opened and not yet running.
type node struct {
	id        fettle.NodeID
	agent     *agent.Agent
	collector *facts.Collector
	lock      *os.File // of the state directory
	audit     *agent.AuditLog
	nrpe      *nrpeSide // nil: the NRPE protocol is not answered
}

// openNode wires an agent of this machine.
//
// restart has this process begin again; nil: it is not the agent's alone.
func openNode(ctx context.Context, cfg agentSettings, secret brokerSecret, log *slog.Logger, restart func(), tune ...func(*agent.Config)) (*node, error) {
	id, err := identityOf(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	cfg.Config.Identity, cfg.Config.Collective = id, cfg.Collective
	n := &node{id: id, collector: facts.New(cfg.Config, log)}
	ac := agent.DefaultConfig()
	ac.Identity, ac.Version, ac.State, ac.Servers, ac.Collective = id, version, cfg.State, cfg.Server, cfg.Collective
	if ac.Machine = trust.ThisMachine(); cfg.Join != "" {
		if ac.Join, err = trust.ParseJoinToken(cfg.Join); err != nil {
			return nil, err
		}
	}
	if err := secret.enrolWith(&ac); err != nil {
		return nil, err
	}
	ac.Broker = cfg.Broker
	if ac.TLS, err = clientTLS(cfg.CA, cfg.ClientCert, cfg.ClientKey); err != nil {
		return nil, err
	}
	ac.KeyMaxAge = cfg.KeyMaxAge
	ac.FactsInterval, ac.VolatileInterval, ac.BeatInterval = cfg.FactsEvery, cfg.VolatileEv, cfg.Beat
	ac.RunSlots, ac.CheckSlots = cfg.RunSlots, cfg.CheckSlots
	nrpe := cfg.NRPEConfig
	if nrpe != "" {
		if nrpe, err = filepath.Abs(nrpe); err != nil {
			return nil, err
		}
	}
	policy, err := openPolicy(cfg.PolicyFile, log)
	if err != nil {
		return nil, err
	}
	factsDir := ""
	if len(cfg.Dirs) > 0 {
		if factsDir, err = filepath.Abs(cfg.Dirs[0]); err != nil { // where two name the same fact, the earlier directory wins
			return nil, err
		}
	}
	table, err := actions.New(actions.Config{
		Node: id, Version: version, NRPEConfig: nrpe, PluginDirs: cfg.PluginDirs, Log: log, FactsDir: factsDir, PuppetDirs: cfg.PuppetDirs, Policy: policy, Restart: restart,
		Facts: func(ctx context.Context) (map[string]any, error) { return n.agent.Refresh(ctx) },
		Known: func() actions.Known { return n.agent.Known() },
		Shelf: filepath.Join(cfg.State, "plugins"), Children: filepath.Join(cfg.State, "children"), Program: ownProgram(), State: cfg.State,
		Fetch: func(ctx context.Context, digest string, limit int64, w io.Writer) (wire.Voucher, error) {
			return n.agent.Fetch(ctx, digest, limit, w)
		},
	})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, fmt.Errorf("state directory: %w", err)
	}
	if n.lock, err = lockState(cfg.State); err != nil {
		return nil, err
	}
	if n.audit, err = agent.OpenAuditLog(cmp.Or(cfg.AuditFile, filepath.Join(cfg.State, "audit.log")), auditBytes, auditOld); err != nil {
		return nil, errors.Join(err, n.lock.Close())
	}
	ac.Remains = table.EndRemains
	ac.Audit = func(e agent.AuditEntry) {
		if err := n.audit.Write(e); err != nil {
			log.Error("a task is not in the audit log", "task", string(e.Task), "err", err)
		}
	}
	for _, f := range tune {
		f(&ac)
	}
	if n.agent, err = agent.New(ac, n.collector, table, log); err != nil {
		return nil, errors.Join(err, n.lock.Close(), n.audit.Close())
	}
	if n.nrpe, err = openNRPE(cfg.nrpeSettings, cfg.State, string(id), table, log); err != nil {
		return nil, errors.Join(err, n.lock.Close(), n.audit.Close())
	}
	return n, nil
}

// openPolicy reads the node's policy; nil: it has none.
func openPolicy(file string, log *slog.Logger) (*actions.Policy, error) {
	if file == "" {
		return nil, nil
	}
	return actions.OpenPolicy(file, file == defaultPolicy, log)
}

// enrolWith has an agent use what stands in a secret file: a join token, or a login that the broker knows.
func (s brokerSecret) enrolWith(cfg *agent.Config) error {
	if strings.HasPrefix(s.passcode, trust.TokenPrefix) {
		token, err := trust.ParseJoinToken(s.passcode)
		if err != nil || !cfg.Join.None() {
			return err
		}
		cfg.Join = token
		return nil
	}
	cfg.Login, cfg.Passcode = s.login, s.passcode
	return nil
}

// identityOf gives the configured identity, or the FQDN.
func identityOf(ctx context.Context, cfg agentSettings, log *slog.Logger) (fettle.NodeID, error) {
	if cfg.Identity != "" {
		return fettle.ParseNodeID(cfg.Identity)
	}
	local := cfg.Config
	local.Cloud, local.Dirs, local.Facter = false, nil, false
	snapshot, err := facts.New(local, log).Collect(ctx)
	if err != nil {
		return "", err
	}
	networking, _ := snapshot.Facts["networking"].(map[string]any)
	fqdn, _ := networking["fqdn"].(string)
	id, err := fettle.ParseNodeID(fqdn)
	if err != nil {
		return "", fmt.Errorf("this machine's FQDN %q makes no identity, give one by --identity: %w", fqdn, err)
	}
	return id, nil
}

// run works until ctx ends.
func (n *node) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.collector.Run(ctx) })
	g.Go(func() error { return n.agent.Run(ctx) })
	g.Go(func() error { return n.nrpe.run(ctx) })
	return errors.Join(g.Wait(), n.lock.Close(), n.audit.Close())
}

func (a *app) agentCommand() *cobra.Command {
	cfg := defaultAgentSettings()
	cmd := &cobra.Command{
		Use: "agent", Short: "run the agent of this machine", Args: cobra.NoArgs, GroupID: groupRoles,
		Example: "  fettle agent --server stomp://fettle.acme.net:61613 --join fjt1_…\n  fettle agent --server stomp://a:61613,stomp://b:61613 --identity web1.acme.net",
	}
	s := newRole(cmd, "agent", &cfg)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.settle(cmd); err != nil {
			return err
		}
		if len(cfg.Server) == 0 {
			return usage(fmt.Errorf("--server is missing: where is the broker? stomp://host:61613: %w", fettle.ErrInvalid))
		}
		file := cfg.SecretFile
		if file == "" {
			file = filepath.Join(cfg.State, secretFile)
		}
		secret, err := readSecret(file)
		if errors.Is(err, os.ErrNotExist) && cfg.SecretFile == "" {
			err = nil // it has a join token, or is enrolled
		}
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(cmd.Context())
		defer stop()
		var again atomic.Bool
		log, program := newLog(a.stderr, cfg.LogLevel, cfg.LogFormat), ownProgram()
		swap, err := actions.ReadSwap(cfg.State)
		switch {
		case err != nil:
			return err
		case swap != nil && !swap.Ended:
			return a.trial(ctx, cfg, secret, swap, log)
		}
		n, err := openNode(ctx, cfg, secret, log, func() { again.Store(true); stop() }, afterUpgrade(swap, log))
		if err != nil {
			return err
		}
		err = a.announce(ctx, n.run, n.agent.Ready(), fmt.Sprintf("ready role=agent identity=%s server=%s%s", n.id, strings.Join(cfg.Server, ","), n.nrpe.ready()))
		if !again.Load() || cmd.Context().Err() != nil {
			return err
		}
		if swap, fault := actions.ReadSwap(cfg.State); fault != nil || swap != nil && !swap.Ended {
			if fault == nil {
				fault = a.guard(cmd.Context(), cfg.State, swap, log)
			}
			return errors.Join(err, fault)
		}
		return errors.Join(err, a.become(cmd.Context(), program, os.Args)) // where the program was, that may be another version now
	}
	return cmd
}

// announce runs a part, and prints its ready line when it is.
func (a *app) announce(ctx context.Context, run func(context.Context) error, ready <-chan struct{}, line string) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return run(ctx) })
	g.Go(func() error {
		select {
		case <-ready:
			_, err := fmt.Fprintln(a.stdout, line)
			return err
		case <-ctx.Done():
			return nil
		}
	})
	return g.Wait()
}
