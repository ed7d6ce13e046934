package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// Config holds the broker's settings. DefaultConfig gives sensible ones; the zero value is not valid.
type Config struct {
	// Collected tells whether messages to a destination are taken by the server itself. nil: none are.
	Collected func(dest string) bool `yaml:"-"`
	// Transient tells whether a queue is auto-deleted. nil: none is.
	Transient func(dest string) bool `yaml:"-"`
	// Metrics takes the broker's meters. nil: they are kept, and nobody reads them.
	Metrics *metrics.Set `yaml:"-"`

	MaxConnections int           `yaml:"max_connections"`
	MaxLogins      int           `yaml:"max_logins"`       // of nodes, a second; twice as many at once; who comes too soon is told when to come back; zero: as they come
	MaxBeforeLogin int           `yaml:"max_before_login"` // connections that have not logged in, their handshakes of TLS included
	ConnectTimeout time.Duration `yaml:"connect_timeout"`  // from accept to a login that holds
	HeartBeat      time.Duration `yaml:"heart_beat"`       // the shortest interval that is agreed to, both ways; zero: no heart-beats
	BeatTolerance  int           `yaml:"beat_tolerance"`   // a client is gone after this many silent intervals
	FrameTimeout   time.Duration `yaml:"frame_timeout"`    // from the first byte of a frame that did not come at once to its last
	WriteTimeout   time.Duration `yaml:"write_timeout"`    // for a client to take any bytes at all
	DrainTimeout   time.Duration `yaml:"drain_timeout"`    // for commits and receipts when the broker is told to stop
	LingerTimeout  time.Duration `yaml:"linger_timeout"`   // for a client to read the ERROR or RECEIPT that precedes a close

	BeforeLogin wire.FrameLimits `yaml:"before_login"`
	AfterLogin  wire.FrameLimits `yaml:"after_login"`

	MaxOut      int `yaml:"max_out"`       // bytes that wait to be written to one connection, or in one transient queue; past it, a slow consumer is cut off
	MaxOutTotal int `yaml:"max_out_total"` // the same over all connections; past it, those that lag are cut off
	MaxInflight int `yaml:"max_inflight"`  // bytes of unfinished frames, open transactions and uncommitted messages, over all connections
	// MaxUncommitted and MaxUncommittedBytes bound the messages to collected queues that one connection has not had a RECEIPT for. At the
	// bound, the broker does not read the connection any further.
	MaxUncommitted      int `yaml:"max_uncommitted"`
	MaxUncommittedBytes int `yaml:"max_uncommitted_bytes"`

	Credit           int `yaml:"credit"`     // unacknowledged messages of a subscription that does not say prefetch-count
	MaxCredit        int `yaml:"max_credit"` // the most that prefetch-count can ask
	MaxSubscriptions int `yaml:"max_subscriptions"`
	MaxDeliveries    int `yaml:"max_deliveries"` // a message that was handed out so often and came back is dropped

	MaxQueueMessages int `yaml:"max_queue_messages"` // in one queue
	MaxQueueBytes    int `yaml:"max_queue_bytes"`    // in one queue that is not transient
	MaxHeldMessages  int `yaml:"max_held_messages"`  // in all queues
	MaxHeldBytes     int `yaml:"max_held_bytes"`     // in all queues

	MaxTransactions      int `yaml:"max_transactions"`       // open at a time on one connection
	MaxTransactionFrames int `yaml:"max_transaction_frames"` // in the open transactions of one connection
	MaxTransactionBytes  int `yaml:"max_transaction_bytes"`  // in the open transactions of one connection
}

// maxLogins is more than any machine can do.
const maxLogins = 1_000_000

