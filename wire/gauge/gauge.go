// Package gauge reads what RabbitMQ and ActiveMQ say of their queues and of themselves: RabbitMQ by its management API, ActiveMQ by its statistics plugin.
package gauge

import (
	"crypto/tls"
	"fmt"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// Broker says which broker, and as whom.
type Broker struct {
	URL             string // of RabbitMQ https://host:15671/vhost or http://…, of ActiveMQ stomps://host:port or stomp://…; without an account
	Login, Passcode string
	TLS             *tls.Config // nil: the system's roots
}

// Reading is what a broker says of a queue, or of itself.
type Reading struct {
	Text   string        // for people
	Values []fettle.Perf // in a fixed order; depth, the number of messages, is the first
}

// maxAnswer bounds what is read of a broker's answer, in bytes.
const maxAnswer = 4 << 20

// values makes perfdata of numbers: label, unit and value.
type values []fettle.Perf

func (v *values) add(label, unit string, value float64) {
	least := 0.0
	*v = append(*v, fettle.Perf{Label: label, Unit: unit, Value: &value, Min: &least})
}

// noQueue is the error of a queue that a broker does not have.
func noQueue(name string) error {
	return fmt.Errorf("there is no queue %s: %w", name, fettle.ErrNotFound)
}

// plural counts things.
func plural(n float64, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%.0f %s", n, what)
}

// queueName takes the name of a queue out of a destination: /queue/orders is the queue orders.
func queueName(text string) string { return strings.TrimPrefix(text, "/queue/") }
