package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strings"

	"github.com/fettle-dev/fettle/store"
)

// A secret is its prefix, by which scanners for leaked secrets know it, and secretBytes random bytes in base62, which a double click selects whole.
const (
	secretBytes  = 32
	secretDigits = 43 // of base62, for secretBytes
	idDigits     = 12 // of the hash in hex: enough to tell tokens apart, and nothing to guess the secret by
)

// prefixes of secrets, by what they open. None is the beginning of another.
var prefixes = map[store.TokenKind]string{
	store.TokenAPI:     "fettle_",
	store.TokenSession: "fettles_",
	store.TokenLogin:   "fettlel_",
}

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

// idOf gives the name of the token with hash.
func idOf(hash string) string { return hash[:idDigits] }

// kindOf tells what a secret can open; empty: it is none of ours, and need not reach the store.
func kindOf(secret string) store.TokenKind {
	for kind, prefix := range prefixes {
		if rest, ok := strings.CutPrefix(secret, prefix); ok && len(rest) == secretDigits && !strings.ContainsFunc(rest, notBase62) {
			return kind
		}
	}
	return ""
}

func notBase62(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
