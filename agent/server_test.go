package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/plugins"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

const identity fettle.NodeID = "web1.acme.net"

// server is broker and server in one, for one agent: it answers logins, gives receipts and keeps what was sent.
type server struct {
	t *testing.T

	mu       sync.Mutex // guards all below
	conn     net.Conn
	down     bool          // nobody listens
	withhold bool          // no receipts
	mute     bool          // no welcome
	deaf     chan struct{} // not nil: nothing is read until it is closed
	skew     time.Duration
	retry    time.Duration
	known    string // hash of the document that the server has
	got      []wire.Envelope
	acked    map[string]bool
	sent     int
	hello    string // id of the last one

	authority *trust.Authority // nil: what is sent is not signed
	token     trust.JoinToken
	keys      wire.KeyRing
	joins     []wire.Enrol
	verdict   func(wire.Enrol) wire.Enrolled // nil: everyone is taken
	logins    []string                       // "login passcode client-id" of all
	lock      bool                           // nobody is let in but to join
	lastKey   string                         // id of the key that signed the last message
}

func newServer(t *testing.T) *server {
	s := &server{t: t, acked: map[string]bool{}, keys: wire.KeyRing{}}
	s.found()
	return s
}

// found founds a fleet: a root, a server key and a join token.
func (s *server) found() {
	s.t.Helper()
	a, err := trust.OpenAuthority(s.t.TempDir(), func() time.Time { return s.now().Time() })
	if err != nil {
		s.t.Fatal(err)
	}
	s.authority, s.token = a, trust.NewJoinToken(a.Root(), nil)
}

func (s *server) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// now is the server's clock.
func (s *server) now() fettle.Millis { return fettle.MillisOf(time.Now().Add(s.skew)) }

func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	s.conn = far
	go s.serve(far)
	return near, nil
}

func (s *server) serve(conn net.Conn) {
	in := frame.NewReader(conn)
	for {
		f, err := in.Read()
		if err != nil {
			return
		}
		var deaf chan struct{}
		s.with(func() { deaf = s.deaf })
		if deaf != nil {
			<-deaf
		}
		if f == nil {
			continue
		}
		switch f.Command {
		case "CONNECT":
			who := f.Header.Get("login") + " " + f.Header.Get("passcode") + " " + f.Header.Get("client-id")
			refuse := false
			s.with(func() {
				s.logins = append(s.logins, who)
				refuse = s.lock && f.Header.Get("login") != trust.JoinLogin
			})
			if refuse {
				s.write(conn, nil, "ERROR", "message", "the passcode is not right")
				conn.Close()
				return
			}
			s.write(conn, nil, "CONNECTED", "version", "1.2")
		case "ACK":
			s.with(func() { s.acked[f.Header.Get("id")] = true })
		case "SEND":
			s.receive(conn, f)
		}
	}
}

func (s *server) write(conn net.Conn, body []byte, command string, header ...string) {
	f := frame.New(command, header...)
	f.Body = body
	var b bytes.Buffer
	if err := frame.NewWriter(&b).Write(f); err != nil {
		s.t.Error(err)
	}
	_, _ = conn.Write(b.Bytes())
}

func (s *server) receive(conn net.Conn, f *frame.Frame) {
	m := wire.Message{Body: f.Body}
	for _, name := range []string{"content-encoding", "fettle-sig"} {
		m.Header = append(m.Header, wire.Field{Name: name, Value: f.Header.Get(name)})
	}
	if f.Header.Get("destination") == "/queue/fettle.enrol" {
		s.enrol(conn, m)
		return
	}
	var env wire.Envelope
	var err error
	s.with(func() {
		env, err = wire.Open(m, s.keys, 0)
		s.lastKey, _, _ = strings.Cut(m.Get("fettle-sig"), ":")
	})
	if err != nil {
		s.t.Error(err)
		return
	}
	env.Body = bytes.Clone(env.Body)
	var receipt string
	var welcome *wire.Welcome
	s.with(func() {
		s.got = append(s.got, env)
		if receipt = f.Header.Get("receipt"); s.withhold {
			receipt = ""
		}
		if env.Type == wire.TypeHello {
			s.hello = env.ID
		}
		if env.Type == wire.TypeHello && !s.mute {
			var h wire.Hello
			_ = env.Decode(&h)
			welcome = &wire.Welcome{Hello: env.ID, Time: s.now(), NeedFacts: h.FactsHash != s.known || s.known == "", RetryAfter: s.retry.Milliseconds()}
			s.retry = 0
		}
	})
	if receipt != "" {
		s.write(conn, nil, "RECEIPT", "receipt-id", receipt)
	}
	if welcome != nil {
		s.send(wire.TypeWelcome, *welcome)
	}
}

