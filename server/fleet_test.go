package server

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
)

// patience bounds what a test waits for; it is never a measure.
const patience = time.Minute

// clock is a wall clock that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// mail keeps what a server sent, by destination. Nodes that are away take nothing.
type mail struct {
	mu   sync.Mutex
	sent map[string][]wire.Envelope // guarded by mu
	away map[string]bool            // guarded by mu
	came chan struct{}

	onTask func(fettle.Task) // called while a task is being sent; nil: nothing is
}

func newMail() *mail {
	return &mail{sent: map[string][]wire.Envelope{}, away: map[string]bool{}, came: make(chan struct{}, 1)}
}

func (m *mail) Send(_ context.Context, destination string, msg wire.Message) (int, error) {
	env, err := wire.Open(msg, nil, 0)
	if err != nil {
		return 0, err
	}
	if m.onTask != nil && env.Type == wire.TypeTask {
		var task fettle.Task
		if err := env.Decode(&task); err != nil {
			return 0, err
		}
		m.onTask(task)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.away[destination] {
		return 0, nil
	}
	env.Body = append(json.RawMessage{}, env.Body...)
	m.sent[destination] = append(m.sent[destination], env)
	select {
	case m.came <- struct{}{}:
	default:
	}
	return 1, nil
}

// of gives the bodies of the messages of a type that were sent to a node so far.
func of[T any](t *testing.T, m *mail, node fettle.NodeID, kind wire.Type) (out []T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, env := range m.sent[(wire.Destinations{}).Node(node)] {
		if env.Type != kind {
			continue
		}
		var body T
		if err := env.Decode(&body); err != nil {
			t.Fatal(err)
		}
		out = append(out, body)
	}
	return out
}

// fleet is a server that runs, with nodes that a test plays.
type fleet struct {
	*Server
	t     *testing.T
	clock *clock
	mail  *mail
	dsn   string
	start func()
	stop  func()
	seq   map[fettle.NodeID]int64
}

func newFleet(t *testing.T, cfg Config) *fleet {
	t.Helper()
	return openFleet(t, cfg, storetest.SQLite(t), newClock())
}

func openFleet(t *testing.T, cfg Config, dsn string, c *clock) *fleet {
	t.Helper()
	f := idleFleet(t, cfg, dsn, c)
	f.start()
	return f
}

// idleFleet is a server that is loaded, and does not run before start: what is collected until then makes one batch.
func idleFleet(t *testing.T, cfg Config, dsn string, c *clock) *fleet {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	db, err := store.Open(ctx, store.Config{DSN: dsn}, nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, clock: c, mail: newMail(), dsn: dsn, seq: map[fettle.NodeID]int64{}}
	f.Server, err = New(cfg, Parts{Store: db, Inventory: inventory.New(), Board: checks.NewBoard(), Send: f.mail, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Load(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	f.start = sync.OnceFunc(func() { go func() { done <- f.Run(ctx) }() })
	f.stop = sync.OnceFunc(func() {
		cancel()
		f.start() // so that it can end
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(f.stop)
	return f
}

// say has a node send a message, and waits for the receipt.
func (f *fleet) say(node fettle.NodeID, kind wire.Type, body any) {
	f.t.Helper()
	if err := f.receipt(node, kind, body); err != nil {
		f.t.Fatalf("%s of %s: %v", kind, node, err)
	}
}

func (f *fleet) receipt(node fettle.NodeID, kind wire.Type, body any) error {
	f.t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(node), At: fettle.MillisOf(f.clock.Now())}, body, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return f.deliver(node, m)
}

func (f *fleet) deliver(node fettle.NodeID, m wire.Message) error {
	f.t.Helper()
	done := make(chan error, 1)
	f.Collect(Incoming{Destination: f.dest.Facts(), Message: m, Sender: node, Done: func(err error) { done <- err }})
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		f.t.Fatal("no receipt")
		return nil
	}
}

const session = "01980000-0000-7000-8000-000000000001"

// join has a node say hello and send its facts.
func (f *fleet) join(node fettle.NodeID, facts string, commands ...string) wire.Document {
	f.t.Helper()
	doc, err := wire.Canonical([]byte(facts))
	if err != nil {
		f.t.Fatal(err)
	}
	f.say(node, wire.TypeHello, wire.Hello{Session: session, Agent: fettle.AgentInfo{Version: "1"}, Commands: commands})
	f.say(node, wire.TypeFacts, wire.Facts{Session: session, Seq: f.next(node), Full: doc.Raw, Hash: doc.Hash})
	return doc
}

func (f *fleet) next(node fettle.NodeID) int64 {
	f.seq[node]++
	return f.seq[node]
}

// answer has a node give a result for a task.
func (f *fleet) answer(task fettle.Task, status fettle.Status) {
	f.t.Helper()
	f.say(task.Node, wire.TypeResults, wire.Results{Session: session, Seq: f.next(task.Node), Results: []fettle.Result{{
		Task: task.ID, Node: task.Node, Run: task.Run, Action: task.Action, Status: status, Message: status.String(),
	}}})
}

// tasks gives what a node was asked to do so far.
func (f *fleet) tasks(node fettle.NodeID) []fettle.Task {
	return of[fettle.Task](f.t, f.mail, node, wire.TypeTask)
}

func (f *fleet) eventually(what string, ok func() bool) {
	f.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			f.t.Fatalf("not in time: %s", what)
		}
	}
}

func (f *fleet) matched(where fettle.Filter) int {
	f.t.Helper()
	a, err := f.Find(f.t.Context(), FindQuery{Selection: Selection{Where: where}})
	if err != nil {
		f.t.Fatal(err)
	}
	return a.Matched
}
