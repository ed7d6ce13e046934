package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/alerts"
	"github.com/fettle-dev/fettle/server/api"
	"github.com/fettle-dev/fettle/server/auth/directory"
	"github.com/fettle-dev/fettle/server/bridge"
	"github.com/fettle-dev/fettle/server/enrol"
	"github.com/fettle-dev/fettle/server/passive"
)

// stateDir is where a server and an agent keep what they must not forget.
const stateDir = "/var/lib/fettle"

// Files below a state directory.
const (
	secretFile   = "broker.secret"
	contextFile  = "context.yaml"
	databaseFile = "fettle.db"
	auditFile    = "audit.log"
)

// serverSettings are all that a server can be told.
type serverSettings struct {
	State  string `yaml:"state" help:"directory for what the server keeps"`
	HTTP   string `yaml:"http" help:"address of REST and pages; port 0 picks a free one"`
	STOMP  string `yaml:"stomp" help:"address of the embedded broker; port 0 picks a free one"`
	Store  string `yaml:"store" secret:"true" help:"database: sqlite:/path/file.db or mysql://user:password@host:3306/name; empty: sqlite in the state directory"`
	Broker string `yaml:"broker" help:"embedded, rabbitmq or activemq"`
	// With the account in it, which the operator gave the server there.
	BrokerURL      []string `yaml:"broker-url" secret:"true" help:"where a broker that is not embedded is, stomp://login:passcode@host:port or stomps://…, of RabbitMQ with /virtual-host; several for failover"`
	BrokerCA       string   `yaml:"broker-ca" help:"file with the certificates, in PEM, that a broker that is not embedded is trusted by; empty: those of the system"`
	BrokerPrefetch int      `yaml:"broker-prefetch" help:"messages of each collecting queue of a broker that is not embedded that may wait for their commit"`

	LogLevel  string `yaml:"log-level" help:"debug, info, warn or error"`
	LogFormat string `yaml:"log-format" help:"text or json"`

	EnrolApproval string `yaml:"enrol-approval" help:"who lets in a machine that shows a join token: auto, the token does; manual, an operator does, by fettle enrol approve"`
	MetricsToken  string `yaml:"metrics-token" secret:"true" help:"bearer token that /metrics wants; empty: it is open"`

	// Of lists of targets for Prometheus.
	ShrinkTo   int           `yaml:"sd-shrink-to" help:"percent of its last length below which a list of targets for Prometheus is held; 0: none is"`
	ShrinkHold time.Duration `yaml:"sd-hold" help:"how long such a list is held before it is taken to be meant, at most 168h"`

	tlsSettings `yaml:",inline"`
	LDAP        directory.LDAPConfig `yaml:"ldap" help:"where passwords and groups of people are kept, if not here"`
	Alerts      alerts.Config        `yaml:"alerts" help:"who is told of verdicts that are not ok: Alertmanager, mail, webhooks; see alerts.md"`
	OIDC        directory.OIDCConfig `yaml:"oidc" help:"who signs people in on the pages, if not we"`
	Passive     []passive.Target     `yaml:"passive" help:"those who are told verdicts and states without asking: Nagios' command file, NSCA, Icinga 2"`

	server.Config `yaml:",inline"`
}

func defaultServerSettings() serverSettings {
	cfg := serverSettings{
		State: stateDir, HTTP: "127.0.0.1:8420", STOMP: "127.0.0.1:61613", Broker: embedded, BrokerPrefetch: bridge.DefaultPrefetch,
		LogLevel: "info", LogFormat: "text", EnrolApproval: enrol.ApproveAuto, ShrinkTo: 50, ShrinkHold: 10 * time.Minute,
		tlsSettings: tlsSettings{TLS: "auto", HSTS: 30 * 24 * time.Hour}, Config: server.DefaultConfig(),
	}
	cfg.Version = version
	return cfg
}

// Validate reports every fault, each by its key.
func (c serverSettings) Validate() error {
	faults := []error{c.Config.Validate(), c.LDAP.Validate(), c.OIDC.Validate(), c.Alerts.Validate(), enrol.ValidApproval(c.EnrolApproval), logFaults(c.LogLevel, c.LogFormat), listenFault("http", c.HTTP), c.brokerFaults(), passive.Validate("passive", c.Passive)}
	faults = append(faults, c.tlsSettings.faults(c.foreign())...)
	bad := func(key, format string, args ...any) {
		faults = append(faults, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
	}
	if c.ShrinkTo < 0 || c.ShrinkTo > 100 {
		bad("sd-shrink-to", "%d is no percentage between 0 and 100", c.ShrinkTo)
	}
	if c.ShrinkHold <= 0 || c.ShrinkHold > api.MaxShrinkHold {
		bad("sd-hold", "%s is not above 0 and at most %s; sd-shrink-to: 0 holds nothing", c.ShrinkHold, api.MaxShrinkHold)
	}
	if c.State == "" {
		bad("state", "a directory is needed")
	}
	if c.ClientCA != "" && !c.foreign() && !c.secures(c.STOMP) {
		bad("tls-client-ca", "the broker listens without TLS at %s: say tls: on", c.STOMP)
	}
	return errors.Join(faults...)
}

// dsn is the database's, with the default filled in.
func (c serverSettings) dsn() string {
	if c.Store != "" {
		return c.Store
	}
	return "sqlite:" + filepath.Join(c.State, databaseFile)
}

// keepDatabasePrivate makes the database in the state directory readable by its owner only, also where the directory is not: SQLite gives the
// files that it puts beside it the same mode.
func (c serverSettings) keepDatabasePrivate() error {
	if c.Store != "" {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(c.State, databaseFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return f.Close()
}

// listenFault refuses what is no address.
func listenFault(key, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return &fettle.Fault{Key: key, Reason: fmt.Sprintf("%q is no address such as 127.0.0.1:8420", address)}
	}
	return nil
}

func logFaults(level, format string) error {
	var faults []error
	if _, err := logLevel(level); err != nil {
		faults = append(faults, &fettle.Fault{Key: "log-level", Reason: err.Error()})
	}
	if format != "text" && format != "json" {
		faults = append(faults, &fettle.Fault{Key: "log-format", Reason: fmt.Sprintf("%q is neither text nor json", format)})
	}
	return errors.Join(faults...)
}

// stopWithin is how long a role may take to end after it was asked to.
const stopWithin = 5 * time.Second
