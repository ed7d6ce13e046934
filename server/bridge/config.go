package bridge

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/VictoriaMetrics/metrics"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// Config says to which broker a server connects, and how.
type Config struct {
	Broker     string      // rabbitmq or activemq
	URLs       []string    // stomp://login:passcode@host:port or stomps://…, of RabbitMQ with /virtual-host; several of them for failover
	TLS        *tls.Config // of stomps://; nil: the system's roots
	Collective string      // empty: the default one
	Prefetch   int         // messages of each collecting queue that may wait for their commit
	Metrics    *metrics.Set
}

// DefaultPrefetch keeps a server busy while it commits a batch; four queues of the largest messages are 4 GiB, of usual ones 4 MiB.
const DefaultPrefetch = 512

// The server has to notice sooner than a node that a broker is dead, and to come back before the nodes do.
const (
	heartBeat    = 10 * time.Second
	redialMax    = 5 * time.Second
	writeTimeout = 5 * time.Second
)

// Bounds of Config.Prefetch.
const (
	minPrefetch = 1
	maxPrefetch = 65_535 // RabbitMQ has 16 bits for it
)

// collectives are words that no broker reads as a pattern or a path.
var collectives = regexp.MustCompile(`^[A-Za-z0-9_.-]{0,64}$`)

// Validate reports every fault, each by the key that a server's settings have for it. No fault tells a passcode.
func (c Config) Validate() error {
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, &fettle.Fault{Key: key, Reason: fmt.Sprintf(format, args...)})
	}
	if c.Prefetch < minPrefetch || c.Prefetch > maxPrefetch {
		bad("broker-prefetch", "%d is not between %d and %d", c.Prefetch, minPrefetch, maxPrefetch)
	}
	if !collectives.MatchString(c.Collective) {
		bad("collective", "%q: letters, digits, dots, - and _ make destinations on every broker", c.Collective)
	}
	link, err := c.link()
	if err == nil {
		err = link.Validate()
	}
	if err != nil {
		bad("broker-url", "%v", err)
	}
	return errors.Join(faults...)
}

// link gives what both connections have in common.
func (c Config) link() (wire.LinkConfig, error) {
	l := wire.DefaultLink()
	dialect, err := wire.DialectOf(c.Broker)
	if err != nil {
		return l, err
	}
	l.Dialect, l.TLS, l.ClientID = dialect, c.TLS, wire.Server
	l.HeartBeat, l.RedialMax, l.WriteTimeout = heartBeat, redialMax, writeTimeout
	if len(c.URLs) == 0 {
		return l, fmt.Errorf("%s is not embedded, and needs an address such as stomp://login:passcode@host:61613: %w", dialect.Name, fettle.ErrInvalid)
	}
	for i, text := range c.URLs {
		server, login, passcode, err := split(text)
		switch {
		case err != nil:
			return l, fmt.Errorf("address %d: %w", i+1, err)
		case i == 0:
			l.Login, l.Passcode = login, passcode
		case login != "" && (login != l.Login || passcode != l.Passcode):
			return l, fmt.Errorf("address %d has another login than the first one: they are brokers of one cluster, with one account: %w", i+1, fettle.ErrInvalid)
		}
		l.Servers = append(l.Servers, server)
	}
	if l.Login == "" {
		return l, fmt.Errorf("the first address names no login; stomp://login:passcode@host:61613 does: %w", fettle.ErrInvalid)
	}
	return l, nil
}

// split takes the account out of an address. What it says of a fault does not repeat the address: a passcode may be in it.
func split(text string) (server, login, passcode string, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "stomp" && u.Scheme != "stomps" {
		return "", "", "", fmt.Errorf("it is not of the form stomp://login:passcode@host:port; what is no letter or digit of login and passcode is written as in URLs, %%40 for @: %w", fettle.ErrInvalid)
	}
	if err := wire.CheckPort(u.Port()); err != nil {
		return "", "", "", err
	}
	login = u.User.Username()
	passcode, _ = u.User.Password()
	u.User = nil
	return u.String(), login, passcode, nil
}
