package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// DeadLetter is a message that was taken and could not be used.
type DeadLetter = store.DeadLetter

// LetterQuery says which dead letters are wanted. Zero fields want all.
type LetterQuery = store.LetterQuery

// letter makes a dead letter of a message, with what it takes to verify it again.
func letter(o opened, at fettle.Millis) DeadLetter {
	header := make(map[string]string, len(o.Message.Header))
	for _, h := range o.Message.Header {
		if _, twice := header[h.Name]; !twice {
			header[h.Name] = h.Value
		}
	}
	return DeadLetter{
		At: at, Destination: o.Destination, Sender: string(o.Sender), Kind: o.reason, Reason: o.err.Error(), Body: o.Message.Body, Header: header,
	}
}

// DeadLetters lists dead letters, the newest first.
func (s *Server) DeadLetters(ctx context.Context, q LetterQuery) ([]DeadLetter, error) {
	return s.Store.DeadLetters(ctx, q)
}

// LetterEnvelope is what a dead letter says of itself. Nothing of it was verified.
type LetterEnvelope struct {
	Type, ID, From, To string
	At, Expires        fettle.Millis
	Body               json.RawMessage
	Fault              string // why it cannot be read; empty: it can
}

// DeadLetter gives one, with the envelope that is in it. ErrNotFound: there is none of that number.
func (s *Server) DeadLetter(ctx context.Context, seq int64) (DeadLetter, LetterEnvelope, error) {
	l, err := s.Store.DeadLetter(ctx, seq)
	if err != nil {
		return l, LetterEnvelope{}, err
	}
	env, err := wire.Open(messageOf(l), nil, 0)
	if err != nil {
		return l, LetterEnvelope{Fault: err.Error()}, nil
	}
	return l, LetterEnvelope{
		Type: string(env.Type), ID: env.ID, From: env.From, To: env.To, At: env.At, Expires: env.Expires, Body: env.Body,
	}, nil
}

// messageOf gives the message that became a dead letter.
func messageOf(l DeadLetter) wire.Message {
	m := wire.Message{Body: l.Body}
	for name, value := range l.Header {
		m.Header = append(m.Header, wire.Field{Name: name, Value: value})
	}
	slices.SortFunc(m.Header, func(a, b wire.Field) int { return strings.Compare(a.Name, b.Name) })
	return m
}

// LetterPick names dead letters: by their numbers, or all that match.
type LetterPick struct {
	Seqs  []int64
	Match *LetterQuery // nil: Seqs. Before and Limit are ignored
}

// seqs gives the numbers of what p names, the oldest first. Numbers that are not there stay.
func (s *Server) seqs(ctx context.Context, p LetterPick) ([]int64, error) {
	if p.Match == nil {
		list := slices.Clone(p.Seqs)
		slices.Sort(list)
		return slices.Compact(list), nil
	}
	var list []int64
	for q := *p.Match; ; {
		q.Limit = lettersAtOnce
		page, err := s.Store.DeadLetters(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			list = append(list, l.Seq)
		}
		if len(page) < lettersAtOnce {
			slices.Reverse(list)
			return list, nil
		}
		q.Before = page[len(page)-1].Seq
	}
}

// lettersAtOnce is how many dead letters are in memory at a time, with bodies of store.MaxDeadBody at most.
const lettersAtOnce = 200

// DeleteDeadLetters takes dead letters away and tells how many.
func (s *Server) DeleteDeadLetters(ctx context.Context, p LetterPick, caller string) (int64, error) {
	seqs, err := s.seqs(ctx, p)
	if err != nil {
		return 0, err
	}
	n, err := s.Store.DeleteDeadLetters(ctx, seqs)
	if err == nil {
		s.Log.Info("dead letters deleted", "count", n, "user", caller)
	}
	return n, err
}

// LetterRefused is a dead letter that was played again and not taken.
type LetterRefused struct {
	Seq    int64
	Reason string
}

// Replayed is what became of dead letters that were played again. Those that were taken are deleted.
type Replayed struct {
	Taken   int
	Refused []LetterRefused
}

// ReplayDeadLetters hands dead letters to the collector again, the oldest first, as if they came now: they are verified, ordered and
// de-duplicated like everything else. What is refused again stays as it is.
func (s *Server) ReplayDeadLetters(ctx context.Context, p LetterPick, caller string) (Replayed, error) {
	var sum Replayed
	seqs, err := s.seqs(ctx, p)
	if err != nil {
		return sum, err
	}
	for part := range slices.Chunk(seqs, lettersAtOnce) {
		if err := s.replay(ctx, part, &sum); err != nil {
			return sum, err
		}
	}
	slices.SortFunc(sum.Refused, func(a, b LetterRefused) int { return cmp.Compare(a.Seq, b.Seq) })
	s.Log.Info("dead letters replayed", "count", len(seqs), "taken", sum.Taken, "user", caller)
	return sum, nil
}

// encore is a dead letter on its way through the collector.
type encore struct {
	seq     int64
	refusal error // set by the batch, before done is told
	done    chan error
}

func (s *Server) replay(ctx context.Context, seqs []int64, sum *Replayed) error {
	var playing []*encore
	refuse := func(seq int64, why error) {
		sum.Refused = append(sum.Refused, LetterRefused{Seq: seq, Reason: why.Error()})
	}
	for _, seq := range seqs {
		l, err := s.Store.DeadLetter(ctx, seq)
		if err == nil && !l.Whole() {
			err = fmt.Errorf("of its %d bytes the first %d are kept, or not how it was signed: it cannot be replayed: %w", l.Size, len(l.Body), fettle.ErrInvalid)
		}
		switch {
		case errors.Is(err, fettle.ErrNotFound), errors.Is(err, fettle.ErrInvalid):
			refuse(seq, err)
			continue
		case err != nil:
			return err
		}
		e := &encore{seq: seq, done: make(chan error, 1)}
		playing = append(playing, e)
		// It was heard when it came, and not now: a node that is away must not look alive.
		s.inbox.put(Incoming{
			Destination: l.Destination, Message: messageOf(l), Sender: fettle.NodeID(l.Sender), at: l.At.Time(),
			Done: func(err error) { e.done <- err }, refusal: &e.refusal,
		})
	}
	var taken []int64
	for _, e := range playing {
		select {
		case <-ctx.Done():
			return ctx.Err() // what is taken meanwhile is taken twice later, which costs nothing
		case err := <-e.done:
			if err != nil {
				return fmt.Errorf("replay dead letter %d: %w: %w", e.seq, err, fettle.ErrUnavailable)
			}
		}
		if e.refusal != nil {
			refuse(e.seq, e.refusal)
			continue
		}
		taken = append(taken, e.seq)
	}
	sum.Taken += len(taken)
	_, err := s.Store.DeleteDeadLetters(ctx, taken)
	return err
}
