package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// Config holds the settings of an agent.
type Config struct {
	Identity   fettle.NodeID
	Version    string // of the program
	State      string // folder of the ledger, the spool and the checks; made when it is not there
	Servers    []string
	Broker     string // embedded, rabbitmq or activemq
	Login      string // for a broker that knows logins of its own; empty: the node's own, by its keys
	Passcode   string
	TLS        *tls.Config // of stomps://; nil: the system's roots
	Collective string      // empty: the default one

	Join      trust.JoinToken // with which the node enrols; none: it is enrolled already
	Keys      trust.NodeKeys  // to enrol with; none: they are made by chance, as those of every real node
	Machine   trust.Machine   // this machine, so that keys that came here with a copied disk are known; the zero value: copies are not looked for
	KeyMaxAge time.Duration   // the node changes its keys when they are older; zero: when it is told to

	FactsInterval    time.Duration // between two collections
	VolatileInterval time.Duration // volatile facts are published no more often
	BeatInterval     time.Duration // until the server says otherwise

	RunSlots   int // actions of runs at once
	CheckSlots int // checks at once
	Queue      int // tasks that wait for a slot; more are refused

	SpoolBytes   int64         // of results on disk
	LedgerTasks  int           // tasks that the ledger remembers; when they are so many, new ones are refused
	StopTimeout  time.Duration // for what is running when the agent is told to stop
	WaitForFacts time.Duration // the agent says hello without facts when the first collection takes longer

	Audit    func(AuditEntry) // is told of every task, from many goroutines; it is not to block for long; nil: nobody is told
	Welcomed func()           // called once, when the server has answered the first hello; it must not block; nil: nobody is told
	// Recovered gives the outcome of a task that a process before this one had begun, where it is known. nil: it never is.
	Recovered func(fettle.TaskID) (Outcome, bool)
	// Remains ends what a process before this one has left running, and tells of it by task. It is called once, before anything else is done, takes
	// seconds at most, and less when its context ends. nil: there is nothing that could be left.
	Remains func(context.Context) map[fettle.TaskID]string
	// Trial has the agent say hello and do nothing else: it takes no task, keeps no check, and reports nothing of the process before.
	Trial   bool
	Link    wire.LinkConfig
	Metrics *metrics.Set // nil: nobody reads them

	open wire.OpenFunc // of ledger and spool; nil: the file system
}

// DefaultConfig gives settings to which Identity, State, Servers and Join are to be added.
func DefaultConfig() Config {
	return Config{
		Broker: "embedded", FactsInterval: 5 * time.Minute, VolatileInterval: 15 * time.Minute, BeatInterval: 30 * time.Second,
		RunSlots: 4, CheckSlots: 4, Queue: 256, SpoolBytes: 64 << 20, LedgerTasks: 100_000,
		StopTimeout: 2 * time.Second, WaitForFacts: 5 * time.Second, Link: wire.DefaultLink(),
	}
}

// Validate reports all faults at once, each by its key in the configuration file.
func (c Config) Validate() error {
	var faults []error
	bad := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format+": %w", append(args, fettle.ErrInvalid)...))
	}
	if id, err := fettle.ParseNodeID(string(c.Identity)); err != nil {
		faults = append(faults, fmt.Errorf("identity: %w", err))
	} else if id != c.Identity {
		bad("identity: %q is not in lower case", c.Identity)
	} else if c.Identity == wire.Server {
		bad("identity: %q is the name of the server", c.Identity)
	}
	if c.State == "" {
		bad("state: no folder is given")
	}
	link, err := c.link()
	if faults = append(faults, err); err == nil {
		faults = append(faults, link.Validate())
	}
	for key, d := range map[string]time.Duration{"facts_interval": c.FactsInterval, "volatile_interval": c.VolatileInterval, "beat_interval": c.BeatInterval} {
		if d < time.Second || d > 24*time.Hour {
			bad("%s: %v is not between 1s and 24h", key, d)
		}
	}
	for key, n := range map[string]int{"run_slots": c.RunSlots, "check_slots": c.CheckSlots, "queue": c.Queue, "ledger_tasks": c.LedgerTasks} {
		if n < 1 || n > 1_000_000 {
			bad("%s: %d is not between 1 and 1000000", key, n)
		}
	}
	if c.SpoolBytes < minSpool {
		bad("spool_bytes: %d is less than %d", c.SpoolBytes, minSpool)
	}
	if c.KeyMaxAge != 0 && c.KeyMaxAge < MinKeyAge {
		bad("key_max_age: %v is less than %v", c.KeyMaxAge, MinKeyAge)
	}
	if c.StopTimeout < 0 || c.StopTimeout > 3*time.Second {
		bad("stop_timeout: %v is not between 0s and 3s: an agent stops within five", c.StopTimeout)
	}
	return errors.Join(faults...)
}

// minSpool leaves room beside the largest result.
const minSpool = 1 << 20

// MinKeyAge is how long keys live at least: what was sealed for the last but one cannot be read any more.
const MinKeyAge = 25 * time.Hour

// prefetch is how many messages may be on their way to the node: a node that is slow does not hold more in memory.
const prefetch = 32

// link gives the settings of the connection.
func (c Config) link() (wire.LinkConfig, error) {
	l := c.Link
	dialect, err := wire.DialectOf(c.Broker)
	if err != nil {
		return l, fmt.Errorf("broker: %w", err)
	}
	l.Dialect, l.Servers, l.Login, l.Passcode, l.ClientID, l.TLS = dialect, c.Servers, c.Login, c.Passcode, string(c.Identity), c.TLS
	dest := wire.Destinations{Collective: c.Collective}
	l.Subscriptions = []wire.Subscription{
		{Destination: dest.Node(c.Identity), Prefetch: prefetch, Header: dialect.NodeQueue},
		{Destination: dest.All(), Auto: true},
	}
	return l, nil
}

// believes gives whom the connection's TLS trusts: the authorities in the settings; without them the one that the server told at enrolment, in
// PEM, and that of the join token; without those the system's. A broker that is not embedded has a certificate of its own, of which a server
// says nothing.
func (c Config) believes(told string) *tls.Config {
	if c.TLS != nil && c.TLS.RootCAs != nil || c.Broker != "" && c.Broker != "embedded" {
		return c.TLS
	}
	var pins [][]byte
	for _, pin := range [][]byte{trust.PinOf(told), c.Join.CA} {
		if len(pin) > 0 {
			pins = append(pins, pin)
		}
	}
	if len(pins) == 0 {
		return c.TLS
	}
	pinned := trust.PinnedTLS(pins...)
	if c.TLS != nil {
		pinned.GetClientCertificate = c.TLS.GetClientCertificate
	}
	return pinned
}

// joining gives the settings of the connection on which the owner of a key asks to be enrolled.
func (c Config) joining(keyID string) (wire.LinkConfig, error) {
	l, err := c.link()
	if err != nil {
		return l, err
	}
	if l.ClientID = trust.JoinClientID(keyID); c.Login == "" {
		l.Login, l.Passcode = trust.JoinLogin, c.Join.LoginPasscode(keyID)
	}
	l.TLS = c.believes("")
	dest := wire.Destinations{Collective: c.Collective}
	l.Subscriptions = []wire.Subscription{{Destination: dest.Join(keyID), Auto: true, Header: l.Dialect.NodeQueue}}
	return l, nil
}
