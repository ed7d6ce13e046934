package trust

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/wire"
)

// keyIDLength is how many characters a key id has.
const keyIDLength = 32

// KeyID names a key: lower-case hex of the first 16 bytes of the SHA-256 of the public key.
func KeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:keyIDLength/2])
}

// IsKeyID tells whether text can be a key id.
func IsKeyID(text string) bool {
	if len(text) != keyIDLength {
		return false
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// NodeKeys are a node's two keys: one to sign what it sends, one to read what is sealed for it. The zero value is no keys.
type NodeKeys struct {
	Sign ed25519.PrivateKey
	Seal *ecdh.PrivateKey // X25519
}

// NewNodeKeys makes keys by chance.
func NewNodeKeys() (NodeKeys, error) {
	_, sign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return NodeKeys{}, fmt.Errorf("make keys: %w", err)
	}
	seal, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return NodeKeys{}, fmt.Errorf("make keys: %w", err)
	}
	return NodeKeys{Sign: sign, Seal: seal}, nil
}

// DeriveNodeKeys makes the keys of an emulated node from the secret of a join token: the same node has the same keys again. Who knows the token
// knows them too, so no real node has such keys.
func DeriveNodeKeys(secret []byte, id fettle.NodeID) (NodeKeys, error) {
	raw, err := hkdf.Key(sha256.New, secret, nil, "fettle emulated node 1\n"+string(id), ed25519.SeedSize+32)
	if err != nil {
		return NodeKeys{}, fmt.Errorf("derive keys of %s: %w", id, err)
	}
	seal, err := ecdh.X25519().NewPrivateKey(raw[ed25519.SeedSize:])
	if err != nil {
		return NodeKeys{}, fmt.Errorf("derive keys of %s: %w", id, err)
	}
	return NodeKeys{Sign: ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize]), Seal: seal}, nil
}

// None tells that there are no keys.
func (k NodeKeys) None() bool { return k.Sign == nil || k.Seal == nil }

// SignPublic gives the public half of the key that signs.
func (k NodeKeys) SignPublic() ed25519.PublicKey { return k.Sign.Public().(ed25519.PublicKey) }

// SealPublic gives the public half of the key that reads, 32 bytes.
func (k NodeKeys) SealPublic() []byte { return k.Seal.PublicKey().Bytes() }

// ID names the key that signs.
func (k NodeKeys) ID() string { return KeyID(k.SignPublic()) }

// Signer signs with these keys.
func (k NodeKeys) Signer() wire.Signer { return wire.KeySigner{ID: k.ID(), Key: k.Sign} }
