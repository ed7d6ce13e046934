//go:build integration

package house

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// foreign is a broker that test/services runs, and a collective on it that is one test's alone.
type foreign struct {
	kind       string // rabbitmq or activemq
	url        string // with the account
	server     string // without
	login      string
	passcode   string
	collective string
}

func foreignOf(t *testing.T, kind string) *foreign {
	t.Helper()
	f := &foreign{kind: kind, url: service(t, "FETTLE_TEST_"+strings.ToUpper(kind)), collective: fmt.Sprintf("h%08x", rand.Uint32())}
	u, err := url.Parse(f.url)
	if err != nil || u.User == nil {
		t.Fatalf("%s: no URL with an account", kind)
	}
	f.login = u.User.Username()
	f.passcode, _ = u.User.Password()
	u.User = nil
	f.server = u.String()
	return f
}

// everyBroker runs a test with each broker that a server can have.
func everyBroker(t *testing.T, f func(t *testing.T, p *place)) {
	t.Run("embedded", func(t *testing.T) { f(t, newPlace(t)) })
	foreignBrokers(t, f)
}

func foreignBrokers(t *testing.T, f func(t *testing.T, p *place)) {
	for _, kind := range []string{"rabbitmq", "activemq"} {
		t.Run(kind, func(t *testing.T) {
			p := newPlace(t)
			p.broker = foreignOf(t, kind)
			f(t, p)
		})
	}
}

// ofServer gives the arguments with which a server finds the broker.
func (f *foreign) ofServer() []string {
	return []string{"--broker", f.kind, "--broker-url", f.url, "--collective", f.collective}
}

// ofAgent gives the arguments with which an agent of a place does, and enrols.
func (f *foreign) ofAgent(p *place) []string {
	account := write(p.t, 0o600, p.t.TempDir(), "account", f.login+":"+f.passcode+"\n")
	return []string{"--broker", f.kind, "--server", f.server, "--collective", f.collective, "--secret-file", account, "--join", p.joinToken().String()}
}

// service does something to the program behind the broker: crash or start.
func (f *foreign) service(t *testing.T, what string) {
	t.Helper()
	script, err := filepath.Abs("../services/services.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(script, what, f.kind)
	cmd.Env = append(cmd.Environ(), "HOME=/") // not the one of the tests' own
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", what, f.kind, err, out)
	}
}

// meddler stands at the broker and has its account: it reads what is for others, and sends what it likes.
type meddler struct {
	*wire.Link
	f        *foreign
	dialect  wire.Dialect
	received chan *wire.Delivery
	ready    chan struct{}
	leave    func() // it goes, and what it holds is given to others
}

func (m *meddler) Connected(string)          { close(m.ready) }
func (m *meddler) Received(d *wire.Delivery) { m.received <- d }
func (m *meddler) Lost(error)                {}

func (f *foreign) meddle(t *testing.T, queues ...string) *meddler {
	t.Helper()
	dialect, err := wire.DialectOf(f.kind)
	if err != nil {
		t.Fatal(err)
	}
	cfg := wire.DefaultLink()
	cfg.Dialect, cfg.Servers, cfg.Login, cfg.Passcode, cfg.ReceiptTimeout = dialect, []string{f.server}, f.login, f.passcode, patience
	for _, q := range queues {
		sub := wire.Subscription{Destination: q, Prefetch: held}
		if _, is := (wire.Destinations{Collective: f.collective}).IsNode(q); is {
			sub.Header = dialect.NodeQueue
		}
		cfg.Subscriptions = append(cfg.Subscriptions, sub)
	}
	m := &meddler{f: f, dialect: dialect, received: make(chan *wire.Delivery, 10_000), ready: make(chan struct{})}
	m.Link = wire.NewLink(cfg, m, slog.New(slog.DiscardHandler))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	m.leave = sync.OnceFunc(func() { stop(); <-done })
	t.Cleanup(m.leave)
	select {
	case <-m.ready:
	case <-time.After(patience):
		t.Fatal("the meddler cannot connect")
	}
	return m
}

// held is how many messages a meddler holds before it sends them on.
const held = 4

const touched = "meddled" // header of what a meddler has sent already: it is not doubled again

// shuffle sends on what comes, twice and in the wrong order, until ctx ends, and tells how many messages it doubled.
func (m *meddler) shuffle(ctx context.Context) (doubled int) {
	flush := time.NewTicker(50 * time.Millisecond)
	defer flush.Stop()
	var batch []*wire.Delivery
	for {
		select {
		case <-ctx.Done():
			return doubled // the broker gives what is held to others
		case d := <-m.received:
			if batch = append(batch, d); len(batch) < held {
				continue
			}
		case <-flush.C:
		}
		for _, d := range slices.Backward(batch) {
			again := wire.Message{Body: d.Message.Body, Header: []wire.Field{{Name: touched, Value: "yes"}}}
			for _, name := range []string{"content-encoding", "fettle-sig", "fettle-cert"} {
				if value := d.Message.Get(name); value != "" {
					again.Header = append(again.Header, wire.Field{Name: name, Value: value})
				}
			}
			times := 2
			if d.Message.Get(touched) != "" {
				times = 1
			}
			for range times {
				_ = m.Post(m.dialect.ToReader(d.Destination), again, func(error) {})
			}
			doubled += times - 1
			_ = d.Ack()
		}
		batch = batch[:0]
	}
}

