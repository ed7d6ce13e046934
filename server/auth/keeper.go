package auth

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	fettle "github.com/fettle-dev/fettle"
	"github.com/fettle-dev/fettle/store"
)

// How long things hold.
const (
	SessionTTL = 30 * 24 * time.Hour // of a page's cookie
	LoginTTL   = 15 * time.Minute    // of a login link
	cacheTTL   = 5 * time.Second     // an answer of the store is believed for so long: scripts ask often, and a token taken back elsewhere stops soon
	awayTTL    = time.Hour           // the same while the store is away
)

// Bounds of what is kept.
const (
	maxCached = 4096 // tokens in memory: more than that many at once, and the cache begins anew
	maxName   = 100  // bytes
	listPage  = 1000 // tokens that are read at once
)

// unlimited is the number of uses of a token that does not wear out.
const unlimited = -1

// Token is what is kept of a secret.
type Token struct {
	ID      string
	Name    string // of the person
	Role    Role
	Session bool // a page's cookie, or a login of the command line
	Scopes  []string
	Owner   string // who made it
	Account string // the user with whom it ends; empty: nobody's
	Created fettle.Millis
	Expires fettle.Millis // zero: never
}

// Order asks for a token.
type Order struct {
	Name    string
	Role    Role
	TTL     time.Duration // zero: it never ends
	Scopes  []string      // nil: whatever the role may
	Owner   string        // who makes it
	Account string        // the user with whom it ends, and whose rights it never exceeds; empty: nobody's
}

// Tokens keeps tokens; *store.Store does. It is called from many goroutines and may wait for a disk. What is not valid any more is ErrNotFound.
type Tokens interface {
	SaveToken(ctx context.Context, t store.Token) error
	TokenByHash(ctx context.Context, kind store.TokenKind, hash string, now fettle.Millis) (store.Token, error)
	UseToken(ctx context.Context, kind store.TokenKind, hash string, now fettle.Millis) (store.Token, error) // of many at once, one succeeds
	Tokens(ctx context.Context, kind store.TokenKind, after string, limit int) ([]store.Token, error)        // by id
	DeleteToken(ctx context.Context, id string) error
	User(ctx context.Context, name string) (store.User, error)
}

// Keeper makes tokens and knows them again. It is safe for concurrent use.
type Keeper struct {
	tokens Tokens
	log    *slog.Logger
	now    func() time.Time

	mu    sync.Mutex
	cache map[string]cached // by hash; guarded by mu
	turn  int               // counts what was taken back; guarded by mu
}

// cached is an answer of the store.
type cached struct {
	token store.Token
	user  store.User // whose it is; the zero User where it is nobody's
	until time.Time
}

// New makes a keeper over tokens. A nil log says nothing; a nil now is time.Now.
func New(tokens Tokens, log *slog.Logger, now func() time.Time) *Keeper {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	return &Keeper{tokens: tokens, log: log, now: now, cache: map[string]cached{}}
}

// CreateToken makes a token for name and gives its secret, which is kept nowhere. A ttl of zero never ends. ErrInvalid: the name, role or ttl cannot be.
func (k *Keeper) CreateToken(ctx context.Context, name string, role Role, ttl time.Duration) (secret string, err error) {
	secret, _, err = k.NewToken(ctx, name, role, ttl)
	return secret, err
}

// NewToken is CreateToken, and gives what is kept of the token as well.
func (k *Keeper) NewToken(ctx context.Context, name string, role Role, ttl time.Duration) (string, Token, error) {
	return k.Issue(ctx, Order{Name: name, Role: role, TTL: ttl})
}

// Issue makes the token that o asks for, and gives its secret, which is kept nowhere. ErrInvalid: it cannot be.
func (k *Keeper) Issue(ctx context.Context, o Order) (string, Token, error) {
	scopes, err := ParseScopes(o.Scopes)
	if err != nil {
		return "", Token{}, err
	}
	secret, t, err := k.create(ctx, store.Token{
		Kind: store.TokenAPI, Name: o.Name, Role: string(o.Role), Scopes: scopes, Owner: o.Owner, Account: o.Account, Uses: unlimited,
	}, o.TTL)
	return secret, tokenOf(t), err
}

// create gives t a secret and keeps it.
func (k *Keeper) create(ctx context.Context, t store.Token, ttl time.Duration) (string, store.Token, error) {
	if err := validate(t.Name, Role(t.Role)); err != nil {
		return "", store.Token{}, err
	}
	if ttl < 0 {
		return "", store.Token{}, fmt.Errorf("a token cannot end %s ago: %w", -ttl, fettle.ErrInvalid)
	}
	secret := newSecret(prefixes[t.Kind])
	t.Hash = hashOf(secret)
	t.ID = idOf(t.Hash)
	t.Created = fettle.MillisOf(k.now())
	if ttl > 0 {
		t.Expires = t.Created.Add(ttl)
	}
	if err := k.tokens.SaveToken(ctx, t); err != nil {
		return "", store.Token{}, err
	}
	k.log.Info("token created", "user", t.Name, "role", t.Role, "kind", string(t.Kind))
	return secret, t, nil
}

