package emulate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-stomp/stomp/v3/frame"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/agent/emulate"
	"github.com/fettle-dev/fettle/facts"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is broker and server in one, for a fleet: it welcomes every node and keeps its facts and results.
type server struct {
	t *testing.T

	mu      sync.Mutex // guards all below
	conns   map[string]net.Conn
	docs    map[string]wire.Document
	hellos  map[string]wire.Hello
	results []fettle.Result
	at      map[fettle.NodeID]time.Time // of the last result
	keys    wire.KeyRing
	joined  int // Enrol messages

	authority *trust.Authority
	token     trust.JoinToken
}

func newServer(t *testing.T) *server {
	t.Helper()
	a, err := trust.OpenAuthority(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return &server{
		t: t, conns: map[string]net.Conn{}, docs: map[string]wire.Document{}, hellos: map[string]wire.Hello{}, at: map[fettle.NodeID]time.Time{},
		keys: wire.KeyRing{}, authority: a, token: trust.NewJoinToken(a.Root(), nil),
	}
}

func (s *server) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	go s.serve(far)
	return near, nil
}

func (s *server) serve(conn net.Conn) {
	defer conn.Close()
	in := frame.NewReader(conn)
	for {
		f, err := in.Read()
		if err != nil {
			return
		}
		switch {
		case f == nil:
		case f.Command == "CONNECT":
			s.write(conn, nil, "CONNECTED", "version", "1.2")
		case f.Command == "SEND":
			s.receive(conn, f)
		}
	}
}

