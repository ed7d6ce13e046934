package inventory

import "sync"

// interner keeps one copy of values that many nodes share, such as their lists of classes.
type interner[T any] struct {
	mu  sync.Mutex // guards all below, and the refs of what is in all
	all map[string]*shared[T]
}

// shared is a value and how many nodes have it. The value does not change.
type shared[T any] struct {
	key   string
	value T
	refs  int
}

func newInterner[T any]() *interner[T] { return &interner[T]{all: map[string]*shared[T]{}} }

// get gives the value of a key with one reference more; where there is none, make makes it.
func (in *interner[T]) get(key string, make func() T) *shared[T] {
	in.mu.Lock()
	defer in.mu.Unlock()
	s, ok := in.all[key]
	if !ok {
		s = &shared[T]{key: key, value: make()}
		in.all[key] = s
	}
	s.refs++
	return s
}

// put takes a reference back; the value of nobody is forgotten.
func (in *interner[T]) put(s *shared[T]) {
	if s == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if s.refs--; s.refs == 0 {
		delete(in.all, s.key)
	}
}
