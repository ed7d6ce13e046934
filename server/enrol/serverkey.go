package enrol

import (
	"context"
	"encoding/hex"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire/trust"
)

// KeyState tells what a key is good for.
type KeyState = store.KeyState

// ServerKey is what may be told of the key that the server signs with.
type ServerKey struct {
	ID        string
	Epoch     int64
	MinEpoch  int64 // keys of an earlier epoch are not believed any more
	NotBefore fettle.Millis
	NotAfter  fettle.Millis
	Root      string // SHA-256 of the fleet root's public key, in hex
	RootHere  bool   // it was not moved away
}

// ServerKey gives the key that the server signs with; the zero value where it signs nothing.
func (r *Registry) ServerKey() ServerKey {
	if r.cfg.Keys == nil {
		return ServerKey{}
	}
	c := r.cfg.Keys.Certificate()
	return ServerKey{
		ID: trust.KeyID(c.Key), Epoch: c.Epoch, MinEpoch: c.MinEpoch, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
		Root: hex.EncodeToString(trust.Fingerprint(r.cfg.Keys.Root())), RootHere: r.cfg.Keys.HasRoot(),
	}
}

// RotateServerKey makes the server a new key, which nodes believe at once by the fleet root. ErrUnavailable: the root was moved away.
func (r *Registry) RotateServerKey(_ context.Context, revokeOld bool, caller string) error {
	if r.cfg.Keys == nil {
		return fmt.Errorf("the server has no keys: %w", fettle.ErrUnavailable)
	}
	if err := r.cfg.Keys.Rotate(revokeOld); err != nil {
		return err
	}
	r.log.Info("server key changed", "key", r.ServerKey().ID, "revoked", revokeOld, "user", caller)
	return nil
}
