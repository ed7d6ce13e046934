package server

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/fettle-dev/fettle/checks"
	"github.com/fettle-dev/fettle/inventory"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/store/storetest"
	"github.com/fettle-dev/fettle/test/sample"
	"github.com/fettle-dev/fettle/wire"
)

// loadNodes is the size of the fleet that is loaded; docs/benchmarks.md has the figures for 100,000.
var loadNodes = flag.Int("nodes", 2000, "nodes of the store that the benchmark of loading loads")

// sampleStore makes a database with nodes of realistic facts.
func sampleStore(tb testing.TB, nodes int) *store.Store {
	tb.Helper()
	db, err := store.Open(tb.Context(), store.Config{DSN: storetest.SQLite(tb)}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	f := sample.NewFleet()
	for i := 0; i < nodes; {
		var batch store.Batch
		for ; i < nodes && len(batch.Nodes) < batchMessages; i++ {
			n := f.Node(i, 0)
			doc, err := wire.Canonical(n.Facts)
			if err != nil {
				tb.Fatal(err)
			}
			n.Facts, n.Hash = doc.Raw, doc.Hash
			batch.Nodes = append(batch.Nodes, store.NodeWrite{Node: n})
		}
		if _, err := db.Commit(tb.Context(), &batch); err != nil {
			tb.Fatal(err)
		}
	}
	return db
}

func loaded(tb testing.TB, db *store.Store) *Server {
	tb.Helper()
	s, err := New(DefaultConfig(), Parts{Store: db, Inventory: inventory.New(), Board: checks.NewBoard(), Send: newMail()})
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Load(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestLoad(t *testing.T) {
	const nodes = 3*loadAtOnce + 1
	db := sampleStore(t, nodes)
	t.Run("every node is as it was stored", func(t *testing.T) {
		s := loaded(t, db)
		if s.Inventory.Len() != nodes {
			t.Errorf("%d nodes of %d", s.Inventory.Len(), nodes)
		}
		f, alike := sample.NewFleet(), cmp.Options{cmpopts.EquateEmpty(), cmp.Comparer(func(a, b json.RawMessage) bool { return string(a) == string(b) })}
		for i := range nodes {
			want, err := db.Node(t.Context(), f.Node(i, 0).Identity)
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := s.Inventory.Get(want.Identity); !cmp.Equal(want, got, alike) {
				t.Fatal(cmp.Diff(want, got, alike))
			}
		}
	})
	unloaded := func(t *testing.T) *Server {
		s, err := New(DefaultConfig(), Parts{Store: db, Inventory: inventory.New(), Board: checks.NewBoard(), Send: newMail()})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	t.Run("it can be ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := unloaded(t).Load(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

// BenchmarkLoad starts a server on a SQLite file, until it can answer.
func BenchmarkLoad(b *testing.B) {
	db := sampleStore(b, *loadNodes)
	b.Run(fmt.Sprintf("%dNodes", *loadNodes), func(b *testing.B) {
		for b.Loop() {
			if s := loaded(b, db); s.Inventory.Len() != *loadNodes {
				b.Fatalf("%d nodes were loaded", s.Inventory.Len())
			}
		}
		b.ReportMetric(float64(*loadNodes)*float64(b.N)/b.Elapsed().Seconds(), "nodes/s")
	})
}
