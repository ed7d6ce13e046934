package server

import (
	"context"
	"fmt"
	"sync"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// maxAsking is how many nodes may wait for a piece of an archive. Who comes when they are so many asks again, later.
const maxAsking = 4096

// counter holds the questions for pieces of archives, one of each node: a node that asks again has lost its answer, or has become impatient.
type counter struct {
	mu    sync.Mutex
	asked map[fettle.NodeID]wire.Fetch // guarded by mu
	order []fettle.NodeID              // guarded by mu
	wake  chan struct{}
}

func (c *counter) init() {
	c.asked, c.wake = map[fettle.NodeID]wire.Fetch{}, make(chan struct{}, 1)
}

// put takes a question, and tells whether there was room.
func (c *counter) put(id fettle.NodeID, f wire.Fetch) bool {
	c.mu.Lock()
	_, waits := c.asked[id]
	if !waits && len(c.order) >= maxAsking {
		c.mu.Unlock()
		return false
	}
	if c.asked[id] = f; !waits {
		c.order = append(c.order, id)
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return true
}

// take gives the question that has waited for the longest.
func (c *counter) take() (id fettle.NodeID, f wire.Fetch, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.order) == 0 {
		return "", f, false
	}
	id = c.order[0]
	f = c.asked[id]
	c.order = c.order[1:]
	delete(c.asked, id)
	return id, f, true
}

// handOut answers questions for pieces of archives, one at a time, so that a fleet that fetches a plugin does not keep tasks from being sent, until ctx ends.
func (s *Server) handOut(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.counter.wake:
		}
		for id, f, ok := s.counter.take(); ok && ctx.Err() == nil; id, f, ok = s.counter.take() {
			piece, err := s.Catalogue.Piece(ctx, f)
			if err != nil {
				if ctx.Err() == nil {
					s.Log.Warn("read an archive", "node", id, "err", err)
				}
				continue // the node asks again
			}
			if s.send(ctx, id, wire.TypePiece, piece) {
				s.meters.pieces.Inc()
			}
		}
	}
}

// fetch notes that a node wants a piece of an archive; it is handed out when the batch has been committed.
func (b *batch) fetch(o opened, from fettle.NodeID, f wire.Fetch) error {
	if len(f.Digest) > 64 || f.Piece < 0 {
		return fmt.Errorf("a question for piece %d of %.80q: %w", f.Piece, f.Digest, fettle.ErrInvalid)
	}
	if b.s.Catalogue != nil && !b.stale(o.env) {
		b.fetches = append(b.fetches, fetchOf{from, f})
	}
	return nil
}

// fetchOf is a question of one node.
type fetchOf struct {
	node fettle.NodeID
	wire.Fetch
}
