package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	fettle "github.com/fettle-dev/fettle"
)

// Bounds of a password, in bytes. There are no rules on what stands in it: length is what counts.
const (
	MinPassword = 10
	MaxPassword = 256
)

// cost is what argon2id is asked to spend on one password.
type cost struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

// passwordCost is what every new hash costs: 64 MiB and two passes, some 100 ms of one core. OWASP asks for 19 MiB and two passes at least.
// A hash that was made at another cost is made anew at the next login.
var passwordCost = cost{memory: 64 << 10, time: 2, threads: 1}

// What a hash may ask for. It comes from the database, and one that asks for more was written by somebody else.
var maxCost = cost{memory: 1 << 20, time: 20, threads: 16}

const (
	saltBytes = 16
	keyBytes  = 32
	atOnce    = 2 // passwords that are hashed at the same time: they take 128 MiB, and one of two cores stays free for the fleet on a small machine
)

// hasher makes and checks hashes of passwords. It is safe for concurrent use.
type hasher struct {
	cost  cost
	slots chan struct{}
	dummy string // of a password that nobody has
}

func newHasher(c cost) *hasher {
	h := &hasher{cost: c, slots: make(chan struct{}, atOnce)}
	h.dummy = encodeHash(c, make([]byte, saltBytes), make([]byte, keyBytes))
	return h
}

// take waits for a slot. ErrUnavailable: ctx ended first.
func (h *hasher) take(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("too many sign in at once: %w", fettle.ErrUnavailable)
	}
}

func (h *hasher) release() { <-h.slots }

// hash gives what is kept of password: ErrInvalid if it is too short or too long.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	if err := fitPassword(password); err != nil {
		return "", err
	}
	if err := h.take(ctx); err != nil {
		return "", err
	}
	defer h.release()
	salt := make([]byte, saltBytes)
	_, _ = rand.Read(salt) // never fails: crypto/rand ends the process instead
	return encodeHash(h.cost, salt, keyOf(h.cost, password, salt, keyBytes)), nil
}

// verify tells whether hash is of password, and whether it ought to be made anew. An empty hash is nobody's; it costs what any other does, so
// that time does not tell who exists.
func (h *hasher) verify(ctx context.Context, hash, password string) (right, stale bool, err error) {
	if len(password) > MaxPassword {
		return false, false, nil
	}
	known := hash != ""
	if !known {
		hash = h.dummy
	}
	c, salt, key, err := decodeHash(hash)
	if err != nil {
		return false, false, err
	}
	if err := h.take(ctx); err != nil {
		return false, false, err
	}
	defer h.release()
	same := subtle.ConstantTimeCompare(keyOf(c, password, salt, len(key)), key) == 1
	return same && known, c != h.cost, nil
}

func fitPassword(password string) error {
	switch {
	case !utf8.ValidString(password):
		return fmt.Errorf("the password is not UTF-8: %w", fettle.ErrInvalid)
	case len(password) < MinPassword || len(password) > MaxPassword:
		return fmt.Errorf("a password has %d to %d bytes: %w", MinPassword, MaxPassword, fettle.ErrInvalid)
	}
	return nil
}

func keyOf(c cost, password string, salt []byte, length int) []byte {
	return argon2.IDKey([]byte(password), salt, c.time, c.memory, c.threads, uint32(length)) //nolint:gosec // decodeHash bounds it
}

var base64Raw = base64.RawStdEncoding.Strict()

// encodeHash writes a hash in the form that other programs know: $argon2id$v=19$m=65536,t=2,p=1$SALT$KEY.
func encodeHash(c cost, salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.memory, c.time, c.threads, base64Raw.EncodeToString(salt), base64Raw.EncodeToString(key))
}

// decodeHash reads what encodeHash wrote.
func decodeHash(s string) (c cost, salt, key []byte, err error) {
	bad := func(why string) (cost, []byte, []byte, error) {
		return cost{}, nil, nil, fmt.Errorf("the hash of a password %s", why)
	}
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return bad("is not one of argon2id")
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.time, &c.threads); err != nil || n != 3 {
		return bad("has no parameters")
	}
	if c.memory < 8 || c.time < 1 || c.threads < 1 || c.memory > maxCost.memory || c.time > maxCost.time || c.threads > maxCost.threads {
		return bad("asks for more or less than can be")
	}
	if salt, err = base64Raw.DecodeString(parts[4]); err != nil || len(salt) < 8 || len(salt) > 64 {
		return bad("has no salt")
	}
	if key, err = base64Raw.DecodeString(parts[5]); err != nil || len(key) < 16 || len(key) > 64 {
		return bad("has no key")
	}
	return c, salt, key, nil
}
