package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
)

// How long things hold.
const (
	SessionTTL = 30 * 24 * time.Hour // of a page's cookie
	LoginTTL   = 15 * time.Minute    // of a login link
	cacheTTL   = 5 * time.Second     // an answer of the store is believed for so long: scripts ask often, and a token taken back elsewhere stops soon
)

// Bounds of what is held in memory, where strangers can make it grow.
const (
	maxCached = 4096
	maxLogins = 64
	maxName   = 100 // bytes
)

// Kinds of tokens.
const (
	kindToken   = "api"
	kindSession = "session"
)

// Token is what is kept of a secret.
type Token struct {
	ID      string
	Hash    string // SHA-256 of the secret, in hex
	Kind    string // "api" or "session"
	Name    string // of the person
	Role    Role
	Created fettle.Millis
	Expires fettle.Millis // zero: never
}

// Session tells whether t is a page's cookie.
func (t Token) Session() bool { return t.Kind == kindSession }

// Tokens keeps tokens. It is called from many goroutines and may wait for a disk.
type Tokens interface {
	SaveToken(ctx context.Context, t Token) error
	TokenByHash(ctx context.Context, hash string) (Token, error) // ErrNotFound
	Tokens(ctx context.Context) ([]Token, error)                 // the newest first
	DeleteToken(ctx context.Context, id string) error            // ErrNotFound
}

// Keeper makes tokens and knows them again. It is safe for concurrent use.
type Keeper struct {
	store Tokens
	log   *slog.Logger
	now   func() time.Time

	mu     sync.Mutex
	cache  map[string]cached // by hash; guarded by mu
	logins map[string]login  // by hash of the code; guarded by mu
}

// cached is an answer of the store.
type cached struct {
	token Token
	until time.Time
}

// New makes a keeper over store. A nil log says nothing; a nil now is time.Now.
func New(store Tokens, log *slog.Logger, now func() time.Time) *Keeper {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	return &Keeper{store: store, log: log, now: now, cache: map[string]cached{}, logins: map[string]login{}}
}

// CreateToken makes a token for name and gives its secret, which is kept nowhere. A ttl of zero never ends. ErrInvalid: the name, role or ttl cannot be.
func (k *Keeper) CreateToken(ctx context.Context, name string, role Role, ttl time.Duration) (secret string, err error) {
	secret, _, err = k.NewToken(ctx, name, role, ttl)
	return secret, err
}

// NewToken is CreateToken, and gives what is kept of the token as well.
func (k *Keeper) NewToken(ctx context.Context, name string, role Role, ttl time.Duration) (string, Token, error) {
	return k.create(ctx, kindToken, name, role, ttl)
}

func (k *Keeper) create(ctx context.Context, kind, name string, role Role, ttl time.Duration) (string, Token, error) {
	if err := validate(name, role); err != nil {
		return "", Token{}, err
	}
	if ttl < 0 {
		return "", Token{}, fmt.Errorf("a token cannot end %s ago: %w", -ttl, fettle.ErrInvalid)
	}
	prefix := tokenPrefix
	if kind == kindSession {
		prefix = sessionPrefix
	}
	secret := newSecret(prefix)
	hash := hashOf(secret)
	now := fettle.MillisOf(k.now())
	t := Token{ID: hash[:idDigits], Hash: hash, Kind: kind, Name: name, Role: role, Created: now}
	if ttl > 0 {
		t.Expires = now.Add(ttl)
	}
	if err := k.store.SaveToken(ctx, t); err != nil {
		return "", Token{}, fmt.Errorf("save token of %s: %w", name, err)
	}
	k.log.Info("token created", "user", name, "role", string(role), "kind", kind)
	return secret, t, nil
}

// validate checks what a token is made for: names stand in logs and in tables.
func validate(name string, role Role) error {
	if strings.TrimSpace(name) == "" || len(name) > maxName {
		return fmt.Errorf("a name has 1 to %d bytes: %w", maxName, fettle.ErrInvalid)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return fmt.Errorf("name %q has control characters: %w", name, fettle.ErrInvalid)
	}
	_, err := ParseRole(string(role))
	return err
}

// Authenticate tells whose secret it is: ErrDenied when it is nobody's or has ended. What the store said is believed for a few seconds.
func (k *Keeper) Authenticate(ctx context.Context, secret string) (Person, error) {
	if !wellFormed(secret, tokenPrefix) && !wellFormed(secret, sessionPrefix) {
		return Person{}, fmt.Errorf("this is not a token: %w", fettle.ErrDenied)
	}
	t, err := k.lookUp(ctx, hashOf(secret))
	if err != nil {
		return Person{}, err
	}
	if t.Expires != 0 && fettle.MillisOf(k.now()) >= t.Expires {
		return Person{}, fmt.Errorf("the token of %s ended at %s: %w", t.Name, t.Expires.Time().Format(time.RFC3339), fettle.ErrDenied)
	}
	return Person{Name: t.Name, Role: t.Role, TokenID: t.ID}, nil
}

// lookUp gives the token with hash, from the cache while that is fresh.
func (k *Keeper) lookUp(ctx context.Context, hash string) (Token, error) {
	now := k.now()
	k.mu.Lock()
	c, ok := k.cache[hash]
	k.mu.Unlock()
	if ok && now.Before(c.until) {
		return c.token, nil
	}
	t, err := k.store.TokenByHash(ctx, hash)
	if errors.Is(err, fettle.ErrNotFound) || err == nil && subtle.ConstantTimeCompare([]byte(t.Hash), []byte(hash)) != 1 {
		return Token{}, fmt.Errorf("this token is not known: %w", fettle.ErrDenied)
	}
	if err != nil {
		return Token{}, fmt.Errorf("look up token: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.cache) >= maxCached {
		clear(k.cache)
	}
	k.cache[hash] = cached{token: t, until: now.Add(cacheTTL)}
	return t, nil
}

// List gives all tokens and sessions that have not ended, the newest first.
func (k *Keeper) List(ctx context.Context) ([]Token, error) {
	all, err := k.store.Tokens(ctx)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	now := fettle.MillisOf(k.now())
	live := make([]Token, 0, len(all))
	for _, t := range all {
		if t.Expires == 0 || t.Expires > now {
			live = append(live, t)
		}
	}
	return live, nil
}

// Delete takes the token with id back, here at once: ErrNotFound if there is none.
func (k *Keeper) Delete(ctx context.Context, id string) error {
	if err := k.store.DeleteToken(ctx, id); err != nil {
		return fmt.Errorf("delete token %s: %w", id, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for hash, c := range k.cache {
		if c.token.ID == id {
			delete(k.cache, hash)
		}
	}
	k.log.Info("token deleted", "token", id)
	return nil
}

// Forget ends the session or token of secret: who logs out. A secret that nobody has is forgotten already.
func (k *Keeper) Forget(ctx context.Context, secret string) error {
	err := k.Delete(ctx, hashOf(secret)[:idDigits])
	if errors.Is(err, fettle.ErrNotFound) {
		return nil
	}
	return err
}
