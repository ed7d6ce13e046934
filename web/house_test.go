package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/server"
	"github.com/fettle-dev/fettle/server/api"
	"github.com/fettle-dev/fettle/server/auth"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/wire"
)

// patience bounds what a test waits for; it is never a measure.
const patience = time.Minute

// house is a server that runs on SQLite, with nodes that a test plays, and its pages and REST on one engine.
type house struct {
	*server.Server
	t       *testing.T
	keeper  *auth.Keeper
	people  *auth.People
	engine  *gin.Engine
	cookie  string // the secret of a signed-in person; empty: nobody is
	seq     int64
	ear     *ear
	session string
}

// ear is a broker behind which a test listens: it hears the tasks that are asked.
type ear struct {
	mu    sync.Mutex
	tasks map[fettle.NodeID][]fettle.Task // guarded by mu
}

func (e *ear) Send(_ context.Context, _ string, m wire.Message) (int, error) {
	env, err := wire.Open(m, nil, 0)
	if err != nil || env.Type != wire.TypeTask {
		return 0, err
	}
	var task fettle.Task
	if err := env.Decode(&task); err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tasks[task.Node] = append(e.tasks[task.Node], task)
	return 1, nil
}

// answer has a node answer the last task that it was asked.
func (h *house) answer(node fettle.NodeID, r fettle.Result) {
	h.t.Helper()
	var task fettle.Task
	eventually(h.t, string(node)+" is asked", func() bool {
		h.ear.mu.Lock()
		defer h.ear.mu.Unlock()
		if list := h.ear.tasks[node]; len(list) > 0 {
			task = list[len(list)-1]
		}
		return task.ID != ""
	})
	h.seq++
	r.Task, r.Node, r.Run, r.Action = task.ID, node, task.Run, task.Action
	h.say(node, wire.TypeResults, wire.Results{Session: h.session, Seq: h.seq, Results: []fettle.Result{r}})
}

// newHouse opens a house in which a viewer called ann is signed in.
func newHouse(t *testing.T) *house { return newHouseWith(t, Config{}, nil) }

// newHouseWith opens a house whose fleet a test may wrap.
func newHouseWith(t *testing.T, cfg Config, wrap func(Fleet) Fleet) *house {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	db, err := store.Open(ctx, store.Config{DSN: storetest.SQLite(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, keeper: auth.New(db, nil, nil), session: wire.NewID(), ear: &ear{tasks: map[fettle.NodeID][]fettle.Task{}}}
	h.people = auth.NewPeople(auth.PeopleParts{Users: db, Keeper: h.keeper})
	cfg.People = h.people
	settings := server.DefaultConfig()
	settings.Version = "1.2.3"
	settings.Checks = []server.CheckConfig{{Name: "check_load"}, {Name: "check_disk"}}
	board := checks.NewBoard()
	h.Server, err = server.New(settings, server.Parts{Store: db, Inventory: inventory.New(), Board: board, Send: h.ear})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Load(ctx); err != nil {
		t.Fatal(err)
	}
	board.Settle(0, nil) // a test says all that there is to hear
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, db.Close()); err != nil {
			t.Error(err)
		}
	})
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	h.engine = api.NewEngine(log)
	var fleet Fleet = h.Server
	if wrap != nil {
		fleet = wrap(fleet)
	}
	cfg.NotFound = api.NotFound
	if err := errors.Join(api.Mount(h.engine, api.Config{Docs: Docs()}, h.Server, h.keeper, log), Mount(h.engine, cfg, fleet, h.keeper, log)); err != nil {
		t.Fatal(err)
	}
	h.cookie = h.signIn(auth.Viewer)
	return h
}

// signIn gives the secret of a session of ann's.
func (h *house) signIn(role auth.Role) string {
	h.t.Helper()
	code, err := h.keeper.LoginLink(h.t.Context(), "ann", role)
	if err != nil {
		h.t.Fatal(err)
	}
	secret, err := h.keeper.Redeem(h.t.Context(), code)
	if err != nil {
		h.t.Fatal(err)
	}
	return secret
}

// say has a node send a message, and waits for the receipt.
func (h *house) say(node fettle.NodeID, kind wire.Type, body any) {
	h.t.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(node), At: fettle.MillisOf(time.Now())}, body, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	done := make(chan error, 1)
	h.Collect(server.Incoming{Destination: wire.Destinations{}.Facts(), Message: m, Sender: node, Done: func(err error) { done <- err }})
	select {
	case err := <-done:
		if err != nil {
			h.t.Fatalf("%s of %s: %v", kind, node, err)
		}
	case <-time.After(patience):
		h.t.Fatal("no receipt")
	}
}

// member is a node of a test.
type member struct {
	id       fettle.NodeID
	facts    any
	classes  []string
	commands []string
}

// join has nodes say hello and send their facts.
func (h *house) join(members ...member) {
	h.t.Helper()
	for _, m := range members {
		raw, err := json.Marshal(m.facts)
		if err != nil {
			h.t.Fatal(err)
		}
		doc, err := wire.Canonical(raw)
		if err != nil {
			h.t.Fatal(err)
		}
		slices.Sort(m.classes)
		h.seq++
		h.say(m.id, wire.TypeHello, wire.Hello{Session: h.session, Agent: fettle.AgentInfo{Version: "1.2.3", OS: "linux", Arch: "amd64"}, Classes: m.classes, Commands: m.commands})
		h.say(m.id, wire.TypeFacts, wire.Facts{Session: h.session, Seq: h.seq, Full: doc.Raw, Hash: doc.Hash})
	}
}

// check has a node give a result of a check.
func (h *house) check(node fettle.NodeID, name string, code fettle.CheckCode, line string) {
	h.t.Helper()
	defs, err := h.Checks(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, def := range defs {
		if def.Name != name {
			continue
		}
		h.seq++
		h.say(node, wire.TypeResults, wire.Results{Session: h.session, Seq: h.seq, Results: []fettle.Result{{
			Task: fettle.TaskID(wire.NewID()), Node: node, Action: def.Action, Check: name, CheckRev: def.Rev, Output: &fettle.CheckOutput{Code: code, Line: line},
		}}})
	}
}

// Three nodes, of which one has no environment.
func threeNodes() []member {
	type m = map[string]any
	debian := m{"family": "Debian", "name": "Debian", "release": m{"full": "12.5", "major": "12"}}
	alma := m{"family": "RedHat", "name": "AlmaLinux", "release": m{"full": "9.4", "major": "9"}}
	return []member{
		{
			id: "web1.acme.net", classes: []string{"nginx", "base::ntp"}, commands: []string{"check_load", "check_disk"},
			facts: m{"environment": "production", "os": debian, "processors": m{"count": 8}, "mountpoints": m{"/boot": m{"size": "1 GiB"}, "/": m{"size": "40 GiB"}}},
		},
		{id: "web2.acme.net", classes: []string{"nginx"}, facts: m{"environment": "staging", "os": debian, "processors": m{"count": 4}, "motd": ""}},
		{id: "db1.acme.net", classes: []string{"mysql::master"}, facts: m{"os": alma, "processors": m{"count": 32}}},
	}
}

// manyNodes gives n nodes with plain facts.
func manyNodes(n int) []member {
	out := make([]member, n)
	for i := range out {
		out[i] = member{id: fettle.NodeID(fmt.Sprintf("node%03d", i)), facts: map[string]any{"n": i}}
	}
	return out
}
