package broker

import "sync"

// budget is a number of bytes that all connections share. Who does not get any waits in line.
type budget struct {
	limit int

	mu      sync.Mutex // guards the fields below
	used    int
	waiting []*waiter // in the order of coming
}

type waiter struct {
	n     int
	ready chan struct{} // closed when the bytes are the waiter's
}

// try takes n bytes if they are there and nobody waits for them.
func (b *budget) try(n int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) > 0 || b.used+n > b.limit {
		return false
	}
	b.used += n
	return true
}

// take takes n bytes, at most the limit, as soon as they are there. false: gone was closed first, and nothing is taken.
func (b *budget) take(n int, gone <-chan struct{}) bool {
	b.mu.Lock()
	if len(b.waiting) == 0 && b.used+n <= b.limit {
		b.used += n
		b.mu.Unlock()
		return true
	}
	w := &waiter{n: n, ready: make(chan struct{})}
	b.waiting = append(b.waiting, w)
	b.mu.Unlock()
	select {
	case <-w.ready:
		return true
	case <-gone:
	}
	b.mu.Lock()
	for i, o := range b.waiting {
		if o == w {
			b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
			n = 0 // it was not given yet
			break
		}
	}
	b.mu.Unlock()
	b.give(n)
	return false
}

// give returns n bytes, which go to those who wait.
func (b *budget) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	for len(b.waiting) > 0 && b.used+b.waiting[0].n <= b.limit {
		w := b.waiting[0]
		b.waiting = b.waiting[1:]
		b.used += w.n
		close(w.ready)
	}
}

func (b *budget) inUse() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}
