package enrol

import (
	"crypto/ed25519"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// Verify implements wire.Verifier: the owner of a key is the node that it is enrolled for.
func (r *Registry) Verify(sig wire.Signature, body []byte) (string, error) {
	r.mu.RLock()
	e := r.keys[sig.KeyID]
	r.mu.RUnlock()
	if e == nil {
		r.refused.Add(1)
		return "", fmt.Errorf("key %.40q is not enrolled: %w", sig.KeyID, fettle.ErrDenied)
	}
	if err := r.usable(e); err != nil {
		r.refused.Add(1)
		return "", err
	}
	if !ed25519.Verify(e.sign, body, sig.Bytes) {
		r.refused.Add(1)
		return "", fmt.Errorf("the signature by key %s of node %s is not right: %w", e.ID, e.Node, fettle.ErrDenied)
	}
	r.verified.Add(1)
	if e.fresh.Load() && e.fresh.CompareAndSwap(true, false) {
		r.retire(e)
	}
	return string(e.Node), nil
}

// usable tells whether what a key signs is taken.
func (r *Registry) usable(e *entry) error {
	if e.State != store.KeyActive {
		return fmt.Errorf("key %s of node %s is %s: %w", e.ID, e.Node, e.State, fettle.ErrDenied)
	}
	if until := e.until.Load(); until != 0 && int64(r.now()) > until {
		return fmt.Errorf("key %s of node %s was replaced: %w", e.ID, e.Node, fettle.ErrDenied)
	}
	return nil
}

// retire sets an end to the keys that e replaces.
func (r *Registry) retire(e *entry) {
	until := int64(r.now().Add(overlap))
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, old := range r.nodes[e.Node] {
		if old != e && old.State == store.KeyActive && old.until.CompareAndSwap(0, until) {
			r.retired = append(r.retired, old)
		}
	}
}

// Verified tells how many signatures were right, and how many were refused, since the start.
func (r *Registry) Verified() (right, refused uint64) { return r.verified.Load(), r.refused.Load() }

// SealKey gives the X25519 public key that a node's secret inputs are sealed with: that of the key it used last. ErrNotFound: it has none.
func (r *Registry) SealKey(id fettle.NodeID) ([]byte, error) {
	if e := r.current(id); e != nil {
		return e.seal, nil
	}
	return nil, fmt.Errorf("node %s has no key: %w", id, fettle.ErrNotFound)
}

// current gives the key that a node is known to use; nil: none.
func (r *Registry) current(id fettle.NodeID) *entry {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.newest(id)
}

// Place gives the pool and the labels of the token that a node enrolled with. false: it is not enrolled.
func (r *Registry) Place(id fettle.NodeID) (pool string, labels map[string]string, enrolled bool) {
	e := r.current(id)
	if e == nil {
		return "", nil, false
	}
	return e.Pool, e.Labels, true
}
