package catalogue

import (
	"context"
	"fmt"
	"slices"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// heldPieces is how many pieces are kept in memory: all nodes that fetch a new plugin ask for the same ones.
const heldPieces = 64

// pieces are the ones that were handed out last.
type pieces struct {
	byKey map[pieceKey][]byte
	order []pieceKey // the oldest first
}

type pieceKey struct {
	digest string
	piece  int
}

func (p *pieces) put(k pieceKey, body []byte) {
	if p.byKey == nil {
		p.byKey = map[pieceKey][]byte{}
	}
	if _, is := p.byKey[k]; is {
		return
	}
	if len(p.order) >= heldPieces {
		delete(p.byKey, p.order[0])
		p.order = p.order[1:]
	}
	p.byKey[k], p.order = body, append(p.order, k)
}

// Piece answers a node's question for a piece of an archive. What cannot be handed out has a Fault; the error is that the store could not be asked.
func (c *Catalogue) Piece(ctx context.Context, ask wire.Fetch) (wire.Piece, error) {
	out := wire.Piece{Digest: ask.Digest, Piece: ask.Piece}
	name, v, is := c.byDigest(ask.Digest)
	switch {
	case !is:
		out.Fault = "the server has no such archive; it was removed"
	case v.Fault != "":
		out.Fault = v.Fault
	case ask.Piece < 0 || int64(ask.Piece)*wire.PieceSize >= v.Size:
		out.Fault = fmt.Sprintf("the archive has no piece %d", ask.Piece)
	}
	if out.Fault != "" {
		return out, nil
	}
	if out.Size = v.Size; ask.Piece == 0 {
		voucher := wire.Voucher{Name: name, Version: v.Version, Platform: v.Platform, Digest: v.Digest, Size: v.Size}.Sign(c.cfg.Signer)
		out.Voucher = &voucher
	}
	key := pieceKey{ask.Digest, ask.Piece}
	c.mu.RLock()
	out.Data = c.pieces.byKey[key]
	c.mu.RUnlock()
	if out.Data != nil {
		return out, nil
	}
	body, err := c.cfg.Store.ArchivePiece(ctx, ask.Digest, ask.Piece)
	if missing(err) {
		out.Fault = "the archive is not whole in the store; push it again"
		return out, nil
	}
	if err != nil {
		return out, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pieces.put(key, body)
	out.Data = body
	return out, nil
}

// byDigest gives what has an archive, and its name.
func (c *Catalogue) byDigest(digest string) (string, Version, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	of := func(v Version) bool { return v.Digest == digest }
	for _, p := range c.plugins {
		if i := slices.IndexFunc(p.Versions, of); i >= 0 {
			return p.Name, p.Versions[i], true
		}
	}
	if i := slices.IndexFunc(c.agents, of); i >= 0 {
		return AgentName, c.agents[i], true
	}
	return "", Version{}, false
}

// Archive gives a whole archive, for who wants to look at it. ErrNotFound: there is none.
func (c *Catalogue) Archive(ctx context.Context, name, version string) ([]byte, error) {
	p, err := c.Plugin(name)
	if err != nil {
		return nil, err
	}
	v, is := p.version(version)
	if !is {
		return nil, fmt.Errorf("plugin %s has no version %s; it has %s: %w", name, version, p.names(), fettle.ErrNotFound)
	}
	out := make([]byte, 0, v.Size)
	for n := 0; int64(n)*wire.PieceSize < v.Size; n++ {
		body, err := c.cfg.Store.ArchivePiece(ctx, v.Digest, n)
		if err != nil {
			return nil, err
		}
		out = append(out, body...)
	}
	return out, nil
}
