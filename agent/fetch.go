package agent

import (
	"context"
	"fmt"
	"io"
	"maps"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// Spans of fetching an archive. One piece is on its way at a time, so that the node's queue is not filled by it.
const (
	pieceWait    = 5 * time.Second // for a piece, before it is asked for again; doubled each time
	pieceTries   = 5               // for one piece
	maxFetches   = 4               // archives at a time
	maxPieceSize = wire.PieceSize
)

// fetching is an archive that is on its way. It belongs to the loop, but for pieces.
type fetching struct {
	next   int
	pieces chan wire.Piece // holds the one that is waited for
}

// Fetch has the server hand out an archive, writes it to w, and gives the voucher that came with it, which a server of this fleet has signed. What was
// written is as long as the voucher says and limit at most; whether it has the digest, the caller looks. It ends with ctx. ErrNotFound: the server does
// not have it. ErrDenied: the voucher is not right. ErrUnavailable: no answer came.
func (a *Agent) Fetch(ctx context.Context, digest string, limit int64, w io.Writer) (wire.Voucher, error) {
	f := &fetching{pieces: make(chan wire.Piece, 1)}
	if err := a.beginFetch(ctx, digest, f); err != nil {
		return wire.Voucher{}, err
	}
	defer a.inbox.put(func(context.Context) { delete(a.fetches, digest) })
	var v wire.Voucher
	for at := int64(0); ; {
		p, err := a.piece(ctx, digest, f)
		if err != nil {
			return v, fmt.Errorf("fetch %.12s: %w", digest, err)
		}
		if f.next == 0 {
			if v, err = a.checkVoucher(p, limit); err != nil {
				return v, err
			}
		}
		if p.Size != v.Size || int64(len(p.Data)) != min(maxPieceSize, v.Size-at) {
			return v, fmt.Errorf("fetch %.12s: piece %d has %d bytes of %d, at %d: %w", digest, f.next, len(p.Data), p.Size, at, fettle.ErrInvalid)
		}
		if _, err := w.Write(p.Data); err != nil {
			return v, fmt.Errorf("fetch %.12s: %w", digest, err)
		}
		if at += int64(len(p.Data)); at >= v.Size {
			return v, nil
		}
		next := f.next + 1
		if err := a.inLoop(ctx, func() error { f.next = next; return nil }); err != nil {
			return v, err
		}
	}
}

// checkVoucher holds the first piece to what is asked of an archive.
func (a *Agent) checkVoucher(p wire.Piece, limit int64) (wire.Voucher, error) {
	if p.Voucher == nil {
		return wire.Voucher{}, fmt.Errorf("fetch %.12s: it comes without a voucher: %w", p.Digest, fettle.ErrDenied)
	}
	v := *p.Voucher
	switch {
	case v.Digest != p.Digest:
		return v, fmt.Errorf("fetch %.12s: its voucher is of another archive: %w", p.Digest, fettle.ErrDenied)
	case v.Size <= 0 || v.Size > limit:
		return v, fmt.Errorf("fetch %.12s: it has %d bytes, and %d are allowed: %w", p.Digest, v.Size, limit, fettle.ErrInvalid)
	}
	return v, v.Check(a.self)
}

// beginFetch has the loop know of f.
func (a *Agent) beginFetch(ctx context.Context, digest string, f *fetching) error {
	return a.inLoop(ctx, func() error {
		switch {
		case a.fetches[digest] != nil:
			return fmt.Errorf("fetch %.12s: it is being fetched already: %w", digest, fettle.ErrConflict)
		case len(a.fetches) >= maxFetches:
			return fmt.Errorf("fetch %.12s: %d archives are being fetched already: %w", digest, len(a.fetches), fettle.ErrUnavailable)
		}
		a.fetches[digest] = f
		return nil
	})
}

// inLoop has the loop do something, and waits for it.
func (a *Agent) inLoop(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	a.inbox.put(func(context.Context) { done <- do() })
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// piece asks for the next piece until it comes.
func (a *Agent) piece(ctx context.Context, digest string, f *fetching) (wire.Piece, error) {
	number, wait := f.next, pieceWait
	timer := time.NewTimer(0) // the first time it is asked at once
	defer timer.Stop()
	for tries := 0; ; {
		select {
		case p := <-f.pieces:
			switch {
			case p.Piece != number: // it came twice
				continue
			case p.Fault != "":
				return p, fmt.Errorf("%s: %w", cut(p.Fault, 1000), fettle.ErrNotFound)
			}
			return p, nil
		case <-ctx.Done():
			return wire.Piece{}, context.Cause(ctx)
		case <-timer.C:
		}
		if tries++; tries > pieceTries {
			return wire.Piece{}, fmt.Errorf("the server does not answer: %w", fettle.ErrUnavailable)
		}
		a.inbox.put(func(context.Context) {
			if a.welcomed {
				a.send(wire.TypeFetch, a.dest.Facts(), wire.Fetch{Digest: digest, Piece: number})
			}
		})
		timer.Reset(wait)
		wait *= 2
	}
}

// onPiece hands a piece to whoever waits for it. One that nobody waits for came twice.
func (a *Agent) onPiece(p wire.Piece) {
	f := a.fetches[p.Digest]
	if f == nil || f.next != p.Piece {
		return
	}
	select {
	case f.pieces <- p:
	default: // it came twice
	}
}

// prepare brings here what a task needs before it is begun. An outcome is that of a task that cannot begin.
func (a *Agent) prepare(ctx context.Context, j *job) *Outcome {
	if j.task.Plugin == nil {
		return nil
	}
	out := a.actions.Prepare(ctx, j.task)
	a.inbox.put(func(context.Context) {
		if a.welcomed && !maps.Equal(a.actions.Plugins(), a.plugins) {
			a.greeted = time.Time{} // hello tells which plugins are here
		}
	})
	return out
}
