package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent/emulate"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

func (a *app) emulateCommand() *cobra.Command {
	cfg := emulate.Default()
	var servers []string
	var secretFrom, slow, states, join, level, record, ca string
	cmd := &cobra.Command{
		Use: "emulate", Short: "run a fleet of emulated nodes in one process, for sizing and tests", Args: cobra.NoArgs, GroupID: groupRoles,
		Long: `Runs the agent itself many times, signing, ledger and spool included, with made-up machines and made-up actions. Facts are
realistic, and the same for the same seed. Checks that are defined on the server are sent to these nodes, and kept by them, as to all others;
--states says what their commands give, which is made up whatever the command. Ends with Ctrl-C.`,
		Example: `  fettle emulate --nodes 2000 --server stomp://127.0.0.1:61613 --secret-file ./var/broker.secret
  fettle emulate --nodes 100 --prefix lab --server stomp://127.0.0.1:61613 --join fjt1_…
  fettle emulate --nodes 500 --silent 2 --fail 1 --slow 5,3s --checks --server stomp://127.0.0.1:61613 --secret-file ./var/broker.secret
  fettle emulate --nodes 500 --checks --states 3,2,1,10m --server stomp://127.0.0.1:61613 --secret-file ./var/broker.secret`,
	}
	f := cmd.Flags()
	f.IntVar(&cfg.Nodes, "nodes", cfg.Nodes, "`NUMBER` of nodes")
	f.StringSliceVar(&servers, "server", nil, "`URL` of the broker, stomp://host:port; several for failover")
	f.StringVar(&cfg.Agent.Broker, "broker", embedded, "`KIND` of broker: embedded, rabbitmq or activemq")
	f.StringVar(&secretFrom, "secret-file", "", "`FILE` with login:passcode, where the passcode is a join token: a server's STATE/broker.secret")
	f.StringVar(&join, "join", "", "join `TOKEN` with which the nodes enrol; their keys are derived from it")
	f.StringVar(&ca, "ca", os.Getenv("FETTLE_CA"), "`FILE` in PEM with the authority of the broker's certificate (default $FETTLE_CA)")
	f.StringVar(&cfg.Prefix, "prefix", cfg.Prefix, "`TEXT` that identities begin with")
	f.Uint64Var(&cfg.Seed, "seed", cfg.Seed, "`NUMBER` from which the facts are made up")
	f.Float64Var(&cfg.Fail, "fail", 0, "`PERCENT` of the nodes on which every action fails")
	f.Float64Var(&cfg.Silent, "silent", 0, "`PERCENT` of the nodes that never answer a task")
	f.StringVar(&slow, "slow", "", "`PERCENT,TIME`: how many of the nodes answer late, and by how much: 5,3s")
	f.BoolVar(&cfg.Checks, "checks", false, "the nodes offer check commands: check_disk, check_load, check_mem, check_procs and check_uptime")
	f.StringVar(&states, "states", "", "`PERCENT,PERCENT,PERCENT,TIME`: how many checks are warning, critical and unknown, and how long each stays as it is: 3,2,1,10m")
	f.StringVar(&record, "record", "", "`FILE` that gets a line for each check that is executed; there is a check command count then. For tests")
	f.DurationVar(&cfg.Agent.FactsInterval, "facts-interval", cfg.Agent.FactsInterval, "`TIME` between two collections of facts")
	f.DurationVar(&cfg.Agent.BeatInterval, "beat-interval", cfg.Agent.BeatInterval, "`TIME` between two beats, until the server says otherwise")
	f.StringVar(&cfg.Agent.State, "state", "", "`DIRECTORY` for the agents' state; default: a new one that is removed at the end")
	f.StringVar(&cfg.Agent.Collective, "collective", "", "`TEXT` that destinations begin with; empty stands for fettle")
	f.StringVar(&level, "log-level", "info", "`LEVEL`: debug, info, warn or error")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := logLevel(level); err != nil {
			return usage(&fettle.Fault{Key: "--log-level", Reason: err.Error()})
		}
		if _, err := wire.DialectOf(cfg.Agent.Broker); err != nil {
			return usage(&fettle.Fault{Key: "--broker", Reason: err.Error()})
		}
		if len(servers) == 0 || secretFrom == "" && join == "" {
			return usage(fmt.Errorf("--server and --join or --secret-file are needed; a server's secret is STATE/%s: %w", secretFile, fettle.ErrInvalid))
		}
		var err error
		if join != "" {
			if cfg.Agent.Join, err = trust.ParseJoinToken(join); err != nil {
				return usage(&fettle.Fault{Key: "--join", Reason: err.Error()})
			}
		}
		if cfg.SlowPct, cfg.SlowBy, err = parseSlow(slow); err != nil {
			return usage(err)
		}
		if cfg.States, err = parseStates(states); err != nil {
			return usage(err)
		}
		if cfg.Agent.TLS, err = clientTLS(ca, "", ""); err != nil {
			return err
		}
		if secretFrom != "" {
			secret, err := readSecret(secretFrom)
			if err == nil {
				err = secret.enrolWith(&cfg.Agent)
			}
			if err != nil {
				return err
			}
		}
		cfg.Agent.Servers = servers
		spareCollector()
		if record != "" {
			file, err := os.OpenFile(record, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
			if err != nil {
				return fmt.Errorf("--record: %w", err)
			}
			defer file.Close()
			cfg.Record = file
		}
		cfg.Ready = func(nodes int) { fmt.Fprintf(a.stdout, "ready role=emulator nodes=%d\n", nodes) }
		return emulate.Run(cmd.Context(), cfg, newLog(a.stderr, level, "text"))
	}
	return cmd
}

// parseSlow reads PCT,DURATION.
func parseSlow(text string) (percent float64, by time.Duration, err error) {
	if text == "" {
		return 0, 0, nil
	}
	first, second, found := strings.Cut(text, ",")
	if percent, err = strconv.ParseFloat(first, 64); err == nil && found {
		by, err = time.ParseDuration(second)
	}
	if err != nil || !found {
		return 0, 0, &fettle.Fault{Key: "--slow", Reason: fmt.Sprintf("%q is not PERCENT,DURATION such as 5,3s", text)}
	}
	return percent, by, nil
}

// parseStates reads PCT,PCT,PCT,DURATION.
func parseStates(text string) (s emulate.States, err error) {
	if text == "" {
		return s, nil
	}
	words := strings.Split(text, ",")
	bad := &fettle.Fault{Key: "--states", Reason: fmt.Sprintf("%q is not PERCENT,PERCENT,PERCENT,DURATION such as 3,2,1,10m", text)}
	if len(words) != 4 {
		return s, bad
	}
	for i, share := range []*float64{&s.Warning, &s.Critical, &s.Unknown} {
		if *share, err = strconv.ParseFloat(words[i], 64); err != nil {
			return s, bad
		}
	}
	if s.Last, err = time.ParseDuration(words[3]); err != nil {
		return s, bad
	}
	return s, nil
}

// collectorPercent is how much an emulator's heap grows before it is collected. Its many thousand stacks take long to look at, and are not what
// is measured: a node has a few of its own.
const collectorPercent = 400

func spareCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectorPercent)
	}
}
