package trust

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"

	fettle "github.com/fettle-dev/fettle"
)

// TokenPrefix is what the text of every join token begins with.
const TokenPrefix = "fjt1_"

// The text of a token: TokenPrefix and base64url of id, secret, fingerprint of the root, fingerprint of the CA (or nothing), checksum.
const (
	tokenIDBytes  = 8
	secretBytes   = 32
	checksumBytes = 4
	shortToken    = tokenIDBytes + secretBytes + sha256.Size + checksumBytes
	longToken     = shortToken + sha256.Size
)

// JoinToken lets nodes in. Its secret never travels: proofs made with it do.
type JoinToken struct {
	ID     string // 16 hexadecimal digits; no secret
	Secret []byte // 32 bytes
	Root   []byte // SHA-256 of the fleet root's public key
	CA     []byte // SHA-256 of the SubjectPublicKeyInfo of the CA that certifies listeners; empty: the system's roots do
}

// NewJoinToken makes a token of the fleet whose root that is. A ca of nil: none is pinned.
func NewJoinToken(root ed25519.PublicKey, ca []byte) JoinToken {
	t := JoinToken{Secret: make([]byte, secretBytes), Root: Fingerprint(root), CA: bytes.Clone(ca)}
	var id [tokenIDBytes]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	_, _ = rand.Read(t.Secret)
	t.ID = hex.EncodeToString(id[:])
	return t
}

// ParseJoinToken reads what String wrote. Anything else is ErrInvalid; the error never shows the text.
func ParseJoinToken(text string) (JoinToken, error) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), TokenPrefix)
	if !ok {
		return JoinToken{}, fmt.Errorf("join token: it does not begin with %s: %w", TokenPrefix, fettle.ErrInvalid)
	}
	if len(rest) > base64.RawURLEncoding.EncodedLen(longToken) {
		return JoinToken{}, fmt.Errorf("join token: it is too long: %w", fettle.ErrInvalid)
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(raw) != shortToken && len(raw) != longToken {
		return JoinToken{}, fmt.Errorf("join token: a part of it is missing, or it is no base64: %w", fettle.ErrInvalid)
	}
	body, check := raw[:len(raw)-checksumBytes], raw[len(raw)-checksumBytes:]
	if sum := sha256.Sum256(body); subtle.ConstantTimeCompare(sum[:checksumBytes], check) != 1 {
		return JoinToken{}, fmt.Errorf("join token: its checksum is not right, a character was changed: %w", fettle.ErrInvalid)
	}
	t := JoinToken{ID: hex.EncodeToString(body[:tokenIDBytes])}
	body = body[tokenIDBytes:]
	t.Secret, t.Root, t.CA = body[:secretBytes:secretBytes], body[secretBytes:secretBytes+sha256.Size:secretBytes+sha256.Size], body[secretBytes+sha256.Size:]
	if len(t.CA) == 0 {
		t.CA = nil
	}
	return t, nil
}

// String gives the whole token, its secret with it. The token has come from NewJoinToken or ParseJoinToken.
func (t JoinToken) String() string {
	id, err := hex.DecodeString(t.ID)
	if err != nil || len(id) != tokenIDBytes {
		return ""
	}
	raw := bytes.Join([][]byte{id, t.Secret, t.Root, t.CA}, nil)
	sum := sha256.Sum256(raw)
	return TokenPrefix + base64.RawURLEncoding.EncodeToString(append(raw, sum[:checksumBytes]...))
}

// LogValue keeps the secret out of logs.
func (t JoinToken) LogValue() slog.Value { return slog.StringValue("join token " + t.ID) }

// None tells that there is no token.
func (t JoinToken) None() bool { return t.ID == "" }

// CheckRoot tells whether root is the one that the token names; ErrDenied if it is not.
func (t JoinToken) CheckRoot(root ed25519.PublicKey) error {
	if len(root) != ed25519.PublicKeySize || subtle.ConstantTimeCompare(Fingerprint(root), t.Root) != 1 {
		return fmt.Errorf("the server's fleet root is not the one that the join token names: %w", fettle.ErrDenied)
	}
	return nil
}

// Fingerprint is the SHA-256 of a public key.
func Fingerprint(pub []byte) []byte {
	sum := sha256.Sum256(pub)
	return sum[:]
}