// DefaultConfig gives settings for up to 20,000 nodes.
func DefaultConfig() Config {
	return Config{
		MaxConnections:       25_000,
		MaxBeforeLogin:       12_000,
		ConnectTimeout:       10 * time.Second,
		HeartBeat:            15 * time.Second,
		BeatTolerance:        2,
		FrameTimeout:         time.Minute,
		WriteTimeout:         20 * time.Second,
		DrainTimeout:         3 * time.Second,
		LingerTimeout:        time.Second,
		BeforeLogin:          wire.FrameLimits{Header: 4 << 10, Headers: 32},
		AfterLogin:           wire.FrameLimits{Header: 16 << 10, Headers: 64, Body: 4 << 20},
		MaxOut:               8 << 20,
		MaxOutTotal:          1 << 30,
		MaxInflight:          256 << 20,
		MaxUncommitted:       32,
		MaxUncommittedBytes:  1 << 20,
		Credit:               256,
		MaxCredit:            10_000,
		MaxSubscriptions:     256,
		MaxDeliveries:        10,
		MaxQueueMessages:     100_000,
		MaxQueueBytes:        64 << 20,
		MaxHeldMessages:      1_000_000,
		MaxHeldBytes:         256 << 20,
		MaxTransactions:      16,
		MaxTransactionFrames: 1_000,
		MaxTransactionBytes:  4 << 20,
	}
}

// Validate reports every fault of c, each by its key, as one error that is ErrInvalid.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	for _, f := range []struct {
		key   string
		value int
	}{
		{"max_connections", c.MaxConnections},
		{"max_before_login", c.MaxBeforeLogin},
		{"beat_tolerance", c.BeatTolerance},
		{"before_login.header", c.BeforeLogin.Header},
		{"before_login.headers", c.BeforeLogin.Headers},
		{"after_login.header", c.AfterLogin.Header},
		{"after_login.headers", c.AfterLogin.Headers},
		{"after_login.body", c.AfterLogin.Body},
		{"max_out", c.MaxOut},
		{"max_out_total", c.MaxOutTotal},
		{"max_inflight", c.MaxInflight},
		{"max_uncommitted", c.MaxUncommitted},
		{"max_uncommitted_bytes", c.MaxUncommittedBytes},
		{"credit", c.Credit},
		{"max_credit", c.MaxCredit},
		{"max_subscriptions", c.MaxSubscriptions},
		{"max_deliveries", c.MaxDeliveries},
		{"max_queue_messages", c.MaxQueueMessages},
		{"max_queue_bytes", c.MaxQueueBytes},
		{"max_held_messages", c.MaxHeldMessages},
		{"max_held_bytes", c.MaxHeldBytes},
		{"max_transactions", c.MaxTransactions},
		{"max_transaction_frames", c.MaxTransactionFrames},
		{"max_transaction_bytes", c.MaxTransactionBytes},
	} {
		if f.value < 1 {
			fault("%s: %d is less than 1", f.key, f.value)
		}
	}
	for _, f := range []struct {
		key   string
		value time.Duration
	}{
		{"connect_timeout", c.ConnectTimeout},
		{"frame_timeout", c.FrameTimeout},
		{"write_timeout", c.WriteTimeout},
		{"drain_timeout", c.DrainTimeout},
		{"linger_timeout", c.LingerTimeout},
	} {
		if f.value <= 0 {
			fault("%s: %s is not a span of time", f.key, f.value)
		}
	}
	if c.HeartBeat < 0 {
		fault("heart_beat: %s is less than zero", c.HeartBeat)
	}
	if c.MaxLogins < 0 || c.MaxLogins > maxLogins {
		fault("max_logins: %d is not between 0 and %d", c.MaxLogins, maxLogins)
	}
	if c.BeforeLogin.Body < 0 {
		fault("before_login.body: %d is less than zero", c.BeforeLogin.Body)
	}
	// Escapes may double the headers, and queues fill their window before they add a message more.
	if least := 2*c.AfterLogin.Header + c.AfterLogin.Body + queueWindow; c.MaxOut < least {
		fault("max_out: %d is less than a frame of after_login and what queues send ahead (%d)", c.MaxOut, least)
	}
	if frame := c.AfterLogin.Header + c.AfterLogin.Body; c.MaxInflight < frame {
		fault("max_inflight: %d is less than a frame of after_login (%d)", c.MaxInflight, frame)
	}
	if c.Credit > c.MaxCredit {
		fault("credit: %d is more than max_credit (%d)", c.Credit, c.MaxCredit)
	}
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("broker settings: %w: %w", fettle.ErrInvalid, errors.Join(faults...))
}
