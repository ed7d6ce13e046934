package wire

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// Dialect is how one broker wants to be told what STOMP itself has no word for. An empty header name: it has no such thing, or needs none.
type Dialect struct {
	Name     string
	Prefetch string // header of SUBSCRIBE: how many messages may be unacknowledged
	Persist  Field  // header of SEND: the message survives a restart of the broker, and its RECEIPT says that it is on disk
	TTL      string // header of SEND: when the message goes by itself
	// TTLAt tells that TTL is a point in time in milliseconds since 1970 UTC; otherwise it is a span in milliseconds.
	TTLAt bool
	// NodeQueue are headers of SUBSCRIBE that make a queue of one reader go away with it.
	NodeQueue []Field
	// Direct is what a SEND to a queue of one reader begins with in the place of /queue/, so that sending does not make the queue: what nobody
	// reads is dropped. Empty: the same as everybody's.
	Direct string
	// Host is the virtual host of CONNECT where the address names none; empty: the name of the server as it was dialled.
	Host string
	// Hosts tells that there are virtual hosts; otherwise an address that names one is refused.
	Hosts bool
	// Anonymous leaves out the client-id: the broker would refuse a client that comes back before it has noticed that its old connection is dead.
	Anonymous bool
	MaxQueue  int // bytes of the name of a queue; zero: more than any name of ours has
}

// DialectOf gives the dialect of embedded, rabbitmq or activemq. Any other name is ErrInvalid. All differences there are stand here, and for
// people in docs/brokers.md.
func DialectOf(broker string) (Dialect, error) {
	switch broker {
	case "", "embedded":
		// The embedded broker keeps nothing on disk, and drops a node's queue when its reader goes: messages need no TTL.
		return Dialect{Name: "embedded", Prefetch: "prefetch-count"}, nil
	case "rabbitmq":
		return Dialect{
			Name: "rabbitmq", Prefetch: "prefetch-count", Persist: Field{"persistent", "true"}, TTL: "expiration", Host: "/", Hosts: true,
			// It would be exclusive by itself then, and refuse a node that comes back before its old connection is known to be dead.
			NodeQueue: []Field{{"durable", "false"}, {"auto-delete", "true"}, {"exclusive", "false"}},
			Direct:    "/amq/queue/", // a SEND to /queue/ declares it, and one that never had a reader would stay for ever
			MaxQueue:  255,           // AMQP 0-9-1, "shortstr"
		}, nil
	case "activemq":
		// Queues without a reader and a message are dropped by its gcInactiveDestinations; what is in them by its TTL.
		return Dialect{Name: "activemq", Prefetch: "activemq.prefetchSize", Persist: Field{"persistent", "true"}, TTL: "expires", TTLAt: true, Anonymous: true}, nil
	}
	return Dialect{}, fmt.Errorf("broker %q is not one of embedded, rabbitmq, activemq: %w", broker, fettle.ErrInvalid)
}

// clockSlack is added to the points in time that are said to a broker: its clock is a third one. Whoever receives a message judges its expiry again.
const clockSlack = time.Minute

// Send gives the headers for a SEND of m, that is to survive a restart of the broker if persist is set.
func (d Dialect) Send(m Message, persist bool) []Field {
	var header []Field
	if persist && d.Persist.Name != "" {
		header = append(header, d.Persist)
	}
	switch {
	case d.TTL == "" || m.Life == 0:
	case !d.TTLAt:
		header = append(header, Field{d.TTL, strconv.FormatInt(max(1, m.Life.Milliseconds()), 10)})
	case m.At != 0: // without a time to begin at, a node whose clock is years behind would never be heard
		header = append(header, Field{d.TTL, strconv.FormatInt(int64(m.At.Add(m.Life+clockSlack)), 10)})
	}
	return header
}

// ToReader gives the destination of a SEND to a queue that comes and goes with its one reader, such as a node's. Other destinations stay as they are.
func (d Dialect) ToReader(dest string) string {
	if name, is := strings.CutPrefix(dest, "/queue/"); is && d.Direct != "" {
		return d.Direct + name
	}
	return dest
}

// Fits tells whether the broker can have a queue or topic of that name: ErrInvalid with the reason otherwise.
func (d Dialect) Fits(dest string) error {
	name := dest[strings.LastIndexByte(dest, '/')+1:]
	if d.MaxQueue > 0 && len(name) > d.MaxQueue {
		return fmt.Errorf("%s allows %d bytes in the name of a queue, and %q has %d: %w", d.Name, d.MaxQueue, clip(name), len(name), fettle.ErrInvalid)
	}
	return nil
}
