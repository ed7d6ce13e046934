package enrol

import (
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
)

// Verify implements wire.Verifier: the owner of a key is the node that it is enrolled for.
func (r *Registry) Verify(sig wire.Signature, body []byte) (string, error) {
	owners, errs := r.VerifyMany([]wire.Signature{sig}, [][]byte{body})
	return owners[0], errs[0]
}

// VerifyMany implements wire.ManyVerifier.
func (r *Registry) VerifyMany(sigs []wire.Signature, bodies [][]byte) (owners []string, errs []error) {
	owners, errs = make([]string, len(sigs)), make([]error, len(sigs))
	var of []int // the index of each in signed
	var by []*entry
	var signed []wire.Signed
	for i, sig := range sigs {
		e, err := r.signer(sig.KeyID)
		if errs[i] = err; err == nil {
			of, by, signed = append(of, i), append(by, e), append(signed, wire.Signed{Key: e.sign, Body: bodies[i], Signature: sig.Bytes})
		}
	}
	for k, right := range wire.VerifyMany(signed) {
		i, e := of[k], by[k]
		if !right {
			errs[i] = fmt.Errorf("the signature by key %s of node %s is not right: %w", e.ID, e.Node, fettle.ErrDenied)
			continue
		}
		owners[i] = string(e.Node)
		r.verified.Add(1)
		if e.fresh.Load() && e.fresh.CompareAndSwap(true, false) {
			r.retire(e)
		}
	}
	for _, err := range errs {
		if err != nil {
			r.refused.Add(1)
		}
	}
	return owners, errs
}

// signer gives the key of that id, if what it signs is taken.
func (r *Registry) signer(id string) (*entry, error) {
	r.mu.RLock()
	e := r.keys[id]
	r.mu.RUnlock()
	if e == nil {
		return nil, fmt.Errorf("key %.40q is not enrolled: %w", id, fettle.ErrDenied)
	}
	return e, r.usable(e)
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
