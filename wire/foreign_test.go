//go:build integration

package wire_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// patience bounds what a test waits for; it is never a measure.
const patience = time.Minute

// real is a broker that test/services runs.
type real struct {
	*testing.T
	wire.Dialect
	server, login, passcode string
	dest                    wire.Destinations // of this test alone
}

// onReal runs a test with each broker.
func onReal(t *testing.T, f func(r *real)) {
	for broker, variable := range map[string]string{"rabbitmq": "FETTLE_TEST_RABBITMQ", "activemq": "FETTLE_TEST_ACTIVEMQ"} {
		t.Run(broker, func(t *testing.T) { f(realOf(t, broker, variable)) })
	}
}

func realOf(t *testing.T, broker, variable string) *real {
	t.Helper()
	u, err := url.Parse(os.Getenv(variable))
	if err != nil || u.User == nil {
		t.Fatalf("%s is not set (test/services/services.sh env), or no URL with an account", variable)
	}
	r := &real{T: t, Dialect: dialect(t, broker), login: u.User.Username()}
	r.passcode, _ = u.User.Password()
	u.User = nil
	r.server = u.String()
	r.dest.Collective = fmt.Sprintf("w%08x", rand.Uint32())
	return r
}

// account is the same broker by another account, in another collective.
func (r *real) account(login, passcode, collective string) *real {
	other := *r
	other.login, other.passcode, other.dest.Collective = login, passcode, collective
	return &other
}

// peer is a link that a test holds.
type peer struct {
	*wire.Link
	r         *real
	connected chan string
	received  chan *wire.Delivery
	lost      chan error
	conn      net.Conn // the last one
	mu        sync.Mutex
}

func (p *peer) Connected(server string)   { p.connected <- server }
func (p *peer) Received(d *wire.Delivery) { p.received <- d }
func (p *peer) Lost(err error)            { p.lost <- err }

// dial connects a link with subscriptions.
func (r *real) dial(subscriptions ...wire.Subscription) *peer {
	r.Helper()
	p := r.redial(subscriptions...)
	p.up()
	return p
}

func (r *real) redial(subscriptions ...wire.Subscription) *peer {
	r.Helper()
	p := &peer{r: r, connected: make(chan string, 100), received: make(chan *wire.Delivery, 10_000), lost: make(chan error, 100)}
	cfg := wire.DefaultLink()
	cfg.Dialect, cfg.Servers, cfg.Login, cfg.Passcode, cfg.ClientID = r.Dialect, []string{r.server}, r.login, r.passcode, "n1"
	cfg.Subscriptions, cfg.Redial, cfg.ReceiptTimeout = subscriptions, 10*time.Millisecond, 5*time.Second
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		p.mu.Lock()
		p.conn = conn
		p.mu.Unlock()
		return conn, err
	}
	if err := cfg.Validate(); err != nil {
		r.Fatal(err)
	}
	p.Link = wire.NewLink(cfg, p, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.WithoutCancel(r.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	r.Cleanup(func() { stop(); <-done })
	return p
}

func waitFor[T any](p *peer, from <-chan T, what string) (v T) {
	p.r.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		p.r.Fatalf("not in time: %s", what)
	}
	return v
}

func (p *peer) up() { p.r.Helper(); waitFor(p, p.connected, "it connects") }

func (p *peer) next() *wire.Delivery {
	p.r.Helper()
	return waitFor(p, p.received, "a message comes")
}

// nothing fails if a message comes before the peer has heard its own.
func (p *peer) nothing(queue string) {
	p.r.Helper()
	p.posts(queue, wire.Message{Body: []byte("the end")})
	if d := p.next(); string(d.Message.Body) != "the end" {
		p.r.Errorf("%q came", d.Message.Body)
	}
}

// post sends a message and waits for what becomes of its receipt.
func (p *peer) post(to string, m wire.Message) error {
	p.r.Helper()
	done := make(chan error, 1)
	if err := p.Post(to, m, func(err error) { done <- err }); err != nil {
		return err
	}
	return waitFor(p, done, "a receipt")
}

func (p *peer) posts(to string, m wire.Message) {
	p.r.Helper()
	if err := p.post(to, m); err != nil {
		p.r.Fatal(err)
	}
}

// cut ends the connection as a network does.
func (p *peer) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conn.Close()
}

func TestForeignMessagesArriveAsTheyWere(t *testing.T) {
	onReal(t, func(r *real) {
		p := r.dial(wire.Subscription{Destination: r.dest.Results(), Prefetch: 10})
		whole := make([]byte, wire.MaxMessage)
		for i := range whole {
			whole[i] = byte(i * 7) // zero bytes and line breaks too
		}
		for name, m := range map[string]wire.Message{
			"small":    {Body: []byte(`{"v":1}`), Header: []wire.Field{{Name: "fettle-sig", Value: "key:c2ln+/="}, {Name: "fettle-cert", Value: strings.Repeat("A", 600)}}},
			"zstd":     {Body: []byte("\x28\xb5\x2f\xfd\x00\x00"), Header: []wire.Field{{Name: "content-encoding", Value: "zstd"}}},
			"largest":  {Body: whole},
			"with TTL": {Body: []byte("x"), Life: time.Minute, At: fettle.MillisOf(time.Now())},
			"empty":    {},
		} {
			p.posts(r.dest.Results(), m)
			d := p.next()
			if !bytes.Equal(d.Message.Body, m.Body) || d.Destination != r.dest.Results() {
				r.Errorf("%s: %d bytes from %s, %d were sent", name, len(d.Message.Body), d.Destination, len(m.Body))
			}
			for _, h := range m.Header {
				if got := d.Message.Get(h.Name); got != h.Value {
					r.Errorf("%s: header %s is %q, want %q", name, h.Name, got, h.Value)
				}
			}
			if err := d.Ack(); err != nil {
				r.Error(err)
			}
		}
	})
}