// enrol answers an Enrol on the connection on which it came.
func (s *server) enrol(conn net.Conn, m wire.Message) {
	env, err := wire.Open(m, nil, 0)
	var e wire.Enrol
	if err == nil {
		err = env.Decode(&e)
	}
	if err != nil || env.From != string(identity) {
		s.t.Errorf("enrol from %s: %v", env.From, err)
		return
	}
	id := trust.KeyID(e.Sign)
	ring := wire.KeyRing{id: {Owner: env.From, Key: e.Sign}}
	dest, node := "/queue/fettle.join."+id, fettle.NodeID(env.From)
	if e.Token == "" {
		dest, ring = "/queue/fettle.node."+env.From, s.keys
		err = trust.CheckKeyProof(e.KeyProof, node, e.Sign, e.Seal)
	} else {
		err = trust.CheckEnrolProof(s.token.Secret, e.Proof, node, e.Sign, e.Seal)
	}
	passcode, fault := trust.SealPasscode(e.Seal, id, trust.NodePasscode(s.authority.LoginKey(), node, id))
	if fault != nil {
		s.t.Error(fault)
	}
	answer := wire.Enrolled{Status: wire.EnrolledYes, Passcode: passcode}
	s.with(func() {
		if _, fault := wire.Open(m, ring, 0); err == nil {
			err = fault
		}
		if s.joins = append(s.joins, e); s.verdict != nil {
			answer = s.verdict(e)
		}
		if answer.Key, answer.Root = id, s.authority.Root(); answer.Status == wire.EnrolledYes {
			s.keys[id] = wire.OwnedKey{Owner: env.From, Key: e.Sign}
		}
	})
	if err != nil {
		s.t.Error(err)
		return
	}
	if answer.Status == "" {
		return
	}
	env = wire.Envelope{Type: wire.TypeEnrolled, From: wire.Server, To: env.From, At: s.now()}
	out, err := wire.Seal(env, answer, s.authority)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.deliver(conn, dest, wire.NewID(), out)
}

func (s *server) deliver(conn net.Conn, dest, id string, m wire.Message) {
	header := []string{"subscription", "0", "message-id", id, "ack", id, "destination", dest}
	for _, f := range m.Header {
		header = append(header, f.Name, f.Value)
	}
	s.write(conn, m.Body, "MESSAGE", header...)
}

// send sends a message to the agent and gives the id that its ACK has.
func (s *server) send(t wire.Type, body any) string {
	return s.sendAs(wire.Envelope{Type: t, From: wire.Server, To: string(identity)}, body)
}

func (s *server) sendAs(env wire.Envelope, body any) string {
	s.t.Helper()
	if env.At == 0 {
		env.At = s.now()
	}
	if w, is := body.(wire.Welcome); is && w.Hello == "" {
		s.with(func() { w.Hello = s.hello })
		body = w
	}
	m, err := wire.Seal(env, body, s.authority)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.sendMessage(m)
}

// sendMessage sends what may be no right message, and gives the id that its ACK has.
func (s *server) sendMessage(m wire.Message) string {
	var conn net.Conn
	var id string
	s.with(func() {
		s.sent++
		conn, id = s.conn, fmt.Sprint("m", s.sent)
	})
	s.deliver(conn, "/queue/fettle.node."+string(identity), id, m)
	return id
}

