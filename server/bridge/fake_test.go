package bridge

import (
	"bufio"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/go-stomp/stomp/v3/frame"

	"github.com/fettle-dev/fettle/server"
)

// patience bounds what a test waits for; it is never a measure.
const patience = time.Minute

// foreign is a broker of which a test plays every frame.
type foreign struct {
	t     *testing.T
	ln    net.Listener
	calls chan *call // connections, logged in
	deny  string     // an ERROR in the place of CONNECTED; set before a bridge runs
}

// call is one connection to it.
type call struct {
	t      *testing.T
	conn   net.Conn
	frames chan *frame.Frame // closed with the connection
	mu     sync.Mutex
}

func newForeign(t *testing.T) *foreign {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &foreign{t: t, ln: ln, calls: make(chan *call, 16)}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() { ln.Close(); all.Wait() })
	return f
}

func (f *foreign) url() string { return "stomp://bridge:s3cret@" + f.ln.Addr().String() }

func (f *foreign) serve(conn net.Conn) {
	defer conn.Close()
	c := &call{t: f.t, conn: conn, frames: make(chan *frame.Frame, 4096)}
	defer close(c.frames)
	in := frame.NewReader(bufio.NewReader(conn))
	for {
		got, err := in.Read()
		switch {
		case err != nil:
			return
		case got == nil: // a heart-beat
		case got.Command == "CONNECT" && f.deny != "":
			c.say("ERROR", "", "message", f.deny)
			return
		case got.Command == "CONNECT":
			c.say("CONNECTED", "", "version", "1.2", "heart-beat", "0,0")
			f.calls <- c
		default:
			c.frames <- got
		}
	}
}

func (c *call) say(command, body string, header ...string) {
	f := frame.New(command, header...)
	f.Body = []byte(body)
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = frame.NewWriter(c.conn).Write(f) // a connection that is gone is what some tests are about
}

// message delivers a message on a subscription; its ack is its number.
func (c *call) message(subscription string, n int, header ...string) {
	id := strconv.Itoa(n)
	c.say("MESSAGE", "body "+id, append([]string{"destination", "/queue/fettle.facts", "subscription", subscription, "message-id", id, "ack", id}, header...)...)
}

// next gives the next frame.
func (c *call) next() *frame.Frame {
	c.t.Helper()
	select {
	case f, open := <-c.frames:
		if !open {
			c.t.Fatal("the bridge hung up")
		}
		return f
	case <-time.After(patience):
		c.t.Fatal("no frame came")
	}
	return nil
}

// sides gives the two connections of a bridge: the one that subscribes, and the other.
func (f *foreign) sides() (reads, writes *call, subscriptions []*frame.Frame) {
	f.t.Helper()
	for range 2 {
		var c *call
		select {
		case c = <-f.calls:
		case <-time.After(patience):
			f.t.Fatal("it does not connect")
		}
		select {
		case first := <-c.frames:
			reads, subscriptions = c, []*frame.Frame{first, c.next(), c.next(), c.next()}
		case <-time.After(100 * time.Millisecond): // the writing side says nothing by itself
			writes = c
		}
	}
	if reads == nil || writes == nil {
		f.t.Fatal("there are not two sides")
	}
	return reads, writes, subscriptions
}

// played is a server of which a test decides when it commits.
type played struct {
	taken chan server.Incoming
	told  chan string
}

func (p *played) Collect(in server.Incoming) { p.taken <- in }
func (p *played) BrokerLost()                { p.told <- "lost" }
func (p *played) BrokerBack()                { p.told <- "back" }

// hears waits for what the server is told next.
func (p *played) hears(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-p.told:
		if got != want {
			t.Fatalf("the server is told %q, want %q", got, want)
		}
	case <-time.After(patience):
		t.Fatalf("the server is not told %q", want)
	}
}

func (p *played) next(t *testing.T) server.Incoming {
	t.Helper()
	select {
	case in := <-p.taken:
		return in
	case <-time.After(patience):
		t.Fatal("nothing was collected")
	}
	return server.Incoming{}
}

// started is a bridge that runs, with both of its ends in a test's hands.
type started struct {
	*Bridge
	*played
	meters *metrics.Set
	end    func() // stops it, and waits for its end
}

func start(t *testing.T, broker string, urls ...string) *started {
	t.Helper()
	s := &started{played: &played{make(chan server.Incoming, 1000), make(chan string, 100)}, meters: metrics.NewSet()}
	var err error
	if s.Bridge, err = New(Config{Broker: broker, URLs: urls, Prefetch: 7, Metrics: s.meters}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := contextOf(t)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx, s.played) }()
	s.end = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("it does not end")
		}
	})
	t.Cleanup(s.end)
	s.hears(t, "lost")
	return s
}
