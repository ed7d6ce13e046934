package enrol

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
	"github.com/fettle-dev/fettle/wire/trust"
)

// OpenEnrol reads an Enrol message as far as it can be judged without changing anything: whether it is signed by the key that it is about, or
// by the one that is to be replaced, and whether its proof is right. ErrDenied and ErrInvalid: it is not worth an answer. Where the token is
// not known the proof shows nothing: Enrol answers such a one only if it knows the key.
func (r *Registry) OpenEnrol(m wire.Message) (wire.Envelope, wire.Enrol, error) {
	// What signed it stands inside of it, so it is read once before anything is known of it, bounded in size as all messages are.
	env, err := wire.Open(m, nil, 0)
	if err != nil {
		return env, wire.Enrol{}, err
	}
	var ask wire.Enrol
	if err := env.Decode(&ask); err != nil {
		return env, ask, err
	}
	id := fettle.NodeID(env.From)
	switch {
	case len(ask.Machine) > maxMachine:
		return env, ask, fmt.Errorf("enrol %s: %d bytes of its machine: %w", id, len(ask.Machine), fettle.ErrInvalid)
	case len(ask.Sign) != ed25519.PublicKeySize || len(ask.Seal) != sealBytes:
		return env, ask, fmt.Errorf("enrol %s: keys of %d and %d bytes: %w", id, len(ask.Sign), len(ask.Seal), fettle.ErrInvalid)
	case ask.Token == "":
		return env, ask, r.checkRotation(m, id, ask)
	}
	return env, ask, r.checkJoin(m, id, ask)
}

// sealBytes is the length of an X25519 public key.
const sealBytes = 32

// checkRotation: a key of the node has signed the message, and the new key its proof.
func (r *Registry) checkRotation(m wire.Message, id fettle.NodeID, ask wire.Enrol) error {
	if _, err := wire.Open(m, r, 0); err != nil { // the owner of the key is the sender
		return fmt.Errorf("enrol %s: a new key has to be signed by the old one: %w", id, err)
	}
	return trust.CheckKeyProof(ask.KeyProof, id, ask.Sign, ask.Seal)
}

// checkJoin: the new key has signed the message, and the proof is made with the token.
func (r *Registry) checkJoin(m wire.Message, id fettle.NodeID, ask wire.Enrol) error {
	own := wire.KeyRing{trust.KeyID(ask.Sign): {Owner: string(id), Key: ask.Sign}}
	if _, err := wire.Open(m, own, 0); err != nil {
		return fmt.Errorf("enrol %s: it is not signed by the key that it is about: %w", id, err)
	}
	secret, err := r.SecretOf(ask.Token)
	if errors.Is(err, fettle.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = trust.CheckEnrolProof(secret, ask.Proof, id, ask.Sign, ask.Seal)
	}
	return err
}