func (s *server) task(id, action string, inputs map[string]any) fettle.Task {
	return fettle.Task{ID: fettle.TaskID(id), Node: identity, Action: action, Inputs: inputs, Timeout: 10_000, Expires: s.now().Add(time.Minute), Run: "run1"}
}

// ask sends a task.
func (s *server) ask(id, action string) string { return s.send(wire.TypeTask, s.task(id, action, nil)) }

// hangUp drops the connection.
func (s *server) hangUp() { s.with(func() { s.conn.Close() }) }

func (s *server) wasAcked(id string) (yes bool) {
	s.with(func() { yes = s.acked[id] })
	return yes
}

// all gives the bodies of what was received of a type.
func all[T any](s *server, t wire.Type) (bodies []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, env := range s.got {
		if env.Type == t {
			var body T
			if err := json.Unmarshal(env.Body, &body); err != nil {
				s.t.Errorf("%s: %v", env.Body, err)
			}
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// results gives "id:status" of all results, in the order in which they came.
func (s *server) results() (got []string) {
	for _, m := range all[wire.Results](s, wire.TypeResults) {
		for _, r := range m.Results {
			if r.Check == "" {
				got = append(got, fmt.Sprintf("%s:%d", r.Task, r.Status))
			}
		}
	}
	return got
}

func (s *server) forget() { s.with(func() { s.got = nil }) }

// source gives what a test says.
type source struct {
	mu      sync.Mutex
	facts   map[string]any
	classes []string
	err     error
	changed chan struct{}
	took    int
	hang    bool // until the context ends
}

func (s *source) Collect(ctx context.Context) (facts.Snapshot, error) {
	if s.hang {
		<-ctx.Done()
		return facts.Snapshot{}, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took++
	copied := map[string]any{}
	for k, v := range s.facts {
		copied[k] = v
	}
	return facts.Snapshot{Facts: copied, Classes: s.classes}, s.err
}

func (s *source) Volatile() facts.Volatile {
	v, _ := facts.NewVolatile([]string{"load"})
	return v
}

func (s *source) Changed() <-chan struct{} { return s.changed }

func (s *source) set(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts[key] = value
}

// table is what the node can do: test.once counts, test.block blocks until it is let go or ended, test.ping takes no slot.
type table struct {
	mu     sync.Mutex
	ran    []string
	inputs map[string]any // of the last one
	gate   chan struct{}
	code   fettle.CheckCode
	node   *agent.Agent
}

func (t *table) Manifests() []plugins.Action {
	return []plugins.Action{
		{Name: "test.once"},
		{Name: "test.block", Busy: "true"},
		{Name: "test.stuck"},
		{Name: "test.panic"},
		{Name: "test.big"},
		{Name: "test.large"},
		{Name: "test.bulk", Idempotent: true},
		{Name: "test.ping", Idempotent: true, Slotless: true},
		{Name: "test.check", Idempotent: true},
		{Name: "test.print"},
		{Name: "test.flood"},
		{Name: "test.facts", Idempotent: true, Slotless: true},
	}
}

func (t *table) Prepare(context.Context, fettle.Task) *agent.Outcome { return nil }

func (t *table) Plugins() map[string]string { return nil }

func (t *table) Manifest(action string, _ *fettle.PluginRef) (plugins.Action, error) {
	for _, m := range t.Manifests() {
		if m.Name == action {
			return m, nil
		}
	}
	return plugins.Action{}, fettle.ErrNotFound
}

func (t *table) Commands() []string { return []string{"check_load"} }
func (t *table) Going() []string    { return []string{"test.daemon"} }

func (t *table) Do(ctx context.Context, call agent.Call) agent.Outcome {
	t.mu.Lock()
	t.ran, t.inputs = append(t.ran, call.Action), call.Inputs
	gate, code := t.gate, t.code
	t.mu.Unlock()
	switch call.Action {
	case "test.block":
		select {
		case <-gate:
		case <-ctx.Done():
			return agent.Outcome{Status: fettle.StatusTimeout, Message: "ended"}
		}
	case "test.print":
		call.Stream("stdout", []byte("first\n"))
		<-gate
		call.Stream("stdout", []byte("last\n"))
	case "test.flood":
		for range 1000 {
			call.Stream("stdout", make([]byte, 1024))
			call.Stream("stderr", []byte("é"))
		}
		<-gate
	case "test.stuck":
		<-gate
	case "test.panic":
		panic("a bug")
	case "test.big":
		return agent.Outcome{Message: "OK", Data: map[string]any{"x": string(make([]byte, 1<<20))}}
	case "test.large", "test.bulk":
		return agent.Outcome{Message: "OK", Data: map[string]any{"x": strings.Repeat("x", 500<<10)}}
	case "test.check":
		line := fmt.Sprint("code ", code)
		return agent.Outcome{Message: line, Output: &fettle.CheckOutput{Code: code, Line: line}}
	case "test.facts":
		data, err := t.node.Refresh(ctx)
		if err != nil {
			return agent.Outcome{Status: fettle.StatusFailed, Message: err.Error()}
		}
		return agent.Outcome{Message: "OK", Data: data}
	}
	return agent.Outcome{Message: "OK"}
}

func (t *table) count(action string) (n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range t.ran {
		if a == action {
			n++
		}
	}
	return n
}

// world is an agent and all that is around it.
type world struct {
	*testing.T
	*server
	*source
	*table
	cfg  agent.Config
	kill context.CancelFunc
	end  chan error
}

// run makes a world in a bubble, where time passes only when everyone waits.
func run(t *testing.T, f func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		cfg := agent.DefaultConfig()
		cfg.Identity, cfg.State, cfg.Servers, cfg.Version = identity, t.TempDir(), []string{"stomp://server"}, "1.2.3"
		w := &world{
			T: t, server: newServer(t), cfg: cfg,
			source: &source{facts: map[string]any{"os": map[string]any{"family": "Debian", "major": int64(12)}, "load": 0.5}, classes: []string{"base"}, changed: make(chan struct{})},
			table:  &table{gate: make(chan struct{})},
		}
		w.begin()
		f(w)
		w.halt()
		w.hangUp()
	})
}

// begin starts an agent with the world's state folder.
func (w *world) begin() {
	w.Helper()
	w.cfg.Link.Dial, w.cfg.Join = w.dial, w.token
	node, err := agent.New(w.cfg, w.source, w.table, slog.New(slog.DiscardHandler))
	if err != nil {
		w.Fatal(err)
	}
	w.node = node
	ctx, kill := context.WithCancel(w.Context())
	w.kill, w.end = kill, make(chan error, 1)
	go func() { w.end <- node.Run(ctx) }()
	synctest.Wait()
}

// halt stops the agent in good order.
func (w *world) halt() {
	w.Helper()
	began := time.Now()
	w.kill()
	if err := <-w.end; err != nil {
		w.Errorf("Run: %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		w.Errorf("it took %v to stop", took)
	}
	synctest.Wait()
}

// freeze copies the state folder as a kill would leave it now.
func (w *world) freeze() string {
	w.Helper()
	dir := w.TempDir()
	if err := os.CopyFS(dir, os.DirFS(w.cfg.State)); err != nil {
		w.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, trust.NodeFileName), 0o600); err != nil {
		w.Fatal(err)
	}
	return dir
}

// reborn stops the agent and starts another on a frozen state, with a server that has heard nothing since.
func (w *world) reborn(state string) {
	w.Helper()
	w.halt()
	w.forget()
	w.cfg.State = state
	w.begin()
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func (w *world) spoolSize() int64 {
	info, err := os.Stat(filepath.Join(w.cfg.State, "spool"))
	if err != nil {
		return 0
	}
	return info.Size()
}
