package wire

import (
	"crypto/ed25519"
	"crypto/rand"

	curve "github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
)

// Signatures are Ed25519 (RFC 8032). The arithmetic is not the standard library's, because a server verifies a signature for each message of each
// node: by vector units, and several at once, it takes half the time (docs/adr/0005). What is taken is the same for one message as for several.

// Sign gives the signature of body by key, 64 bytes.
func Sign(key ed25519.PrivateKey, body []byte) []byte { return curve.Sign(curve.PrivateKey(key), body) }

// Verify tells whether signature is key's over body. A key or a signature of a wrong length is not right.
func Verify(key ed25519.PublicKey, body, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && curve.Verify(curve.PublicKey(key), body, signature)
}

// PreparedKey verifies many messages of one key, faster than Verify. It takes some 2 KiB. The zero value verifies nothing.
type PreparedKey struct{ key *curve.ExpandedPublicKey }

// Prepare makes a PreparedKey; of what is no point on the curve it makes one that verifies nothing.
func Prepare(key ed25519.PublicKey) PreparedKey {
	if len(key) != ed25519.PublicKeySize {
		return PreparedKey{}
	}
	expanded, err := curve.NewExpandedPublicKey(curve.PublicKey(key))
	if err != nil {
		return PreparedKey{}
	}
	return PreparedKey{expanded}
}

// Verify tells whether signature is the key's over body. It is safe for concurrent use.
func (k PreparedKey) Verify(body, signature []byte) bool {
	return k.key != nil && curve.VerifyExpanded(k.key, body, signature)
}

// Signed is a signature with what it is said to be over.
type Signed struct {
	Key             ed25519.PublicKey
	Body, Signature []byte
}

// verifyFew is the number of signatures below which they cost no less together.
const verifyFew = 4

// VerifyMany tells of each signature whether it is right. Right ones cost less together than one by one; where one of them is wrong, they are
// looked at one by one after all, and cost twice as much.
func VerifyMany(list []Signed) []bool {
	if len(list) < verifyFew {
		right := make([]bool, len(list))
		for i, one := range list {
			right[i] = Verify(one.Key, one.Body, one.Signature)
		}
		return right
	}
	together := curve.NewBatchVerifierWithCapacity(len(list))
	for _, one := range list {
		together.Add(curve.PublicKey(one.Key), one.Body, one.Signature)
	}
	_, right := together.Verify(rand.Reader)
	return right
}
