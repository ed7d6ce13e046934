package store

import (
	"context"
	"fmt"

	"github.com/fettle-dev/fettle"
)

// Batch is what one commit of the server's collector writes. Its parts are written in the order in which they stand here, and each part in its
// own order: a later write of one node wins.
//
// That messages of a node are in order, by session and sequence, is for the caller to check: the store writes what it is given.
type Batch struct {
	Received    fettle.Millis   // when Results came, by the server's clock
	Nodes       []NodeWrite     // rows as they are now, made or replaced, with the changes of their facts
	Seen        []Seen          // liveness of nodes, without touching their facts
	Forget      []fettle.NodeID // nodes to take away
	Results     []fettle.Result // dropped where the task is answered already; marks the task as answered
	Output      []OutputChunk   // dropped where it is there already
	States      []fettle.CheckState
	Left        []StateKey // states to take away: the nodes have left the check
	Transitions []Transition
	Events      []fettle.Event
	DeadLetters []DeadLetter
}

// Committed tells what a commit did.
type Committed struct {
	// New tells of each of Batch.Results whether it is the first of its task. The others must not be counted again.
	New []bool
}

// Empty tells whether there is nothing in b.
func (b *Batch) Empty() bool {
	return len(b.Nodes)+len(b.Seen)+len(b.Forget)+len(b.Results)+len(b.Output)+len(b.States)+len(b.Left)+len(b.Transitions)+len(b.Events)+len(b.DeadLetters) == 0
}

// Commit writes b in one transaction. It is on disk when Commit returns nil; otherwise nothing of it is, but for a connection that broke at the
// last moment: then it may be, and committing it again does no harm beside a second copy of its Events, Transitions and Changes.
//
// ErrInvalid means that something in b can never be written; a caller that cannot tell what commits its messages one by one. ErrUnavailable
// means that the same b may work later.
func (s *Store) Commit(ctx context.Context, b *Batch) (Committed, error) {
	var c Committed
	if b.Empty() {
		return c, nil
	}
	err := s.write(ctx, "commit batch", func(ctx context.Context, t *tx) (err error) {
		c.New, err = b.write(ctx, t)
		return err
	})
	if err != nil {
		return Committed{}, err
	}
	return c, nil
}

func (b *Batch) write(ctx context.Context, t *tx) (news []bool, err error) {
	if err := writeNodes(ctx, t, b.Nodes); err != nil {
		return nil, err
	}
	if err := writeSeen(ctx, t, b.Seen); err != nil {
		return nil, err
	}
	if err := forget(ctx, t, b.Forget); err != nil {
		return nil, err
	}
	if news, err = writeResults(ctx, t, b.Results, b.Received); err != nil {
		return nil, err
	}
	if err := writeOutput(ctx, t, b.Output); err != nil {
		return nil, err
	}
	if err := writeStates(ctx, t, b.States); err != nil {
		return nil, fmt.Errorf("states: %w", err)
	}
	if err := dropStates(ctx, t, b.Left); err != nil {
		return nil, err
	}
	if err := writeTransitions(ctx, t, b.Transitions); err != nil {
		return nil, fmt.Errorf("transitions: %w", err)
	}
	if err := writeEvents(ctx, t, b.Events); err != nil {
		return nil, err
	}
	return news, writeDead(ctx, t, b.DeadLetters)
}