func TestForeignMessagesComeAgainUntilTheyAreAcknowledged(t *testing.T) {
	onReal(t, func(r *real) {
		p := r.dial(wire.Subscription{Destination: r.dest.Facts(), Prefetch: 10})
		for _, body := range []string{"one", "two", "three"} {
			p.posts(r.dest.Facts(), wire.Message{Body: []byte(body)})
		}
		first, second, third := p.next(), p.next(), p.next()
		if err := second.Ack(); err != nil { // and not the first: each for itself
			r.Fatal(err)
		}
		p.posts(r.dest.Output(), wire.Message{}) // behind the ACK
		p.cut()
		waitFor(p, p.lost, "it notices")
		p.up()
		for _, old := range []*wire.Delivery{first, third} {
			d := p.next()
			if string(d.Message.Body) != string(old.Message.Body) || d.Message.Get("redelivered") != "true" {
				r.Errorf("%q came again as %q, redelivered: %q", old.Message.Body, d.Message.Body, d.Message.Get("redelivered"))
			}
			if err := d.Ack(); err != nil {
				r.Error(err)
			}
		}
		if err := first.Ack(); err == nil {
			r.Error("a delivery of a connection that is gone was acknowledged")
		}
		p.nothing(r.dest.Facts())
	})
}

func TestForeignPrefetchIsTheBound(t *testing.T) {
	onReal(t, func(r *real) {
		p := r.dial(wire.Subscription{Destination: r.dest.Facts(), Prefetch: 3})
		for range 6 {
			p.posts(r.dest.Facts(), wire.Message{Body: []byte("x")})
		}
		held := []*wire.Delivery{p.next(), p.next(), p.next()}
		p.posts(r.dest.Output(), wire.Message{}) // a round trip
		if n := len(p.received); n != 0 {
			r.Errorf("%d more than the prefetch came", n)
		}
		for _, d := range held {
			if err := d.Ack(); err != nil {
				r.Fatal(err)
			}
		}
		for range 3 {
			p.next()
		}
	})
}

func TestForeignQueuesOfOneReader(t *testing.T) {
	onReal(t, func(r *real) {
		queue := r.dest.Node("web1.acme.net")
		server := r.dial()
		send := func(body string, life time.Duration) {
			r.Helper()
			m := wire.Message{Body: []byte(body), Life: life, At: fettle.MillisOf(time.Now())}
			if err := server.Send(r.ToReader(queue), m); err != nil {
				r.Fatal(err)
			}
			server.posts(r.dest.Output(), wire.Message{}) // behind it
		}
		send("nobody reads this", time.Minute)
		node := r.dial(wire.Subscription{Destination: queue, Prefetch: 32, Header: r.NodeQueue})
		if r.Direct == "" { // it keeps what its TTL allows
			if d := node.next(); string(d.Message.Body) != "nobody reads this" {
				r.Errorf("%q came", d.Message.Body)
			}
		}
		node.posts(r.dest.Output(), wire.Message{}) // its subscription has been taken
		send("a task", time.Minute)
		if d := node.next(); string(d.Message.Body) != "a task" || d.Destination != queue {
			r.Errorf("%q came from %s, want a task from %s", d.Message.Body, d.Destination, queue)
		}
	})
}

func TestForeignMessagesExpire(t *testing.T) {
	onReal(t, func(r *real) {
		p := r.dial()
		long := fettle.MillisOf(time.Now().Add(-10 * time.Minute))
		p.posts(r.dest.Facts(), wire.Message{Body: []byte("too late"), Life: time.Millisecond, At: long})
		p.posts(r.dest.Facts(), wire.Message{Body: []byte("in time"), Life: time.Minute, At: fettle.MillisOf(time.Now())})
		reader := r.dial(wire.Subscription{Destination: r.dest.Facts(), Prefetch: 10})
		if d := reader.next(); string(d.Message.Body) != "in time" {
			r.Errorf("%q came", d.Message.Body)
		}
	})
}