// tokenOf gives what people see of t.
func tokenOf(t store.Token) Token {
	return Token{
		ID: t.ID, Name: t.Name, Role: Role(t.Role), Session: t.Kind == store.TokenSession, Scopes: t.Scopes, Owner: t.Owner, Account: t.Account,
		Created: t.Created, Expires: t.Expires,
	}
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
	kind := kindOf(secret)
	if kind != store.TokenAPI && kind != store.TokenSession {
		return Person{}, fmt.Errorf("this is not a token: %w", fettle.ErrDenied)
	}
	c, err := k.lookUp(ctx, kind, hashOf(secret))
	if err != nil {
		return Person{}, err
	}
	t := c.token
	if t.Expires != 0 && fettle.MillisOf(k.now()) >= t.Expires {
		return Person{}, fmt.Errorf("the token of %s has ended: %w", t.Name, fettle.ErrDenied)
	}
	p := Person{Name: t.Name, Role: Role(t.Role), Account: t.Account, TokenID: t.ID, Scopes: t.Scopes, Session: t.Kind == store.TokenSession}
	if t.Account != "" {
		p.Groups = c.user.Groups
		if has := Role(c.user.Role); p.Session || !has.May(p.Role) {
			p.Role = has
		}
	}
	return p, nil
}

// lookUp gives the token with hash and its user, from the cache while that is fresh, and for longer while the store is away: nobody can take a
// token back there, and what memory can answer has to be answered.
func (k *Keeper) lookUp(ctx context.Context, kind store.TokenKind, hash string) (cached, error) {
	now := k.now()
	k.mu.Lock()
	old, ok := k.cache[hash]
	turn := k.turn
	k.mu.Unlock()
	if ok && now.Before(old.until) {
		return old, nil
	}
	c := cached{until: now.Add(cacheTTL)}
	var err error
	c.token, err = k.tokens.TokenByHash(ctx, kind, hash, fettle.MillisOf(now))
	if errors.Is(err, fettle.ErrNotFound) || err == nil && subtle.ConstantTimeCompare([]byte(c.token.Hash), []byte(hash)) != 1 {
		return c, fmt.Errorf("this token is not known, or has ended: %w", fettle.ErrDenied)
	}
	if err == nil && c.token.Account != "" {
		c.user, err = k.tokens.User(ctx, c.token.Account)
		if errors.Is(err, fettle.ErrNotFound) || err == nil && c.user.Disabled != 0 {
			return c, fmt.Errorf("the user %s may not sign in any more: %w", c.token.Account, fettle.ErrDenied)
		}
	}
	if err != nil {
		if ok && errors.Is(err, fettle.ErrUnavailable) && now.Sub(old.until) < awayTTL {
			return old, nil
		}
		return c, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if turn != k.turn { // something was taken back while the store was asked: what it said may be of before
		return c, nil
	}
	if len(k.cache) >= maxCached {
		clear(k.cache)
	}
	k.cache[hash] = c
	return c, nil
}

// forget drops what is cached of the tokens that gone picks.
func (k *Keeper) forget(gone func(store.Token) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn++
	for hash, c := range k.cache {
		if gone(c.token) {
			delete(k.cache, hash)
		}
	}
}

// List gives all tokens and sessions that have not ended, the newest first.
func (k *Keeper) List(ctx context.Context) ([]Token, error) {
	now := fettle.MillisOf(k.now())
	live := []Token{}
	for after := ""; ; {
		page, err := k.tokens.Tokens(ctx, "", after, listPage)
		if err != nil {
			return nil, err
		}
		for _, t := range page {
			after = t.ID
			lets := t.Kind == store.TokenAPI || t.Kind == store.TokenSession
			if lets && (t.Expires == 0 || t.Expires > now) {
				live = append(live, tokenOf(t))
			}
		}
		if len(page) < listPage {
			break
		}
	}
	slices.SortFunc(live, func(a, b Token) int { return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(a.ID, b.ID)) })
	return live, nil
}

// Delete takes the token with id back, here at once: ErrNotFound if there is none.
func (k *Keeper) Delete(ctx context.Context, id string) error {
	if err := k.tokens.DeleteToken(ctx, id); err != nil {
		return err
	}
	k.forget(func(t store.Token) bool { return t.ID == id })
	k.log.Info("token deleted", "token", id)
	return nil
}

// Forget ends the session or token of secret: who logs out. A secret that nobody has is forgotten already.
func (k *Keeper) Forget(ctx context.Context, secret string) error {
	err := k.Delete(ctx, idOf(hashOf(secret)))
	if errors.Is(err, fettle.ErrNotFound) {
		return nil
	}
	return err
}
