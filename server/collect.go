package server

import (
	"context"
	"errors"
	"fmt"
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
	retryStrange  = 4 // commits that failed for a reason that has no kind, before the messages themselves are suspected
)

// Incoming is a message that a broker took on a collected destination.
type Incoming struct {
	Destination string
	Message     wire.Message
	Sender      fettle.NodeID // as the broker knows it; empty: the broker does not say
	// Done is called exactly once: with nil when what the message says is on disk, or when it can never be; with an error when the server
	// stops before.
	Done func(error)

	at      time.Time // when Collect was called
	refusal *error    // not nil: a dead letter that is played again, and where it is said why it is refused
}

// Collect takes a message. It never blocks: the broker bounds what is outstanding. That its sender was heard counts from now, however long it
// takes until the message is worked on.
func (s *Server) Collect(in Incoming) {
	in.at = s.Now()
	if in.Sender != "" {
		s.presence.heard(in.Sender, in.at)
	}
	s.inbox.put(in)
}

// inbox holds what was taken and is not yet worked on.
type inbox struct {
	mu     sync.Mutex
	held   []Incoming // guarded by mu
	closed bool       // guarded by mu
	ready  chan struct{}
}

func (b *inbox) init() { b.ready = make(chan struct{}, 1) }

func (b *inbox) put(in Incoming) {
	b.mu.Lock()
	closed := b.closed
	if !closed {
		b.held = append(b.held, in)
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
	return taken
}

func (b *inbox) close() []Incoming {
	b.mu.Lock()
	defer b.mu.Unlock()
	left := b.held
	b.held, b.closed = nil, true
	return left
}

// Why messages were not committed.
var (
	errStopping = errors.New("the server is stopping")
	errHopeless = errors.New("something in the batch can never be stored")
)

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
			if err := s.take(ctx, taken); err != nil {
				return nil // ctx has ended; what was not committed was not receipted
			}
		}
	}
}

// giveBack tells the senders that their messages were not taken.
func giveBack(list []opened) {
	for _, in := range list {
		in.Done(errStopping)
	}
}

// take verifies messages, answers the enrolments among them, and works on the rest. The error is that ctx has ended.
func (s *Server) take(ctx context.Context, taken []Incoming) error {
	list := s.open(taken)
	if err := s.enrol(ctx, list); err != nil {
		giveBack(list)
		return err
	}
	return s.work(ctx, list)
}

// work turns messages into one batch, commits it, lets it take effect in memory, receipts, and sends what the messages call for. Where one of
// the messages can never be stored, halves of them are tried until it stands alone: it becomes a dead letter. The error is that ctx has ended.
func (s *Server) work(ctx context.Context, taken []opened) error {
	began := time.Now()
	b, err := s.keep(ctx, func(b *batch) {
		for _, o := range taken {
			b.take(o)
		}
	})
	switch {
	case errors.Is(err, errHopeless) && len(taken) > 1:
		half := len(taken) / 2
		if err := s.work(ctx, taken[:half]); err != nil {
			giveBack(taken[half:])
			return err
		}
		return s.work(ctx, taken[half:])
	case errors.Is(err, errHopeless):
		why := err
		taken[0].refuse(refusedStore, why)
		b, err = s.keep(ctx, func(b *batch) { b.refuse(taken[0]) })
		if errors.Is(err, errHopeless) {
			s.Log.Error("a message that cannot even be a dead letter is lost", "node", taken[0].Sender, "err", err)
			taken[0].Done(nil)
			return nil
		}
	}
	if err != nil {
		giveBack(taken)
		return err
	}
	for _, in := range taken {
		in.Done(nil)
	}
	s.meters.batch(len(taken), time.Since(began))
	b.follow(ctx)
	return nil
}

// keep commits what fill puts into a batch, and lets it take effect. Nothing else that is judged of nodes is committed meanwhile, so that
// memory follows the disk in one order.
func (s *Server) keep(ctx context.Context, fill func(*batch)) (*batch, error) {
	s.presence.turn.Lock()
	defer s.presence.turn.Unlock()
	b := s.newBatch()
	fill(b)
	b.seal()
	done, err := s.commit(ctx, b)
	if err != nil {
		return nil, err
	}
	b.apply(done)
	return b, nil
}

// commit writes b, and tries again for as long as the store is away: who sent it is not receipted meanwhile, and keeps what he has.
// errHopeless: the store is there, and b can never be written.
func (s *Server) commit(ctx context.Context, b *batch) (store.Committed, error) {
	wait, strange := retryFirst, 0
	for {
		done, err := s.Store.Commit(ctx, &b.Batch)
		switch {
		case err == nil:
			s.listen(storeAway)
			return done, nil
		case errors.Is(err, fettle.ErrInvalid), errors.Is(err, fettle.ErrConflict):
			return done, fmt.Errorf("%w: %w", errHopeless, err)
		case !errors.Is(err, fettle.ErrUnavailable) && ctx.Err() == nil:
			if strange++; strange == retryStrange {
				return done, fmt.Errorf("%w: %w", errHopeless, err)
			}
		}
		s.meters.commitErrors.Inc()
		s.deafen(storeAway)
		if ctx.Err() == nil {
			s.Log.Error("commit of received messages", "err", err, "messages", b.messages, "retry", wait)
		}
		select {
		case <-ctx.Done():
			return done, errStopping
		case <-time.After(wait):
		}
		wait = min(2*wait, retryLast)
	}
}
