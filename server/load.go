package server

import (
	"context"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	fettle "github.com/fettle-dev/fettle"
)

// Loading is one reader of the store and a few who read documents. They wait for one another where a node gets its place, so that more of them
// gain nothing.
const (
	maxLoaders = 4
	loadAtOnce = 64 // nodes that are handed over together
)

// loadNodes fills the inventory from the store.
func (s *Server) loadNodes(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	lists := make(chan []fettle.Node, maxLoaders)
	for range min(maxLoaders, runtime.GOMAXPROCS(0)) {
		g.Go(func() error {
			for list := range lists {
				for _, n := range list {
					if err := s.loadNode(n); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(lists)
		return s.readNodes(ctx, func(list []fettle.Node) error {
			select {
			case lists <- list:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("load nodes: %w", err)
	}
	return nil
}

// loadNode puts a stored node into memory. Where its facts are no document, by a hand or a disk that has damaged them, the node is there without
// them, and is asked for them on its next hello: one row does not keep a server from starting.
func (s *Server) loadNode(n fettle.Node) error {
	err := s.Inventory.Put(n)
	if err == nil {
		return nil
	}
	s.Log.Error("the stored facts of a node cannot be read; it will be asked for them", "node", n.Identity, "err", err)
	n.Facts, n.Hash = nil, ""
	return s.Inventory.Put(n)
}

// readNodes gives all nodes of the store, a list at a time, and notes who is there.
func (s *Server) readNodes(ctx context.Context, take func([]fettle.Node) error) error {
	var list []fettle.Node
	err := s.Store.LoadNodes(ctx, func(n fettle.Node) error {
		s.presence.load(n)
		s.Board.SetSilent(n.Identity, n.Liveness == fettle.Silent, fettle.MillisOf(s.Now()))
		if list = append(list, n); len(list) < loadAtOnce {
			return nil
		}
		full := list
		list = nil
		return take(full)
	})
	if err != nil {
		return err
	}
	return take(list)
}
