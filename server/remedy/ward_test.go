package remedy

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
)

// patience bounds what a test waits for; it is never a measure.
const patience = time.Minute

// ward is a real server over a real store, with nodes that a test plays, and the remedies beside it.
type ward struct {
	*server.Server
	t     *testing.T
	db    *store.Store
	cure  *Remedies
	mail  *mail
	dsn   string
	def   fettle.CheckDefinition
	nodes []fettle.NodeID
	seq   map[fettle.NodeID]int64
	stop  func()

	mu  sync.Mutex
	now time.Time // guarded by mu
}

// mail keeps the tasks that a server sent, by node.
type mail struct {
	mu    sync.Mutex
	tasks map[fettle.NodeID][]fettle.Task // guarded by mu
}

func (m *mail) Send(_ context.Context, _ string, msg wire.Message) (int, error) {
	env, err := wire.Open(msg, nil, 0)
	if err != nil || env.Type != wire.TypeTask {
		return 1, err
	}
	var task fettle.Task
	if err := json.Unmarshal(env.Body, &task); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tasks[task.Node] = append(m.tasks[task.Node], task)
	return 1, nil
}

func (m *mail) of(node fettle.NodeID) []fettle.Task {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tasks[node]
}

// newWard opens a ward whose nodes have the check "web", with a remedy, and are well.
func newWard(t *testing.T, remedy fettle.Remedy, nodes ...fettle.NodeID) *ward {
	t.Helper()
	w := &ward{
		t: t, now: time.Unix(1_800_000_000, 0), mail: &mail{tasks: map[fettle.NodeID][]fettle.Task{}}, dsn: storetest.SQLite(t),
		nodes: nodes, seq: map[fettle.NodeID]int64{},
	}
	w.open()
	t.Cleanup(func() { w.stop() })
	if remedy.Action == "" {
		remedy.Action, remedy.Inputs = "service.restart", map[string]any{"name": "web"}
	}
	w.def = fettle.CheckDefinition{Name: "web", NRPE: "check_web", Filter: "true", OnChange: &remedy, Flap: &fettle.Flap{Off: true}}
	w.save(w.def)
	w.hello()
	w.pass(2 * time.Minute) // the server has settled
	w.hello()
	for _, node := range nodes {
		w.result(node, fettle.CodeOK)
	}
	w.look()
	return w
}

// open opens the store, and has a server run over it.
func (w *ward) open() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	var err error
	if w.db, err = store.Open(ctx, store.Config{DSN: w.dsn}, nil); err != nil {
		w.t.Fatal(err)
	}
	if err := w.people(); err != nil {
		w.t.Fatal(err)
	}
	w.Server, err = server.New(server.DefaultConfig(), server.Parts{Store: w.db, Inventory: inventory.New(), Board: checks.NewBoard(), Send: w.mail, Now: w.clock})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.Load(ctx); err != nil {
		w.t.Fatal(err)
	}
	if w.cure, err = New(ctx, Parts{Fleet: w.Server, Store: w.db, Log: slog.New(slog.DiscardHandler), Now: w.clock}); err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run: %v", err)
		}
		if err := w.db.Close(); err != nil {
			w.t.Errorf("close: %v", err)
		}
	})
}

// again has the server end, and another one begin over what it left.
func (w *ward) again() {
	w.t.Helper()
	w.stop()
	w.open()
	w.hello()
}

// people has ann be there, who saves the checks.
func (w *ward) people() error {
	if _, err := w.db.User(w.t.Context(), "ann"); err == nil {
		return nil
	}
	_, err := w.db.SaveUser(w.t.Context(), store.User{Name: "ann", Role: "operator", Source: "local", Created: 1})
	return err
}

func (w *ward) save(def fettle.CheckDefinition) {
	w.t.Helper()
	_, err := w.SaveCheck(w.t.Context(), server.CheckChange{Definition: def, Caller: server.Asker{Name: "ann", Role: "operator", Account: "ann"}})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *ward) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *ward) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

const session = "01980000-0000-7000-8000-000000000001"

