package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fettle-dev/fettle"
)

// Sizes of the benchmarks: those of a batch that a busy collector commits, and of documents as machines publish them.
const (
	benchBatch   = 256
	benchNodes   = 2000
	benchChanges = 5
)

// opener makes a fresh database.
type opener func(t testing.TB, cfg Config) *Store

// bigNode is a node with 160 facts, 6 KiB of them.
func bigNode(i int) fettle.Node {
	n := node(fmt.Sprintf("node%06d.acme.net", i))
	var b strings.Builder
	b.WriteString(`{"serial":` + fmt.Sprint(i))
	for f := range 160 {
		fmt.Fprintf(&b, `,"fact_%03d":{"value":"%s"}`, f, strings.Repeat("x", 10+f%10))
	}
	n.Facts = json.RawMessage(b.String() + "}")
	return n
}

func fill(b *testing.B, s *Store, nodes int) {
	b.Helper()
	for i := 0; i < nodes; i += benchBatch {
		var batch Batch
		for n := i; n < min(i+benchBatch, nodes); n++ {
			batch.Nodes = append(batch.Nodes, NodeWrite{Node: bigNode(n)})
		}
		if _, err := s.Commit(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitPatches writes what facts patches of five leaves leave behind, 256 nodes in a commit. One op is one patch.
func BenchmarkCommitPatches(b *testing.B) { benchPatches(b, openFile) }

func benchPatches(b *testing.B, open opener) {
	s := open(b, Config{})
	fill(b, s, benchNodes)
	nodes := make([]fettle.Node, benchNodes)
	for i := range nodes {
		nodes[i] = bigNode(i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += benchBatch {
		var batch Batch
		for n := i; n < min(i+benchBatch, b.N); n++ {
			w := NodeWrite{Node: nodes[n*7919%benchNodes]}
			for c := range benchChanges {
				w.Changes = append(w.Changes, FactChange{
					Path: fmt.Sprintf("fact_%03d.value", c), At: fettle.Millis(n), Old: json.RawMessage(`"before"`), New: json.RawMessage(`"after"`),
				})
			}
			batch.Nodes = append(batch.Nodes, w)
			batch.Events = append(batch.Events, fettle.Event{Kind: fettle.EventChanged, Node: w.Node.Identity, At: fettle.Millis(n)})
		}
		if _, err := s.Commit(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "patches/s")
}

// BenchmarkCommitStates writes the states that check results leave behind, 256 in a commit. One op is one result.
func BenchmarkCommitStates(b *testing.B) { benchStates(b, openFile) }

func benchStates(b *testing.B, open opener) {
	s := open(b, Config{})
	v := 0.5
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += benchBatch {
		var batch Batch
		for n := i; n < min(i+benchBatch, b.N); n++ {
			batch.States = append(batch.States, fettle.CheckState{
				Check: fmt.Sprintf("check_%d", n%10), Node: fettle.NodeID(fmt.Sprintf("node%06d.acme.net", n*7919%benchNodes)), Rev: 1, Status: fettle.CheckOK,
				Soft: fettle.CheckOK, Attempt: 1, Since: 1, At: fettle.Millis(n), Output: "OK - load average: 0.00, 0.01, 0.05", Session: "0194-abc", Seq: int64(n),
				Perfdata: []fettle.Perf{{Label: "load1", Value: &v, Warn: "15", Crit: "30"}, {Label: "load5", Value: &v, Warn: "10", Crit: "25"}},
			})
		}
		if _, err := s.Commit(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "results/s")
}

// BenchmarkCommitResults writes results of runs, 256 in a commit, and marks their tasks. One op is one result.
func BenchmarkCommitResults(b *testing.B) { benchResults(b, openFile) }

func benchResults(b *testing.B, open opener) {
	s := open(b, Config{})
	nodes := make([]string, b.N)
	for i := range nodes {
		nodes[i] = fmt.Sprintf("node%06d", i)
	}
	run := newRun("0194a7c0-0000-7000-8000-000000000000", nodes...)
	if err := s.SaveRun(b.Context(), run); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += benchBatch {
		var batch Batch
		for n := i; n < min(i+benchBatch, b.N); n++ {
			r := result(string(run.Tasks[n].ID))
			r.Node, r.Run = run.Tasks[n].Node, run.Run.ID
			batch.Results = append(batch.Results, r)
		}
		if _, err := s.Commit(b.Context(), &batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "results/s")
}

// BenchmarkSaveRun2k saves a run of 2,000 tasks. One op is one run.
func BenchmarkSaveRun2k(b *testing.B) { benchSaveRun(b, openFile) }

func benchSaveRun(b *testing.B, open opener) {
	s := open(b, Config{})
	nodes := make([]string, 2000)
	for i := range nodes {
		nodes[i] = fmt.Sprintf("node%06d.acme.net", i)
	}
	for i := 0; b.Loop(); i++ {
		if err := s.SaveRun(b.Context(), newRun(fmt.Sprintf("0194a7c0-0000-7000-8000-%012d", i), nodes...)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoadNodes10k loads nodes with 160 facts each. One op is 10,000 nodes.
func BenchmarkLoadNodes10k(b *testing.B) { benchLoad(b, openFile) }

func benchLoad(b *testing.B, open opener) {
	const nodes = 10_000
	s := open(b, Config{})
	fill(b, s, nodes)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		if err := s.LoadNodes(b.Context(), func(fettle.Node) error { n++; return nil }); err != nil || n != nodes {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(nodes)*float64(b.N)/b.Elapsed().Seconds(), "nodes/s")
}
