//go:build integration

package wire_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle/wire"
)

// nodesOf gives the server's account and one that may do what a node needs, as docs/brokers.md sets them up.
func nodesOf(t *testing.T, broker string) (server, node *real) {
	if broker == "activemq" {
		server = realOf(t, broker, "FETTLE_TEST_ACTIVEMQ")
		server.dest.Collective = "fettle" // the rights are written in its configuration
		node = realOf(t, broker, "FETTLE_TEST_ACTIVEMQ_NODE")
		node.dest = server.dest
		return server, node
	}
	server, admin := rabbit(t)
	c := server.dest.Collective
	user := "node-" + c
	admin("add_user", user, "s3cret")
	t.Cleanup(func() { admin("delete_user", user) })
	text, err := os.ReadFile("../docs/brokers.md")
	if err != nil {
		t.Fatal(err)
	}
	rights := regexp.MustCompile(`set_permissions -p fettle fettle-node '(.*)' '(.*)' '(.*)'`).FindStringSubmatch(string(text))
	if rights == nil {
		t.Fatal("docs/brokers.md does not say what a node may")
	}
	own := func(pattern string) string { return strings.ReplaceAll(pattern, `fettle\.`, c+`\.`) }
	admin("set_permissions", user, own(rights[1]), own(rights[2]), own(rights[3]))
	admin("set_topic_permissions", user, "amq.topic", "^$", "^"+c+`\.all$`)
	t.Cleanup(func() { admin("clear_topic_permissions", user) })
	return server, server.account(user, "s3cret", c)
}

func TestWhatAForeignBrokerLetsANodeDo(t *testing.T) {
	for _, broker := range []string{"rabbitmq", "activemq"} {
		t.Run(broker, func(t *testing.T) {
			server, node := nodesOf(t, broker)
			d := node.dest
			t.Run("a node has what it needs", func(t *testing.T) {
				n, s := node.with(t), server.with(t)
				p := n.dial(
					wire.Subscription{Destination: d.Node("n1"), Prefetch: 32, Header: n.NodeQueue},
					wire.Subscription{Destination: d.Join("0123456789abcdef0123456789abcdef"), Prefetch: 1, Header: n.NodeQueue},
					wire.Subscription{Destination: d.All(), Auto: true},
				)
				for _, to := range d.Collected() {
					p.posts(to, wire.Message{Body: []byte("x")})
				}
				from := s.dial()
				for _, to := range []string{d.Node("n1"), d.All(), d.Join("0123456789abcdef0123456789abcdef")} {
					if err := from.Send(s.ToReader(to), wire.Message{Body: []byte("y")}); err != nil {
						t.Fatal(err)
					}
					got := p.next()
					if got.Destination != to {
						t.Errorf("%q came from %s, want %s", got.Message.Body, got.Destination, to)
					}
					if err := got.Ack(); err != nil {
						t.Error(err)
					}
				}
				for _, to := range d.Collected() { // and nothing is left for others
					drain := s.dial(wire.Subscription{Destination: to, Prefetch: 1})
					if err := drain.next().Ack(); err != nil {
						t.Error(err)
					}
				}
			})
			for name, sub := range map[string]wire.Subscription{
				"results of others":      {Destination: d.Results()},
				"facts of others":        {Destination: d.Facts()},
				"what servers tell":      {Destination: d.Events(), Auto: true},
				"queues of other people": {Destination: "/queue/payroll"},
			} {
				t.Run("it cannot read "+name, func(t *testing.T) {
					p := node.with(t).redial(sub)
					waitFor(p, p.lost, "it is cut off")
				})
			}
			for name, to := range map[string]string{"to all": d.All(), "what servers tell": d.Events()} {
				t.Run("it cannot send "+name, func(t *testing.T) {
					p := node.with(t).dial()
					if err := p.post(to, wire.Message{Body: []byte("x")}); err == nil {
						t.Error("it was taken")
					}
				})
			}
		})
	}
}

// with is the same broker for a subtest.
func (r *real) with(t *testing.T) *real {
	other := *r
	other.T = t
	return &other
}