func (s *server) write(conn net.Conn, body []byte, command string, header ...string) {
	f := frame.New(command, header...)
	f.Body = body
	var b bytes.Buffer
	_ = frame.NewWriter(&b).Write(f)
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
	s.mu.Lock()
	env, err := wire.Open(m, s.keys, 0)
	s.mu.Unlock()
	if err != nil {
		s.t.Error(err)
		return
	}
	if r := f.Header.Get("receipt"); r != "" {
		s.write(conn, nil, "RECEIPT", "receipt-id", r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch env.Type {
	case wire.TypeHello:
		var h wire.Hello
		_ = env.Decode(&h)
		s.conns[env.From], s.hellos[env.From] = conn, h
		go s.send(env.From, wire.TypeWelcome, wire.Welcome{Hello: env.ID, Time: fettle.MillisOf(time.Now()), NeedFacts: true})
	case wire.TypeFacts:
		var body wire.Facts
		if err := env.Decode(&body); err != nil {
			s.t.Error(err)
		}
		if body.Full != nil {
			s.docs[env.From], err = wire.Canonical(body.Full)
		} else {
			s.docs[env.From], _, err = wire.Apply(s.docs[env.From], *body.Patch)
		}
		if err != nil {
			s.t.Error(err)
		}
	case wire.TypeResults:
		var body wire.Results
		_ = env.Decode(&body)
		for _, r := range body.Results {
			s.results = append(s.results, r)
			s.at[r.Node] = time.Now()
		}
	}
}

// enrol takes every node that knows the token.
func (s *server) enrol(conn net.Conn, m wire.Message) {
	env, err := wire.Open(m, nil, 0)
	var e wire.Enrol
	if err == nil {
		err = env.Decode(&e)
	}
	node, id := fettle.NodeID(env.From), trust.KeyID(e.Sign)
	if err == nil {
		err = trust.CheckEnrolProof(s.token.Secret, e.Proof, node, e.Sign, e.Seal)
	}
	passcode := ""
	if err == nil {
		passcode, err = trust.SealPasscode(e.Seal, id, trust.NodePasscode(s.authority.LoginKey(), node, id))
	}
	if err != nil {
		s.t.Error(err)
		return
	}
	s.mu.Lock()
	s.keys[id] = wire.OwnedKey{Owner: env.From, Key: e.Sign}
	s.joined++
	s.mu.Unlock()
	out, err := wire.Seal(wire.Envelope{Type: wire.TypeEnrolled, From: wire.Server, To: env.From, At: fettle.MillisOf(time.Now())}, wire.Enrolled{
		Status: wire.EnrolledYes, Key: id, Root: s.authority.Root(), Passcode: passcode,
	}, s.authority)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.deliver(conn, out)
}

func (s *server) deliver(conn net.Conn, m wire.Message) {
	header := []string{"subscription", "0", "message-id", "1", "ack", "1"}
	for _, f := range m.Header {
		header = append(header, f.Name, f.Value)
	}
	s.write(conn, m.Body, "MESSAGE", header...)
}

func (s *server) send(node string, t wire.Type, body any) {
	m, err := wire.Seal(wire.Envelope{Type: t, From: wire.Server, To: node, At: fettle.MillisOf(time.Now())}, body, s.authority)
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	conn := s.conns[node]
	s.mu.Unlock()
	s.deliver(conn, m)
}

// fleet runs a fleet in a bubble, and calls f when it is ready.
func fleet(t *testing.T, change func(*emulate.Config), f func(t *testing.T, s *server, cfg emulate.Config)) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		cfg := emulate.Default()
		cfg.Agent.Join = s.token
		cfg.Nodes, cfg.Checks, cfg.Agent.Servers, cfg.Agent.State, cfg.Agent.Link.Dial = 50, true, []string{"stomp://server"}, t.TempDir(), s.dial
		ready := make(chan int, 1)
		cfg.Ready = func(n int) { ready <- n }
		change(&cfg)
		ctx, stop := context.WithCancel(t.Context())
		end := make(chan error, 1)
		go func() { end <- emulate.Run(ctx, cfg, slog.New(slog.DiscardHandler)) }()
		if n := <-ready; n != cfg.Nodes {
			t.Errorf("ready with %d nodes", n)
		}
		synctest.Wait()
		f(t, s, cfg)
		stop()
		if err := <-end; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// steady gives the document without what changes all the time, and its leaves.
func steady(t *testing.T, d wire.Document) (string, int) {
	t.Helper()
	v, err := facts.NewVolatile(facts.DefaultVolatile())
	if err != nil {
		t.Fatal(err)
	}
	changes, err := wire.Changes(wire.Document{}, d)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, c := range changes {
		if !v.Match(c.Path) {
			fmt.Fprintf(&b, "%s=%s\n", c.Path, c.New)
		}
	}
	return b.String(), d.Leaves()
}

func TestTheSameSeedMakesTheSameFleet(t *testing.T) {
	var fleets [3]map[string]string
	for i, seed := range []uint64{7, 7, 8} {
		fleet(t, func(c *emulate.Config) { c.Nodes, c.Seed = 20, seed }, func(t *testing.T, s *server, _ emulate.Config) {
			fleets[i] = map[string]string{}
			for node, d := range s.docs {
				text, n := steady(t, d)
				fleets[i][node] = text
				if n < 150 || n > 170 {
					t.Errorf("%s has %d leaves", node, n)
				}
				for _, path := range []string{"os.family", "os.release.major", "memory.system.total_bytes", "country", "customer", "environment", "role", "rack", "networking.fqdn"} {
					if !strings.Contains("\n"+text, "\n"+path+"=") {
						t.Errorf("%s has no %s", node, path)
					}
				}
			}
			h := s.hellos["emu00001.example.net"]
			if len(h.Classes) < 3 || len(h.Commands) != 5 {
				t.Errorf("hello: %+v", h)
			}
		})
	}
	if diff := cmp.Diff(fleets[0], fleets[1]); diff != "" || len(fleets[0]) != 20 {
		t.Errorf("the same seed, another fleet:\n%s", diff)
	}
	if cmp.Equal(fleets[0], fleets[2]) {
		t.Error("another seed, the same fleet")
	}
}

func TestHowNodesBehave(t *testing.T) {
	change := func(c *emulate.Config) { c.Fail, c.Silent, c.SlowPct, c.SlowBy = 10, 20, 6, 5*time.Second }
	fleet(t, change, func(t *testing.T, s *server, cfg emulate.Config) {
		began := time.Now()
		for i := range cfg.Nodes {
			node := string(cfg.Identity(i + 1))
			s.send(node, wire.TypeTask, fettle.Task{ID: fettle.TaskID(fmt.Sprint("t", i)), Action: "agent.ping", Timeout: 30_000, Expires: fettle.MillisOf(time.Now().Add(time.Minute))})
		}
		<-time.After(time.Minute)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		got := map[string]int{}
		for _, r := range s.results {
			got[r.Status.String()]++
			if s.at[r.Node].Sub(began) >= 5*time.Second {
				got["slow"]++
			}
		}
		if diff := cmp.Diff(map[string]int{"ok": 35, "failed": 5, "slow": 3}, got); diff != "" {
			t.Errorf("of 50 nodes (-want +got):\n%s", diff)
		}
	})
}

func TestChecksOfAFleet(t *testing.T) {
	fleet(t, func(c *emulate.Config) { c.Fail = 10 }, func(t *testing.T, s *server, cfg emulate.Config) {
		for i := range cfg.Nodes {
			s.send(string(cfg.Identity(i+1)), wire.TypeChecks, wire.Checks{Hash: "h", Checks: []fettle.Check{
				{Name: "load", Rev: 1, Action: "nrpe.check", Inputs: map[string]any{"command": "check_load"}, Interval: 60_000, Timeout: 5000, Attempts: 1},
			}})
		}
		<-time.After(20 * time.Second)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		codes := map[fettle.NodeID]fettle.CheckCode{}
		for _, r := range s.results {
			codes[r.Node] = r.Output.Code
			if raw, err := json.Marshal(r.Output.Perfdata); err != nil || !strings.Contains(string(raw), `"used"`) {
				t.Errorf("perfdata: %s", raw)
			}
		}
		critical := 0
		for _, c := range codes {
			if c == fettle.CodeCritical {
				critical++
			}
		}
		if len(codes) != 50 || critical != 5 {
			t.Errorf("%d nodes have checked, %d are critical", len(codes), critical)
		}
	})
}

func TestConfigTellsAllFaults(t *testing.T) {
	err := emulate.Config{Nodes: 0, Prefix: "A b", Fail: 60, Silent: 50, SlowPct: -1, SlowBy: -1}.Validate()
	if !errors.Is(err, fettle.ErrInvalid) {
		t.Fatal(err)
	}
	for _, key := range []string{"nodes:", "slow:", "more than 100", "identity", "servers:"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("nothing is said of %s in %v", key, err)
		}
	}
}

func TestWhatIsCountedIsOnRecord(t *testing.T) {
	var record bytes.Buffer
	fleet(t, func(c *emulate.Config) { c.Nodes, c.Record = 1, &record }, func(t *testing.T, s *server, cfg emulate.Config) {
		node := string(cfg.Identity(1))
		if h := s.hellos[node]; !slices.Contains(h.Commands, "count") {
			t.Errorf("its commands are %v", h.Commands)
		}
		s.send(node, wire.TypeTask, fettle.Task{
			ID: "t", Action: "nrpe.check", Inputs: map[string]any{"command": "count", "args": []string{"17"}}, Timeout: 30_000, Expires: fettle.MillisOf(time.Now().Add(time.Minute)),
		})
		s.send(node, wire.TypeChecks, wire.Checks{Hash: "h", Checks: []fettle.Check{
			{Name: "count", Rev: 1, Action: "nrpe.check", Inputs: map[string]any{"command": "count"}, Interval: 60_000, Timeout: 5000, Attempts: 1},
		}})
		<-time.After(5 * time.Minute)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		var checked []string
		for line := range strings.Lines(record.String()) {
			if strings.HasPrefix(line, "check "+node+" ") {
				checked = append(checked, strings.TrimSpace(line[strings.LastIndex(line, " "):]))
			}
		}
		if !strings.Contains(record.String(), "run "+node+" 17 0\n") || len(checked) < 4 || strings.Join(checked[:4], "") != "0022" {
			t.Errorf("on record is\n%s", record.String())
		}
		if r := s.results[0]; r.Task != "t" || r.Message != "count 17" {
			t.Errorf("the result is %+v", r)
		}
	})
}
