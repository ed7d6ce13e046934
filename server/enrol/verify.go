package enrol

import (
	"crypto/ed25519"
	"fmt"
	"maps"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
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
func (r *Registry) current(id fettle.NodeID) (best *entry) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range r.nodes[id] {
		if e.State == store.KeyActive && (best == nil || best.fresh.Load() || !e.fresh.Load() && e.Created >= best.Created) {
			best = e
		}
	}
	return best
}

// Place gives the pool and the labels of the token that a node enrolled with. false: it is not enrolled.
func (r *Registry) Place(id fettle.NodeID) (pool string, labels map[string]string, enrolled bool) {
	e := r.current(id)
	if e == nil {
		return "", nil, false
	}
	return e.Pool, maps.Clone(e.Labels), true
}

// OpenEnrol reads an Enrol message as far as it can be judged without changing anything: whether it is signed by the key that it is about, or by
// the one that is to be replaced, and whether its proof is right. ErrDenied and ErrInvalid: it is not worth an answer.
func (r *Registry) OpenEnrol(m wire.Message) (wire.Envelope, wire.Enrol, error) {
	v := &enrolVerifier{r: r}
	env, err := wire.Open(m, v, 0)
	if err != nil {
		return wire.Envelope{}, wire.Enrol{}, err
	}
	var ask wire.Enrol
	if err := env.Decode(&ask); err != nil {
		return wire.Envelope{}, wire.Enrol{}, err
	}
	id := fettle.NodeID(env.From)
	if len(ask.Machine) > maxMachine {
		return env, ask, fmt.Errorf("enrol %s: %d bytes of its machine: %w", id, len(ask.Machine), fettle.ErrInvalid)
	}
	if len(ask.Sign) != ed25519.PublicKeySize || len(ask.Seal) != 32 {
		return env, ask, fmt.Errorf("enrol %s: keys of %d and %d bytes: %w", id, len(ask.Sign), len(ask.Seal), fettle.ErrInvalid)
	}
	if ask.Token == "" {
		return env, ask, r.checkRotation(v.key, id, ask)
	}
	return env, ask, r.checkJoin(v, m, id, ask)
}

// checkRotation: the message is signed by a key of the node already.
func (r *Registry) checkRotation(old *entry, id fettle.NodeID, ask wire.Enrol) error {
	if old == nil || old.Node != id {
		return fmt.Errorf("enrol %s: a new key has to be signed by the old one: %w", id, fettle.ErrDenied)
	}
	return trust.CheckKeyProof(ask.KeyProof, id, ask.Sign, ask.Seal)
}

// checkJoin: the message is signed by the new key, and the proof is made with the token. A token that is gone proves nothing, and gives nothing.
func (r *Registry) checkJoin(v *enrolVerifier, m wire.Message, id fettle.NodeID, ask wire.Enrol) error {
	if v.sig.KeyID != trust.KeyID(ask.Sign) || !ed25519.Verify(ask.Sign, m.Body, v.sig.Bytes) {
		return fmt.Errorf("enrol %s: it is not signed by the key that it is about: %w", id, fettle.ErrDenied)
	}
	secret, err := r.secretOf(ask.Token)
	if err != nil {
		return err
	}
	return trust.CheckEnrolProof(secret, ask.Proof, id, ask.Sign, ask.Seal)
}

// enrolVerifier lets a message be read before it can be verified: a new key stands inside of it. It is used once.
type enrolVerifier struct {
	r   *Registry
	sig wire.Signature
	key *entry // that signed it; nil: none that is known
}
