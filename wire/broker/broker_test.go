package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/fettle-dev/fettle"
)

// TestMain looks for goroutines that are left over. One of go-stomp's client may be: see unsubscribe.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/go-stomp/stomp/v3.waitWithTimeout.func1"))
}

// patience is how long a test waits for what has to happen.
const patience = time.Minute

// house is an Authorizer: the passcode is "secret", a client-id makes a node, and what begins with /queue/private is for nobody.
type house struct{}

func (house) Login(l Login) (Principal, error) {
	if l.Passcode != "secret" {
		return Principal{}, fmt.Errorf("wrong passcode for %q: %w", l.Login, fettle.ErrDenied)
	}
	if l.ClientID == "" {
		return Principal{Name: l.Login}, nil
	}
	id, err := fettle.ParseNodeID(l.ClientID)
	return Principal{Node: id, Name: l.Login}, err
}

func (house) MaySend(_ Principal, dest string) error {
	if strings.HasPrefix(dest, "/queue/private") {
		return fmt.Errorf("nobody may: %w", fettle.ErrDenied)
	}
	return nil
}

func (h house) MaySubscribe(p Principal, dest string) error { return h.MaySend(p, dest) }

// desk is a Committer that keeps what it got until the test says what became of it.
type desk struct {
	mu   sync.Mutex
	msgs []*Message
	done []func(error)
	auto bool // say nil at once
}

func (d *desk) Commit(m *Message, done func(error)) {
	d.mu.Lock()
	d.msgs = append(d.msgs, m)
	auto := d.auto
	if !auto {
		d.done = append(d.done, done)
	}
	d.mu.Unlock()
	if auto {
		done(nil)
	}
}

func (d *desk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.msgs)
}

// finish calls the first n dones with err.
func (d *desk) finish(n int, err error) {
	d.mu.Lock()
	done := d.done[:n]
	d.done = d.done[n:]
	d.mu.Unlock()
	for _, f := range done {
		f(err)
	}
}

// doors is a Presence that writes down what it is told.
type doors struct {
	mu  sync.Mutex
	log []string
}

func (d *doors) Connected(p Principal, _ string) { d.add("+" + string(p.Node)) }
func (d *doors) Disconnected(p Principal, _, reason string) {
	d.add("-" + string(p.Node) + " " + reason)
}

func (d *doors) add(s string) {
	d.mu.Lock()
	d.log = append(d.log, s)
	d.mu.Unlock()
}

func (d *doors) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.log, ", ")
}

// rig is a broker that serves on a port of its own until the test ends.
type rig struct {
	*Broker
	t     testing.TB
	addr  string
	desk  *desk
	doors *doors
	stop  func() // ends it, and waits
}

func testConfig() Config {
	cfg := DefaultConfig()
	cfg.LingerTimeout = 100 * time.Millisecond // a client of a test may never close
	cfg.Collected = func(dest string) bool { return strings.HasPrefix(dest, "/queue/collected") }
	cfg.Transient = func(dest string) bool { return strings.HasPrefix(dest, "/queue/node.") }
	return cfg
}

func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	cfg := testConfig()
	if change != nil {
		change(&cfg)
	}
	r := &rig{t: t, desk: &desk{}, doors: &doors{}}
	var err error
	r.Broker, err = New(cfg, house{}, r.desk, r.doors, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, ln) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(patience):
			t.Errorf("Serve did not return")
		}
	})
	t.Cleanup(func() {
		r.stop()
		if n := r.m.panics.Get(); n != 0 {
			t.Errorf("%d panics", n)
		}
		if s := r.Stats(); s.Connections != 0 || s.Sessions != 0 || s.Subscriptions != 0 || s.Nodes != 0 || s.OutBytes != 0 {
			t.Errorf("something is left over: %+v", s)
		}
	})
	return r
}

// until waits for ok.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	over := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-over:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// client is a client that sends just what it is told, byte by byte.
type client struct {
	net.Conn
	t     testing.TB
	r     *bufio.Reader
	early []got // messages that came before a receipt that was waited for
}

func newClient(t testing.TB, nc net.Conn) *client {
	t.Cleanup(func() { nc.Close() })
	return &client{Conn: nc, t: t, r: bufio.NewReaderSize(nc, 1024)}
}

func (r *rig) dial() *client {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	return newClient(r.t, nc)
}

// login dials and logs in; more are further headers, each with its newline.
func (r *rig) login(more string) *client {
	r.t.Helper()
	c := r.dial()
	c.connect(more)
	return c
}

func (c *client) connect(more string) {
	c.t.Helper()
	if !strings.Contains(more, "accept-version") {
		more = "accept-version:1.2\n" + more
	}
	c.send("CONNECT\nhost:x\nlogin:joe\npasscode:secret\n" + more + "\n\x00")
	c.want("CONNECTED")
}

func (c *client) send(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatalf("send %.40q: %v", s, err)
	}
}

// got is a frame as a client sees it.
type got struct {
	command string
	header  map[string]string
	body    string
}

func (g got) String() string { return fmt.Sprintf("%s %v %q", g.command, g.header, g.body) }

// read reads a frame; heart-beats are skipped.
func (c *client) read() (g got, err error) {
	_ = c.SetReadDeadline(time.Now().Add(patience))
	line := ""
	for line == "" {
		if line, err = c.r.ReadString('\n'); err != nil {
			return g, err
		}
		line = strings.TrimSuffix(line, "\n")
	}
	g = got{command: line, header: map[string]string{}}
	for {
		if line, err = c.r.ReadString('\n'); err != nil {
			return g, err
		}
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		g.header[name] = value
	}
	n, _ := strconv.Atoi(g.header["content-length"])
	body := make([]byte, n+1)
	_, err = io.ReadFull(c.r, body)
	g.body = string(body[:n])
	if err == nil && body[n] != 0 {
		err = fmt.Errorf("no NUL after %s", g)
	}
	return g, err
}

// want reads a frame, which has to be of the command.
func (c *client) want(command string) got {
	c.t.Helper()
	if command == "MESSAGE" && len(c.early) > 0 {
		g := c.early[0]
		c.early = c.early[1:]
		return g
	}
	g, err := c.read()
	for command == "RECEIPT" && g.command == "MESSAGE" {
		c.early = append(c.early, g)
		g, err = c.read()
	}
	if err != nil || g.command != command {
		c.t.Fatalf("got %v, error %v; want %s", g, err, command)
	}
	return g
}

// unescape undoes the escapes of a header of STOMP 1.2.
var unescape = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\c`, ":", `\\`, `\`)

// wantError reads an ERROR that says text, and the end of the connection.
func (c *client) wantError(text string) got {
	c.t.Helper()
	g := c.want("ERROR")
	if message := unescape.Replace(g.header["message"]); !strings.Contains(message, text) {
		c.t.Fatalf("the message is %q; want it to say %q", message, text)
	}
	c.wantEnd()
	return g
}

func (c *client) wantEnd() {
	c.t.Helper()
	if g, err := c.read(); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe) {
		c.t.Fatalf("got %v, error %v; want the end", g, err)
	}
}
