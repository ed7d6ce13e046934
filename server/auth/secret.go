package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strings"
)

// A secret is its prefix, by which scanners for leaked secrets know it, and secretBytes random bytes in base62, which a double click selects whole.
const (
	tokenPrefix   = "fettle_"
	sessionPrefix = "fettles_"
	loginPrefix   = "fettlel_"
	secretBytes   = 32
	secretDigits  = 43 // of base62, for secretBytes
	idDigits      = 12 // of the hash in hex: enough to tell tokens apart, and nothing to guess the secret by
)

// newSecret gives a secret that nobody has seen.
func newSecret(prefix string) string {
	var b [secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	digits := new(big.Int).SetBytes(b[:]).Text(62)
	return prefix + strings.Repeat("0", secretDigits-len(digits)) + digits
}

// hashOf gives what is kept of a secret.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// wellFormed tells whether secret can be one of ours, so that no other text reaches the store.
func wellFormed(secret, prefix string) bool {
	rest, ok := strings.CutPrefix(secret, prefix)
	if !ok || len(rest) != secretDigits {
		return false
	}
	return !strings.ContainsFunc(rest, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}