func TestForeignTopicsReachAll(t *testing.T) {
	onReal(t, func(r *real) {
		var nodes []*peer
		for range 3 {
			nodes = append(nodes, r.dial(wire.Subscription{Destination: r.dest.All(), Auto: true}))
		}
		for _, n := range nodes {
			n.posts(r.dest.Output(), wire.Message{}) // its subscription has been taken
		}
		server := r.dial()
		if err := server.Send(r.ToReader(r.dest.All()), wire.Message{Body: []byte("ask")}); err != nil {
			r.Fatal(err)
		}
		for _, n := range nodes {
			if d := n.next(); d.Destination != r.dest.All() || string(d.Message.Body) != "ask" {
				r.Errorf("%q came from %s", d.Message.Body, d.Destination)
			}
		}
	})
}

// TestANodeThatComesBackBeforeItsOldConnectionIsMissed connects twice as the same client.
func TestANodeThatComesBackBeforeItsOldConnectionIsMissed(t *testing.T) {
	onReal(t, func(r *real) {
		sub := wire.Subscription{Destination: r.dest.Node("n1"), Prefetch: 32, Header: r.NodeQueue}
		r.dial(sub)
		again := r.dial(sub)
		again.posts(r.dest.Output(), wire.Message{})
	})
}

// rabbit is RabbitMQ, with its administration.
func rabbit(t *testing.T) (*real, func(args ...string) string) {
	t.Helper()
	r := realOf(t, "rabbitmq", "FETTLE_TEST_RABBITMQ")
	return r, func(args ...string) string {
		t.Helper()
		out, err := exec.Command(os.Getenv("FETTLE_TEST_RABBITMQCTL"), append([]string{"-q"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("rabbitmqctl %s: %v\n%s", args, err, out)
		}
		return string(out)
	}
}

func TestRabbitClosesWhereAQueueIsOfAnotherKind(t *testing.T) {
	r, _ := rabbit(t)
	queue := r.dest.Node("n1")
	r.dial(wire.Subscription{Destination: queue, Header: r.NodeQueue}).posts(r.dest.Output(), wire.Message{})
	other := r.redial(wire.Subscription{Destination: queue}) // durable, and not auto-delete
	if err := waitFor(other, other.lost, "it is cut off"); !strings.Contains(err.Error(), "PRECONDITION_FAILED") && !strings.Contains(err.Error(), "inequivalent") {
		t.Errorf("the broker said %v", err)
	}
}

func TestRabbitDropsTheQueuesOfNodesThatAreGone(t *testing.T) {
	r, admin := rabbit(t)
	p := r.dial(wire.Subscription{Destination: r.dest.Node("n1"), Header: r.NodeQueue})
	p.posts(r.dest.Facts(), wire.Message{})
	if list := admin("list_queues", "name"); !strings.Contains(list, r.dest.Collective+".node.n1") {
		t.Errorf("while it reads:\n%s", list)
	}
	server := r.dial()
	if err := server.Send(r.ToReader(r.dest.Node("n2")), wire.Message{Body: []byte("a task")}); err != nil {
		t.Fatal(err)
	}
	server.posts(r.dest.Facts(), wire.Message{})
	p.cut()
	waitFor(p, p.lost, "it notices")
	waitFor(p, p.connected, "it is back") // a queue that was just deleted is made anew
	list := admin("list_queues", "name")
	if strings.Contains(list, r.dest.Collective+".node.n2") {
		t.Errorf("a queue that never had a reader stays:\n%s", list)
	}
}

// TestRabbitThatIsFullKeepsReceipts has a queue refuse what it has no room for: whoever sends it learns that, and keeps it.
func TestRabbitThatIsFullKeepsReceipts(t *testing.T) {
	r, admin := rabbit(t)
	policy := "full-" + r.dest.Collective
	admin("set_policy", "--apply-to", "queues", policy, "^"+r.dest.Collective+`\.results$`, `{"max-length":1,"overflow":"reject-publish"}`)
	t.Cleanup(func() { admin("clear_policy", policy) })
	p := r.dial()
	p.posts(r.dest.Results(), wire.Message{Body: []byte("one")})
	var err error
	for n := 0; n < 10 && err == nil; n++ { // the bound is not exact
		err = p.post(r.dest.Results(), wire.Message{Body: []byte("more")})
	}
	if err == nil {
		t.Error("ten more were receipted by a queue for one")
	}
}

func TestRabbitHasVirtualHosts(t *testing.T) {
	r, admin := rabbit(t)
	host := "vhost/" + r.dest.Collective // a slash is written as in URLs
	admin("add_vhost", host)
	t.Cleanup(func() { admin("delete_vhost", host) })
	admin("set_permissions", "-p", host, r.login, ".*", ".*", ".*")
	inside := *r
	inside.server += "/" + url.PathEscape(host)
	p := inside.dial(wire.Subscription{Destination: r.dest.Facts(), Prefetch: 1})
	p.posts(r.dest.Facts(), wire.Message{Body: []byte("here")})
	if d := p.next(); string(d.Message.Body) != "here" {
		t.Errorf("%q came", d.Message.Body)
	}
	if list := admin("list_queues", "-p", host, "name"); !strings.Contains(list, r.dest.Collective+".facts") {
		t.Errorf("the queue is not in %s:\n%s", host, list)
	}
	if list := admin("list_queues", "name"); strings.Contains(list, r.dest.Collective+".facts") {
		t.Errorf("the queue is in /:\n%s", list)
	}
}
