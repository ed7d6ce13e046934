package bridge

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/wire"
)

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithoutCancel(t.Context())) // it ends with the test's cleanup, not before
}

func TestItReadsTheCollectingQueues(t *testing.T) {
	for broker, prefetch := range map[string]string{"rabbitmq": "prefetch-count", "activemq": "activemq.prefetchSize"} {
		t.Run(broker, func(t *testing.T) {
			f := newForeign(t)
			s := start(t, broker, f.url())
			_, _, subscriptions := f.sides()
			s.hears(t, "back")
			var got []string
			for _, sub := range subscriptions {
				got = append(got, sub.Header.Get("destination"))
				if sub.Header.Get("ack") != "client-individual" || sub.Header.Get(prefetch) != "7" {
					t.Errorf("%v", sub.Header)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff([]string{"/queue/fettle.enrol", "/queue/fettle.facts", "/queue/fettle.output", "/queue/fettle.results"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAMessageIsAcknowledgedWhenItIsCommitted(t *testing.T) {
	f := newForeign(t)
	s := start(t, "rabbitmq", f.url())
	reads, _, _ := f.sides()
	for n := range 3 {
		reads.message("0", n)
	}
	var taken []server.Incoming
	for range 3 {
		taken = append(taken, s.next(t))
	}
	if in := taken[0]; in.Destination != "/queue/fettle.facts" || string(in.Message.Body) != "body 0" || in.Sender != "" {
		t.Errorf("%+v", in)
	}
	taken[2].Done(nil)
	taken[0].Done(errors.New("the server is stopping"))
	taken[1].Done(nil)
	for _, want := range []string{"2", "1"} {
		if ack := reads.next(); ack.Command != "ACK" || ack.Header.Get("id") != want {
			t.Errorf("got %v, want an ACK of %s", ack, want)
		}
	}
	s.end()
	for left := range reads.frames {
		if left.Command == "ACK" {
			t.Errorf("what was not committed is acknowledged: %v", left.Header)
		}
	}
}

func TestABrokerThatGoesAndComesBack(t *testing.T) {
	f := newForeign(t)
	s := start(t, "activemq", f.url())
	if err := s.Away(); !errors.Is(err, fettle.ErrUnavailable) {
		t.Errorf("before it connects: %v", err)
	}
	reads, writes, _ := f.sides()
	s.hears(t, "back")
	if err := s.Away(); err != nil {
		t.Errorf("with both connections: %v", err)
	}
	reads.message("0", 1)
	held := s.next(t)
	reads.say("ERROR", "of its own accord", "message", "shutting down")
	reads.conn.Close()
	s.hears(t, "lost")
	if err := s.Away(); !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), "shutting down") {
		t.Errorf("while it is away: %v", err)
	}
	writes.conn.Close() // the other one too, and that is no second loss

	reads, _, _ = f.sides()
	s.hears(t, "back")
	held.Done(nil) // of a connection that is gone: nothing can be said there
	reads.message("0", 1, "redelivered", "true")
	s.next(t).Done(nil)
	if ack := reads.next(); ack.Header.Get("id") != "1" {
		t.Errorf("%v", ack)
	}
	var page strings.Builder
	s.meters.WritePrometheus(&page)
	for _, want := range []string{"fettle_bridge_up 1", "fettle_bridge_received_messages_total 2", "fettle_bridge_redelivered_messages_total 1", "fettle_bridge_lost_connections_total 2"} {
		if !strings.Contains(page.String(), want+"\n") {
			t.Errorf("%s is not in\n%s", want, &page)
		}
	}
}

func TestTheNextOfSeveralBrokersIsTaken(t *testing.T) {
	gone, there := newForeign(t), newForeign(t)
	gone.ln.Close()
	s := start(t, "rabbitmq", gone.url(), "stomp://"+there.ln.Addr().String())
	there.sides()
	s.hears(t, "back")
}

func TestABrokerThatLetsNobodyIn(t *testing.T) {
	f := newForeign(t)
	f.deny = "Bad CONNECT"
	s := start(t, "rabbitmq", f.url())
	if n, err := s.Send(t.Context(), "/topic/fettle.all", wire.Message{Body: []byte("{}")}); n != 0 || !errors.Is(err, fettle.ErrUnavailable) {
		t.Errorf("sent %d, %v", n, err)
	}
	if err := s.Away(); !errors.Is(err, fettle.ErrUnavailable) || !strings.Contains(err.Error(), "has not been reached yet") {
		t.Errorf("%v", err)
	}
}

func TestWhereItSends(t *testing.T) {
	for _, row := range []struct{ broker, to, want, ttl string }{
		{"rabbitmq", "/queue/fettle.node.web1", "/amq/queue/fettle.node.web1", "expiration"},
		{"rabbitmq", "/queue/fettle.join.0a", "/amq/queue/fettle.join.0a", "expiration"},
		{"rabbitmq", "/topic/fettle.all", "/topic/fettle.all", "expiration"},
		{"rabbitmq", "/queue/fettle.results", "/queue/fettle.results", "expiration"}, // a dead letter that is said again
		{"activemq", "/queue/fettle.node.web1", "/queue/fettle.node.web1", "expires"},
	} {
		t.Run(row.broker+" "+row.to, func(t *testing.T) {
			f := newForeign(t)
			s := start(t, row.broker, f.url())
			_, writes, _ := f.sides()
			s.hears(t, "back")
			m, err := wire.Seal(wire.Envelope{Type: wire.TypeTask, From: wire.Server, At: 1_000, Expires: 61_000}, fettle.Task{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := s.Send(t.Context(), row.to, m); n != -1 || err != nil {
				t.Fatalf("sent %d, %v", n, err)
			}
			got := writes.next()
			if got.Command != "SEND" || got.Header.Get("destination") != row.want || got.Header.Get(row.ttl) == "" || got.Header.Get("persistent") != "" {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestItStopsInGoodOrder(t *testing.T) {
	f := newForeign(t)
	s := start(t, "rabbitmq", f.url())
	reads, _, _ := f.sides()
	s.hears(t, "back")
	reads.message("0", 1)
	held := s.next(t)
	ended := make(chan struct{})
	go func() { defer close(ended); s.end() }()
	stopping := func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.stopping }
	for tick := time.NewTicker(time.Millisecond); !stopping(); {
		<-tick.C
	}
	reads.message("0", 2) // too late: it stays the broker's
	held.Done(nil)
	if ack := reads.next(); ack.Command != "ACK" || ack.Header.Get("id") != "1" {
		t.Errorf("%v", ack)
	}
	<-ended
	if left := len(s.taken); left != 0 {
		t.Errorf("%d messages were taken while it stopped", left)
	}
}

func TestConfigsThatAreWrong(t *testing.T) {
	good := func() Config {
		return Config{Broker: "rabbitmq", URLs: []string{"stomp://a:b%40c@mq/eu"}, Prefetch: 10}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no address":           {func(c *Config) { c.URLs = nil }, "broker-url: rabbitmq is not embedded"},
		"no such port":         {func(c *Config) { c.URLs = []string{"stomp://u:p@mq:99999"} }, "broker-url: address 1: port 99999 is none: 1 to 65535"},
		"no login":             {func(c *Config) { c.URLs = []string{"stomp://mq"} }, "broker-url: the first address names no login"},
		"no STOMP":             {func(c *Config) { c.URLs = []string{"amqp://a:s3cret@mq"} }, "broker-url: address 1"},
		"no URL":               {func(c *Config) { c.URLs = []string{"stomp://a:s3cret%@mq"} }, "broker-url: address 1"},
		"two accounts":         {func(c *Config) { c.URLs = append(c.URLs, "stomp://a:s3cret@mq2") }, "broker-url: address 2"},
		"no such virtual host": {func(c *Config) { c.Broker = "activemq" }, "names a virtual host, and activemq has none"},
		"a prefetch of none":   {func(c *Config) { c.Prefetch = 0 }, "broker-prefetch: 0 is not between"},
		"a pattern":            {func(c *Config) { c.Collective = "a.>" }, "collective: "},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := good()
			row.change(&cfg)
			_, err := New(cfg, nil)
			if !errors.Is(err, fettle.ErrInvalid) || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%v; want %q, and no passcode", err, row.want)
			}
		})
	}
}
