package server

import (
	"context"
	"errors"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// Bounds of a batch: as much as a disk commits in one go without making its first message wait for long.
const (
	batchMessages = 2048
	batchBytes    = 8 << 20
	retryFirst    = 100 * time.Millisecond // after a failed commit; doubled up to retryLast
	retryLast     = 5 * time.Second
)

// Incoming is a message that a broker took on a collected destination.
type Incoming struct {
	Destination string
	Message     wire.Message
	Sender      fettle.NodeID // as the broker knows it; empty: the broker does not say
	// Done is called exactly once: with nil when what the message says is on disk, or when it can never be; with an error when the server
	// stops before.
	Done func(error)
}

// Collect takes a message. It never blocks: the broker bounds what is outstanding.
func (s *Server) Collect(in Incoming) { s.inbox.put(in) }

// inbox holds what was taken and is not yet worked on.
type inbox struct {
	mu     sync.Mutex
	held   []Incoming // guarded by mu
	bytes  int        // guarded by mu; of the bodies in held
	closed bool       // guarded by mu
	ready  chan struct{}
}

func (b *inbox) init() { b.ready = make(chan struct{}, 1) }

func (b *inbox) put(in Incoming) {
	b.mu.Lock()
	closed := b.closed
	if !closed {
		b.held = append(b.held, in)
		b.bytes += len(in.Message.Body)
	}
	b.mu.Unlock()
	if closed {
		in.Done(errStopping)
		return
	}
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take gives the messages of one batch, in the order in which they came.
func (b *inbox) take() []Incoming {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, size := 0, 0
	for n < len(b.held) && n < batchMessages && (n == 0 || size+len(b.held[n].Message.Body) <= batchBytes) {
		size += len(b.held[n].Message.Body)
		n++
	}
	taken := b.held[:n:n]
	if b.held = b.held[n:]; len(b.held) == 0 {
		b.held = nil
	}
	b.bytes -= size
	return taken
}

func (b *inbox) close() []Incoming {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.held
	b.held, b.closed = nil, true
	return left
}

var errStopping = errors.New("the server is stopping")

// collect works off the inbox, a batch at a time, until ctx ends.
func (s *Server) collect(ctx context.Context) error {
	defer func() {
		for _, in := range s.inbox.close() {
			in.Done(errStopping)
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.inbox.ready:
		}
		for taken := s.inbox.take(); len(taken) > 0; taken = s.inbox.take() {
			if err := s.work(ctx, taken); err != nil {
				return nil // ctx has ended; nothing was receipted
			}
		}
	}
}

// work turns messages into one batch, commits it, lets it take effect in memory, receipts, and sends what the messages call for.
func (s *Server) work(ctx context.Context, taken []Incoming) error {
	began := time.Now()
	b := s.newBatch()
	for _, in := range taken {
		b.take(in)
	}
	b.seal()
	done, err := s.commit(ctx, b)
	switch {
	case errors.Is(err, fettle.ErrInvalid) && len(taken) > 1:
		for i := range taken { // one of them can never be stored: let it alone be lost
			if err := s.work(ctx, taken[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	case errors.Is(err, fettle.ErrInvalid):
		b = s.newBatch()
		b.refuse(taken[0], err)
		if done, err = s.commit(ctx, b); err == nil {
			break
		}
		fallthrough
	case err != nil:
		for _, in := range taken {
			in.Done(err)
		}
		return err
	}
	b.apply(done)
	for _, in := range taken {
		in.Done(nil)
	}
	s.meters.batch(len(taken), time.Since(began))
	b.follow(ctx)
	return nil
}

// commit writes b, and tries again for as long as the store is away: who sent it is not receipted meanwhile, and keeps what he has.
func (s *Server) commit(ctx context.Context, b *batch) (store.Committed, error) {
	wait := retryFirst
	for {
		done, err := s.Store.Commit(ctx, &b.Batch)
		if err == nil {
			s.presence.resume(s.Now())
			return done, nil
		}
		if errors.Is(err, fettle.ErrInvalid) {
			return store.Committed{}, err
		}
		s.meters.commitErrors.Inc()
		s.Log.Error("commit of received messages", "err", err, "messages", b.messages, "retry", wait)
		s.presence.pause(s.Now())
		select {
		case <-ctx.Done():
			return store.Committed{}, errStopping
		case <-time.After(wait):
		}
		wait = min(2*wait, retryLast)
	}
}
