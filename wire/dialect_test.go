package wire_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

func dialect(t *testing.T, name string) wire.Dialect {
	t.Helper()
	d, err := wire.DialectOf(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDialects(t *testing.T) {
	minute := wire.Message{Life: time.Minute, At: now}
	for name, row := range map[string]struct {
		broker  string
		message wire.Message
		persist bool
		want    []wire.Field
	}{
		"embedded needs nothing":               {"embedded", minute, true, nil},
		"rabbitmq":                             {"rabbitmq", minute, true, []wire.Field{{Name: "persistent", Value: "true"}, {Name: "expiration", Value: "60000"}}},
		"rabbitmq needs no clock":              {"rabbitmq", wire.Message{Life: time.Minute}, false, []wire.Field{{Name: "expiration", Value: "60000"}}},
		"rabbitmq, less than a millisecond":    {"rabbitmq", wire.Message{Life: 1}, false, []wire.Field{{Name: "expiration", Value: "1"}}},
		"activemq, with a minute for clocks":   {"activemq", minute, true, []wire.Field{{Name: "persistent", Value: "true"}, {Name: "expires", Value: "1763700120123"}}},
		"activemq, by a clock that is unknown": {"activemq", wire.Message{Life: time.Minute}, false, nil},
		"no life, no end":                      {"activemq", wire.Message{At: now}, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(row.want, dialect(t, row.broker).Send(row.message, row.persist)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := wire.DialectOf("kafka"); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("kafka: %v", err)
	}
}

func TestWhereAQueueOfOneReaderIs(t *testing.T) {
	for broker, want := range map[string]string{
		"embedded": "/queue/fettle.node.web1", "rabbitmq": "/amq/queue/fettle.node.web1", "activemq": "/queue/fettle.node.web1",
	} {
		d := dialect(t, broker)
		if got := d.ToReader("/queue/fettle.node.web1"); got != want {
			t.Errorf("%s: %s, want %s", broker, got, want)
		}
		if got := d.ToReader("/topic/fettle.all"); got != "/topic/fettle.all" {
			t.Errorf("%s: a topic became %s", broker, got)
		}
	}
}

func TestNamesThatABrokerCannotHave(t *testing.T) {
	longest := wire.Destinations{}.Node(fettle.NodeID(strings.Repeat("a", 253)))
	if err := dialect(t, "rabbitmq").Fits(longest); !errors.Is(err, fettle.ErrInvalid) {
		t.Errorf("rabbitmq: %v", err)
	}
	for _, broker := range []string{"embedded", "activemq"} {
		if err := dialect(t, broker).Fits(longest); err != nil {
			t.Errorf("%s: %v", broker, err)
		}
	}
}

func TestWhatASealedMessageTellsABroker(t *testing.T) {
	env := wire.Envelope{Type: wire.TypeTask, From: wire.Server, At: now, Expires: now.Add(time.Minute)}
	m, err := wire.Seal(env, fettle.Task{}, nil)
	if err != nil || m.Life != time.Minute || m.At != now {
		t.Errorf("%v from %v on, %v", m.Life, m.At, err)
	}
	env.Expires = 0
	if m, err = wire.Seal(env, fettle.Task{}, nil); err != nil || m.Life != 0 {
		t.Errorf("without an expiry: %v, %v", m.Life, err)
	}
}

// TestForeignFrames has a link speak to each broker, and looks at the frames.
func TestForeignFrames(t *testing.T) {
	for _, row := range []struct{ broker, server, host, client, ttl string }{
		{"embedded", "stomp://one", "one", "web1", ""},
		{"rabbitmq", "stomp://one", "/", "web1", "expiration"},
		{"rabbitmq", "stomp://one/eu%2Fwest", "eu/west", "web1", "expiration"},
		{"activemq", "stomp://one", "one", "", "expires"},
	} {
		t.Run(row.broker+" at "+row.server, func(t *testing.T) {
			change := func(c *wire.LinkConfig) { c.Dialect, c.Servers = dialect(t, row.broker), []string{row.server} }
			link(t, change, func(l linkTest) {
				f := <-l.calls
				connect := f.accept(t)
				<-l.connected
				if host, client := connect.Header.Get("host"), connect.Header.Get("client-id"); host != row.host || client != row.client {
					t.Errorf("CONNECT says host %q, client-id %q", host, client)
				}
				m := wire.Message{Body: []byte("{}"), Life: time.Minute, At: now}
				sent := make(chan error, 2)
				go func() { sent <- l.Send("/queue/a", m) }()
				plain := f.read(t)
				go func() { sent <- l.Post("/queue/a", m, func(error) {}) }()
				kept := f.read(t)
				if err := errors.Join(<-sent, <-sent); err != nil {
					t.Fatal(err)
				}
				foreign := row.ttl != ""
				if foreign && (plain.Header.Get(row.ttl) == "" || kept.Header.Get(row.ttl) == "") {
					t.Errorf("no %s: %v, %v", row.ttl, plain.Header, kept.Header)
				}
				if _, is := plain.Header.Contains("persistent"); is {
					t.Error("what asks for no receipt is written to disk")
				}
				if _, is := kept.Header.Contains("persistent"); is != foreign {
					t.Errorf("a message with a receipt: %v", kept.Header)
				}
			})
		})
	}
}

func TestVirtualHostsAreRefusedWhereThereAreNone(t *testing.T) {
	cfg := wire.DefaultLink()
	cfg.Servers = []string{"stomp://one/eu"}
	for broker, want := range map[string]error{"embedded": fettle.ErrInvalid, "rabbitmq": nil, "activemq": fettle.ErrInvalid} {
		cfg.Dialect = dialect(t, broker)
		if err := cfg.Validate(); !errors.Is(err, want) {
			t.Errorf("%s: %v", broker, err)
		}
	}
}