// hello has all nodes say that they are there.
func (w *ward) hello() {
	w.t.Helper()
	doc, err := wire.Canonical([]byte(`{"env":"prod"}`))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, node := range w.nodes {
		w.say(node, wire.TypeHello, wire.Hello{Session: session, Agent: fettle.AgentInfo{Version: "1"}, Commands: []string{"check_web"}})
		w.say(node, wire.TypeFacts, wire.Facts{Session: session, Seq: w.next(node), Full: doc.Raw, Hash: doc.Hash})
	}
}

func (w *ward) next(node fettle.NodeID) int64 {
	w.seq[node]++
	return w.seq[node]
}

// say has a node send a message, and waits for the receipt.
func (w *ward) say(node fettle.NodeID, kind wire.Type, body any) {
	w.t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, ID: wire.NewID(), From: string(node), At: fettle.MillisOf(w.clock())}, body, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan error, 1)
	w.Collect(server.Incoming{Destination: (wire.Destinations{}).Facts(), Message: m, Sender: node, Done: func(err error) { done <- err }})
	select {
	case err := <-done:
		if err != nil {
			w.t.Fatalf("%s of %s: %v", kind, node, err)
		}
	case <-time.After(patience):
		w.t.Fatal("no receipt")
	}
}

// result has a node say how the check is.
func (w *ward) result(node fettle.NodeID, code fettle.CheckCode) {
	w.t.Helper()
	kept, err := w.CheckDefinition(w.t.Context(), "web")
	if err != nil {
		w.t.Fatal(err)
	}
	w.pass(time.Second)
	w.say(node, wire.TypeResults, wire.Results{Session: session, Seq: w.next(node), Results: []fettle.Result{{
		Task: fettle.TaskID(wire.NewID()), Node: node, Action: checks.ActionNRPE, Check: "web", CheckRev: kept.TaskRev, Output: &fettle.CheckOutput{Code: code, Line: "said " + string(code.Status())},
	}}})
	w.eventually("the state is on the board", func() bool {
		said, err := w.CheckSaid("web", node)
		return err == nil && said.State.Soft == code.Status()
	})
}

// look has the remedies look once.
func (w *ward) look() {
	w.t.Helper()
	w.cure.Look(w.t.Context())
	if w.cure.fault != "" {
		w.t.Fatalf("a look: %s", w.cure.fault)
	}
}

// answer has a node answer its last task, and waits until the run has ended.
func (w *ward) answer(node fettle.NodeID, status fettle.Status) {
	w.t.Helper()
	tasks := w.mail.of(node)
	if len(tasks) == 0 {
		w.t.Fatalf("%s was asked nothing", node)
	}
	task := tasks[len(tasks)-1]
	w.say(node, wire.TypeResults, wire.Results{Session: session, Seq: w.next(node), Results: []fettle.Result{{
		Task: task.ID, Node: node, Run: task.Run, Action: task.Action, Status: status, Message: "it said so",
	}}})
	w.eventually("the run ends", func() bool { run, err := w.RunByID(w.t.Context(), task.Run); return err == nil && run.Ended != 0 })
	w.look()
}

func (w *ward) eventually(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("not in time: %s", what)
		}
	}
}

// last gives the last remedy of a node, and has the test fail if it stands elsewhere than in a phase, for a reason of a kind.
func (w *ward) last(node fettle.NodeID, phase fettle.RemedyPhase, kind string) One {
	w.t.Helper()
	list, err := w.cure.List(w.t.Context(), Query{Node: node, Limit: 1})
	if err != nil || len(list) != 1 {
		w.t.Fatalf("remedies of %s: %v, %v", node, list, err)
	}
	if one := list[0]; one.Phase != phase || one.Kind != kind {
		w.t.Fatalf("the remedy of %s is %s (%s: %s), want %s (%s)", node, one.Phase, one.Kind, one.Why, phase, kind)
	}
	return list[0]
}

func (w *ward) count(node fettle.NodeID) int {
	w.t.Helper()
	list, err := w.cure.List(w.t.Context(), Query{Node: node})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

func (w *ward) asked(node fettle.NodeID, times int) {
	w.t.Helper()
	if n := len(w.mail.of(node)); n != times {
		w.t.Fatalf("%s was asked %d times, want %d", node, n, times)
	}
}
