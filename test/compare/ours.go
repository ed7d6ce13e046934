package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/filter"
	"github.com/fettle-dev/fettle/inventory"
)

// ours is the inventory, in this process.
type ours struct {
	inventory *inventory.Inventory
	programs  map[string]*filter.Program // by question
	before    uint64                     // bytes of heap, without nodes
}

func newOurs() *ours {
	return &ours{inventory: inventory.New(), programs: map[string]*filter.Program{}, before: heap()}
}

func (o *ours) name() string { return "Fettle" }

func (o *ours) add(_ context.Context, nodes []fettle.Node) error {
	for _, n := range nodes {
		if err := o.inventory.Put(n); err != nil {
			return err
		}
	}
	return nil
}

func (o *ours) ready(context.Context) error {
	for _, q := range questions {
		p, err := filter.Compile(filter.Node, fettle.Filter(q.filter))
		if err != nil {
			return fmt.Errorf("%s: %w", q.name, err)
		}
		o.programs[q.name] = p
	}
	return nil
}

func (o *ours) size(context.Context) (int64, error) { return int64(heap() - o.before), nil }

func (o *ours) count(ctx context.Context, question string) (int, error) {
	a, err := o.inventory.Query(ctx, inventory.Query{Program: o.programs[question]})
	return a.Matched, err
}

func (o *ours) close(context.Context) error { return nil }

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
