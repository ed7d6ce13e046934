package wire

import (
	"crypto/ed25519"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
)

// KeySigner signs with one Ed25519 key.
type KeySigner struct {
	ID  string // of the key, as a verifier knows it; without ':'
	Key ed25519.PrivateKey
}

// Sign implements Signer.
func (s KeySigner) Sign(body []byte) Signature {
	return Signature{KeyID: s.ID, Bytes: Sign(s.Key, body)}
}

// KeyRing verifies with the Ed25519 keys that it holds, by key id. It must not change while it is in use.
type KeyRing map[string]OwnedKey

// OwnedKey is a public key and the name that it belongs to.
type OwnedKey struct {
	Owner string // a node's identity, or Server
	Key   ed25519.PublicKey
}

// Verify implements Verifier.
func (r KeyRing) Verify(sig Signature, body []byte) (string, error) {
	k, ok := r[sig.KeyID]
	if !ok {
		return "", fmt.Errorf("key %q is not known: %w", clip(sig.KeyID), fettle.ErrDenied)
	}
	if !Verify(k.Key, body, sig.Bytes) {
		return "", fmt.Errorf("the signature by key %q is not right: %w", clip(sig.KeyID), fettle.ErrDenied)
	}
	return k.Owner, nil
}
