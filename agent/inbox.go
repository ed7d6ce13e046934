package agent

import (
	"context"
	"sync"
)

// inbox holds what the loop has still to do. Whoever puts something in never waits.
type inbox struct {
	wake chan struct{} // holds a token when there is something

	mu    sync.Mutex // guards all below
	todo  []func(context.Context)
	extra int // of todo, that came by put with a limit
	shut  bool
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put gives the loop something to do; it is called with the loop's context. After close it is forgotten.
func (b *inbox) put(f func(context.Context)) { b.add(f, false) }

// tryPut is put for what nobody bounds: it tells whether there was room.
func (b *inbox) tryPut(f func(context.Context)) bool { return b.add(f, true) }

// maxExtra bounds what can lie in an inbox and is bounded by nothing else: what is broadcast to all nodes.
const maxExtra = 256

func (b *inbox) add(f func(context.Context), extra bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.shut || extra && b.extra >= maxExtra {
		return false
	}
	if extra {
		b.extra++
	}
	b.todo = append(b.todo, f)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

// take gives all that is there, in order.
func (b *inbox) take() []func(context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	todo := b.todo
	b.todo, b.extra = nil, 0
	return todo
}

func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut, b.todo = true, nil
}
