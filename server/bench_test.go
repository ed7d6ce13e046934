package server

import (
	"context"
	"encoding/json"
	"fmt"
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

// deaf takes every message and keeps none.
type deaf struct{}

func (deaf) Send(context.Context, string, wire.Message) (int, error) { return 1, nil }

// yard is a server with nodes that have joined, for benchmarks.
type yard struct {
	*Server
	b     *testing.B
	nodes []fettle.NodeID
	docs  [2]wire.Document // what each node's facts are in turn
}

func newYard(b *testing.B, nodes int, list ...CheckConfig) *yard {
	b.Helper()
	db, err := store.Open(b.Context(), store.Config{DSN: storetest.SQLite(b)}, nil)
	if err != nil {
		b.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Checks = list
	y := &yard{b: b}
	if y.Server, err = New(cfg, Parts{Store: db, Inventory: inventory.New(), Board: checks.NewBoard(), Send: deaf{}}); err != nil {
		b.Fatal(err)
	}
	if err := y.Load(b.Context()); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = y.Run(ctx) })
	b.Cleanup(func() { stop(); running.Wait(); _ = db.Close() })
	for i := range y.docs {
		y.docs[i] = machine(b, i)
	}
	var messages []Incoming
	for i := range nodes {
		id := fettle.NodeID(fmt.Sprintf("node%05d.example.net", i))
		y.nodes = append(y.nodes, id)
		messages = append(messages, y.message(id, wire.TypeHello, wire.Hello{Session: session, Commands: []string{"check_load"}}))
		messages = append(messages, y.message(id, wire.TypeFacts, wire.Facts{Session: session, Seq: 1, Full: y.docs[0].Raw, Hash: y.docs[0].Hash}))
	}
	y.deliver(messages)
	return y
}

// machine is a facts document of a likely size: 160 leaves, a few of which differ between one version and the next.
func machine(b *testing.B, version int) wire.Document {
	b.Helper()
	facts := map[string]any{"os": map[string]any{"family": "Debian", "release": map[string]any{"major": "12", "full": "12.9"}}, "version": version}
	for i := range 12 {
		group := map[string]any{}
		for k := range 13 {
			group[fmt.Sprintf("fact%02d", k)] = fmt.Sprintf("value %d of %d, which is a little longer", k, i)
		}
		facts[fmt.Sprintf("group%02d", i)] = group
	}
	facts["memory"] = map[string]any{"used": 1000 + version, "free": 2000 - version, "processes": 300 + version}
	raw, err := json.Marshal(facts)
	if err != nil {
		b.Fatal(err)
	}
	doc, err := wire.Canonical(raw)
	if err != nil {
		b.Fatal(err)
	}
	return doc
}

func (y *yard) message(node fettle.NodeID, kind wire.Type, body any) Incoming {
	y.b.Helper()
	m, err := wire.Seal(wire.Envelope{Type: kind, From: string(node), At: fettle.MillisOf(time.Now())}, body, nil)
	if err != nil {
		y.b.Fatal(err)
	}
	return Incoming{Destination: y.dest.Facts(), Message: m, Sender: node}
}

// outstanding is how many messages the broker lets wait for their commit.
const outstanding = 4096

// deliver collects messages as fast as they are receipted, and returns with the last receipt.
func (y *yard) deliver(messages []Incoming) {
	y.b.Helper()
	room := make(chan struct{}, outstanding)
	var left sync.WaitGroup
	for _, m := range messages {
		room <- struct{}{}
		left.Add(1)
		m.Done = func(err error) {
			if err != nil {
				y.b.Error(err)
			}
			<-room
			left.Done()
		}
		y.Collect(m)
	}
	left.Wait()
}

func (y *yard) perSecond(what string) {
	y.b.ReportMetric(float64(y.b.N)/y.b.Elapsed().Seconds(), what+"/s")
}

func BenchmarkCollectPatches2kNodes(b *testing.B) {
	y := newYard(b, 2000)
	patches := [2]wire.Patch{wire.Diff(y.docs[0], y.docs[1]), wire.Diff(y.docs[1], y.docs[0])}
	messages := make([]Incoming, b.N)
	for i := range messages {
		turn := i / len(y.nodes)
		messages[i] = y.message(y.nodes[i%len(y.nodes)], wire.TypeFacts, wire.Facts{Session: session, Seq: int64(turn + 2), Patch: &patches[turn%2]})
	}
	b.ResetTimer()
	y.deliver(messages)
	b.StopTimer()
	y.perSecond("patches")
	if got := y.meters.patches.Get(); got != uint64(b.N) {
		b.Errorf("%d patches were taken of %d", got, b.N)
	}
}

func BenchmarkCollectCheckResults2kNodes(b *testing.B) {
	y := newYard(b, 2000, CheckConfig{Name: "load", Command: "check_load"}, CheckConfig{Name: "disk", Command: "check_load"}, CheckConfig{Name: "mem", Command: "check_load"})
	value := 0.25
	messages := make([]Incoming, b.N)
	for i := range messages {
		node := y.nodes[i/3%len(y.nodes)]
		messages[i] = y.message(node, wire.TypeResults, wire.Results{Session: session, Seq: int64(i + 1), Results: []fettle.Result{{
			Task: fettle.TaskID(wire.NewID()), Node: node, Action: actionCheck, Check: []string{"load", "disk", "mem"}[i%3], CheckRev: 1, At: 1, TookMS: 3,
			Output: &fettle.CheckOutput{Code: fettle.CodeOK, Line: "OK - load average: 0.25", Perfdata: []fettle.Perf{{Label: "load1", Value: &value, Warn: "5", Crit: "10"}}},
		}}})
	}
	b.ResetTimer()
	y.deliver(messages)
	b.StopTimer()
	y.perSecond("results")
	if state, ok := y.Board.State("load", y.nodes[0]); !ok || state.Status != fettle.CheckOK {
		b.Errorf("state %+v", state)
	}
}

func BenchmarkCollectHellos10kNodes(b *testing.B) {
	y := newYard(b, 10_000)
	if _, err := y.StartRun(b.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Hour}); err != nil {
		b.Fatal(err)
	}
	messages := make([]Incoming, b.N)
	for i := range messages {
		messages[i] = y.message(y.nodes[i%len(y.nodes)], wire.TypeHello, wire.Hello{Session: session, FactsHash: y.docs[0].Hash, Commands: []string{"check_load"}})
	}
	b.ResetTimer()
	y.deliver(messages)
	b.StopTimer()
	y.perSecond("hellos")
}

func BenchmarkStartRun10kNodes(b *testing.B) {
	y := newYard(b, 10_000)
	for b.Loop() {
		run, err := y.StartRun(b.Context(), RunRequest{Action: "agent.ping", Selection: Selection{All: true}, Timeout: time.Minute})
		if err != nil || run.Tally.Pending != len(y.nodes) {
			b.Fatalf("%+v, %v", run.Tally, err)
		}
	}
}
