package wire

import (
	"fmt"
	"strconv"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Dialect is how one broker wants to be told what STOMP itself has no word for. An empty header name: it has no such thing, or needs none.
type Dialect struct {
	Name     string
	Prefetch string // header of SUBSCRIBE: how many messages may be unacknowledged
	Persist  Field  // header of SEND: the message survives a restart of the broker
	TTL      string // header of SEND: when the message goes by itself
	// TTLAt tells that TTL is a point in time in milliseconds since 1970 UTC; otherwise it is a span in milliseconds.
	TTLAt bool
	// NodeQueue are headers of SUBSCRIBE and SEND that make a node's queue go away with its reader.
	NodeQueue []Field
	// Host is the virtual host of CONNECT; empty: the name of the server as it was dialled.
	Host string
}

// DialectOf gives the dialect of embedded, rabbitmq or activemq. Any other name is ErrInvalid.
func DialectOf(broker string) (Dialect, error) {
	switch broker {
	case "", "embedded":
		// The embedded broker keeps nothing on disk, and drops a node's queue when its reader goes: messages need no TTL.
		return Dialect{Name: "embedded", Prefetch: "prefetch-count"}, nil
	case "rabbitmq":
		return Dialect{
			Name: "rabbitmq", Prefetch: "prefetch-count", Persist: Field{"persistent", "true"}, TTL: "expiration", Host: "/",
			NodeQueue: []Field{{"durable", "false"}, {"auto-delete", "true"}}, // a queue is declared by either end, and both must agree
		}, nil
	case "activemq":
		// Queues without a reader and a message are dropped by its gcInactiveDestinations.
		return Dialect{Name: "activemq", Prefetch: "activemq.prefetchSize", Persist: Field{"persistent", "true"}, TTL: "expires", TTLAt: true}, nil
	}
	return Dialect{}, fmt.Errorf("broker %q is not one of embedded, rabbitmq, activemq: %w", broker, fettle.ErrInvalid)
}

// Send gives the headers for a SEND that expires, and that is to survive a restart of the broker if persist is set. A zero expires: never.
func (d Dialect) Send(now, expires fettle.Millis, persist bool) []Field {
	var header []Field
	if persist && d.Persist.Name != "" {
		header = append(header, d.Persist)
	}
	if expires != 0 && d.TTL != "" {
		value := int64(expires)
		if !d.TTLAt {
			value = max(1, int64(expires.Sub(now)/time.Millisecond))
		}
		header = append(header, Field{d.TTL, strconv.FormatInt(value, 10)})
	}
	return header
}