// TestABrokerThatDoublesAndReorders has somebody at the broker send on results, facts and tasks twice, the last ones first.
func TestABrokerThatDoublesAndReorders(t *testing.T) {
	foreignBrokers(t, func(t *testing.T, p *place) {
		c := newCrowd(t, p)
		c.open()
		start(t, c.agent("n1", "--nrpe-config", c.nrpe(t), "--facts-dir", c.factsDir)...)
		c.alive("n1")
		dest := wire.Destinations{Collective: p.broker.collective}
		m := p.broker.meddle(t, dest.Results(), dest.Facts(), dest.Node("n1"))
		ctx, cancel := context.WithCancel(t.Context())
		var load sync.WaitGroup
		t.Cleanup(func() { cancel(); load.Wait() })
		load.Go(func() { c.work(ctx) })
		meddling, stop := context.WithCancel(t.Context())
		doubled := make(chan int, 1)
		go func() { doubled <- m.shuffle(meddling) }()
		eventually(t, "work is done", func() bool { return len(lines(t, c.begun)) >= 60 })
		cancel()
		load.Wait()
		eventually(t, "all runs have ended", func() bool {
			return !slices.ContainsFunc(c.runs(t), func(r runItem) bool { return r.Ended == nil })
		})
		stop()
		if n := <-doubled; n < 10 {
			t.Errorf("only %d messages were doubled", n)
		}
		c.account(t, false)
	})
}

// keepBusy has tasks and facts flow until the function that it gives is called, or the test ends.
func (c *crowd) keepBusy(t *testing.T) (rest func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var load sync.WaitGroup
	rest = func() { cancel(); load.Wait() }
	t.Cleanup(rest)
	load.Go(func() { c.work(ctx) })
	load.Go(func() { c.publish(ctx, t) })
	return rest
}

// TestAForeignBrokerThatIsKilled kills the broker while tasks and facts flow, and starts it again.
func TestAForeignBrokerThatIsKilled(t *testing.T) {
	foreignBrokers(t, func(t *testing.T, p *place) {
		c := newCrowd(t, p)
		server := c.open()
		start(t, c.agent("n1", "--nrpe-config", c.nrpe(t), "--facts-dir", c.factsDir)...)
		c.alive("n1")
		rest := c.keepBusy(t)
		c.busy(t)
		t.Cleanup(func() { p.broker.service(t, "start") }) // whatever happens here, others need it
		p.broker.service(t, "crash")
		ready := func() int {
			resp, err := http.Get(server.ready["http"] + "/readyz")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			return resp.StatusCode
		}
		eventually(t, "it is not ready", func() bool { return ready() == http.StatusServiceUnavailable })
		rest() // what was begun is on its way, and the rest would only fill the store
		if page := get(t, server.ready["http"]+"/metrics", ""); !strings.Contains(page, "fettle_bridge_up 0\n") {
			t.Error("fettle_bridge_up is not 0")
		}
		var run runItem
		c.must(http.MethodPost, "/runs", map[string]any{"action": "agent.ping", "all": true, "timeout": "1s"}, &run)
		eventually(t, "a run without a broker ends", func() bool { c.must(http.MethodGet, "/runs/"+run.Run, nil, &run); return run.Ended != nil })
		if run.Tally.Never != 1 {
			t.Errorf("a run without a broker: %+v", run.Tally)
		}
		if n, ok := c.node("n1"); !ok || n.Liveness != "alive" || n.Facts["kernel"] != "Linux" {
			t.Errorf("a node is %s while the broker is away", n.Liveness)
		}
		if text := server.log.String(); !strings.Contains(text, "the broker is away") || strings.Contains(text, p.broker.passcode+"@") {
			t.Errorf("the log: %s", text)
		}
		p.broker.service(t, "start")
		eventually(t, "it is ready", func() bool { return ready() == http.StatusOK })
		rest = c.keepBusy(t)
		c.busy(t)
		c.alive("n1")
		rest()
		known := c.known.Load()
		eventually(t, "what was acknowledged is there", func() bool {
			n, _ := c.node("n1")
			count, _ := n.Facts["count"].(float64)
			return int64(count) >= known
		})
		c.account(t, false)
	})
}

// TestForeignMessagesThatAreWrong has somebody with an account of the broker send what no node of ours says.
func TestForeignMessagesThatAreWrong(t *testing.T) {
	foreignBrokers(t, func(t *testing.T, p *place) {
		server := p.open()
		start(t, p.agent("n1")...)
		p.alive("n1")
		dest := wire.Destinations{Collective: p.broker.collective}
		m := p.broker.meddle(t)
		forged, err := wire.Seal(wire.Envelope{Type: wire.TypeBeat, From: "n1", At: fettle.MillisOf(time.Now())}, wire.Beat{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		task, err := wire.Seal(wire.Envelope{Type: wire.TypeTask, From: wire.Server, To: "n1", At: fettle.MillisOf(time.Now())}, fettle.Task{ID: "t1", Node: "n1", Action: "agent.ping"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		wrong := []wire.Message{
			{},
			{Body: []byte("\x00\xff garbage")},
			{Body: []byte("{}")},
			{Body: forged.Body, Header: []wire.Field{{Name: "fettle-sig", Value: "nobody:AAAA"}}},
			forged,
			{Body: []byte("x"), Header: []wire.Field{{Name: "content-encoding", Value: "zstd"}}},
		}
		for _, one := range wrong {
			for _, to := range dest.Collected() {
				done := make(chan error, 1)
				if err := m.Post(to, one, func(err error) { done <- err }); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
			if err := m.Send(m.dialect.ToReader(dest.Node("n1")), task); err != nil {
				t.Fatal(err)
			}
		}
		want := len(wrong) * len(dest.Collected())
		eventually(t, "all are counted", func() bool {
			return strings.Contains(get(t, server.ready["http"]+"/metrics", ""), fmt.Sprintf("fettle_server_dead_letters_total %d\n", want))
		})
		if run := p.ran("agent.ping", nil); run.Tally.OK != 1 {
			t.Errorf("afterwards: %+v", run)
		}
	})
}
